"""The generated regions of the reference pages are what the code says now."""

import pytest

from docs.generator.pages import PAGES, REFERENCE, render_page
from docs.generator.regions import RegionError, replace_regions

PAGE = "before\n<!-- generated: one -->\nold\n<!-- /generated -->\nafter\n"


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_current(name):
    assert (REFERENCE / name).read_text(encoding="utf-8") == render_page(name), "run `make docs`"


def test_region_is_replaced_and_other_text_is_kept():
    replaced = replace_regions("a.md", PAGE, {"one": "new"})
    assert replaced == "before\n<!-- generated: one -->\n\nnew\n\n<!-- /generated -->\nafter\n"
    assert replace_regions("a.md", replaced, {"one": "new"}) == replaced


@pytest.mark.parametrize(
    ("text", "regions", "message"),
    [
        (PAGE, {"one": "", "two": ""}, "a.md has no region 'two': add the lines"),
        (PAGE, {}, "a.md has region 'one', which nothing generates: remove it"),
        (PAGE * 2, {"one": ""}, "a.md has region 'one', which is there twice: remove it"),
    ],
)
def test_page_is_refused_when_its_regions_do_not_match(text, regions, message):
    with pytest.raises(RegionError, match=message):
        replace_regions("a.md", text, regions)
