"""Every relative link of every document leads somewhere."""

import pytest
from documents import ROOT, anchors, links, markdown_files


def broken_links(file):
    for _, target in links(file):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, fragment = target.partition("#")
        place = (file.parent / path).resolve() if path else file
        if not place.exists() or (fragment and fragment not in anchors(place)):
            yield target


@pytest.mark.parametrize("file", markdown_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_resolves(file):
    assert list(broken_links(file)) == []


def test_a_link_to_nothing_and_an_anchor_of_no_heading_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# A heading: with `code`\n")
    file = tmp_path / "here.md"
    file.write_text("[a](there.md#a-heading-with-code) [b](nowhere.md) [c](there.md#nothing)\n```\n[d](x)\n```\n")
    assert list(broken_links(file)) == ["nowhere.md", "there.md#nothing"]


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        targets = (target.partition("#")[0] for _, target in links(file))
        waiting += [
            place
            for target in targets
            if target.endswith(".md") and (place := (file.parent / target).resolve()).exists()
        ]
    assert {str(file.relative_to(ROOT)) for file in markdown_files()} == {str(f.relative_to(ROOT)) for f in reached}
