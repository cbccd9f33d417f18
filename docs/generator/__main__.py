"""Write every reference page: `python -m docs.generator`."""

from docs.generator.pages import REFERENCE, render_pages


def main() -> None:
    """Replace the pages whose generated regions are not current, and print their names."""
    for name, text in render_pages().items():
        page = REFERENCE / name
        if page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            print(f"wrote {page.relative_to(REFERENCE.parents[1])}")  # noqa: T201 (the output of a command)


if __name__ == "__main__":
    main()
