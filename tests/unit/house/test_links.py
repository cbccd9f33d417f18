"""Relative links of documents resolve, and every document can be reached from the README."""

from documents import ROOT, anchors, links, markdown_files


def broken_links(file):
    for _, target in links(file):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, fragment = target.partition("#")
        place = (file.parent / path).resolve() if path else file
        if not place.exists() or (fragment and fragment not in anchors(place)):
            yield target


def test_relative_links_of_every_document_resolve():
    broken = {str(file.relative_to(ROOT)): list(broken_links(file)) for file in markdown_files()}
    assert {file: targets for file, targets in broken.items() if targets} == {}


def test_link_is_broken_when_file_or_heading_is_missing(tmp_path):
    (tmp_path / "there.md").write_text("# A heading: with `code`\n")
    file = tmp_path / "here.md"
    file.write_text("[a](there.md#a-heading-with-code) [b](nowhere.md) [c](there.md#nothing)\n```\n[d](x)\n```\n")
    assert list(broken_links(file)) == ["nowhere.md", "there.md#nothing"]


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            linked = [(file.parent / target.partition("#")[0]).resolve() for _, target in links(file)]
            waiting += [place for place in linked if place.suffix == ".md" and place.exists()]
    assert set(markdown_files()) == reached
