"""The flame graph and the profile page."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from benchmarks.profile.flame import LEAST_SHARE, flame_graph
from benchmarks.profile.page import Profile, ProfileReport, render, write_page
from benchmarks.profile.parts import OTHER
from benchmarks.profile.stacks import read_stacks
from tests.benchmarks.recorded_stacks import LOOP, STACKS
from tests.benchmarks.sample_results import OWN

PICTURE = flame_graph(STACKS, "issue: 100 µs of <CPU> time")
BOX = r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"[^>]*><title>'


class TestFlameGraph:
    def test_picture_is_an_svg_without_scripts(self):
        root = ET.fromstring(PICTURE)  # noqa: S314 (our own text)

        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "rect", "text", "title"}

    def test_each_frame_has_its_share_but_meaningless_ones_are_left_out(self):
        assert "<title>UVStream_write (loop.c): 43.8 %</title>" in PICTURE
        assert not re.search("Runner.run|Py_DECREF|<title>0x", PICTURE)

    def test_callee_is_below_and_within_its_caller(self):
        (caller,) = re.findall(BOX + "Answer.whole ", PICTURE)
        (callee,) = re.findall(BOX + "Answer._head ", PICTURE)

        assert int(callee[1]) > int(caller[1])
        assert float(caller[0]) <= float(callee[0])
        assert float(callee[0]) + float(callee[2]) <= float(caller[0]) + float(caller[2])

    def test_frames_of_a_row_do_not_overlap(self):
        rows = sorted((int(y), float(x), float(width)) for x, y, width in re.findall(BOX, PICTURE))
        pairs = [(one, other) for one, other in pairwise(rows) if one[0] == other[0]]

        assert len(pairs) > 5
        assert [(one, other) for one, other in pairs if one[1] + one[2] > other[1]] == []

    def test_smallest_frames_are_left_out_but_count_for_their_callers(self):
        many = round(1 / LEAST_SHARE)
        least = [f"{LOOP};a (a.py:1);often (a.py:1) {2 * many}", f"{LOOP};a (a.py:1);seldom (a.py:2) 1"]
        picture = flame_graph(read_stacks([*least, f"{LOOP};b (b.py:1) {many}"]), "")

        assert "often" in picture
        assert "seldom" not in picture
        assert f"<title>a (a.py): {100 * (2 * many + 1) / (3 * many + 1):.1f} %" in picture

    def test_lines_of_one_function_are_one_frame(self):
        picture = flame_graph(read_stacks([f"{LOOP};a (a.py:1) 1", f"{LOOP};a (a.py:2) 1", f"{LOOP};b (b.py:1) 1"]), "")

        assert picture.count("<title>a (a.py): 66.7 %") == 1

    def test_picture_does_not_depend_on_the_order_of_stacks(self):
        assert flame_graph(reversed(STACKS), "") == flame_graph(STACKS, "")

    def test_picture_of_no_stacks_is_refused(self):
        with pytest.raises(ValueError, match="no stacks"):
            flame_graph([], "")


def report(*profiles: Profile) -> ProfileReport:
    return ProfileReport("2026-01-31 12:00 UTC", "0123456789ab", OWN.machine, 64, 100_000, 20, profiles)


LOOKING_UP = list(read_stacks([f"{LOOP};LookUps._find (projections/lookups.py:3) 3", f"{LOOP} 1"]))
PAGE = report(Profile("introspect", "introspect a mix", 50.0, LOOKING_UP), Profile("issue", "issue", 162.0, STACKS))


class TestPage:
    def test_table_has_share_and_time_of_each_part_with_samples(self):
        lines = render(PAGE).splitlines()

        assert "|  | introspect a mix, µs | share | issue, µs | share |" in lines
        assert "| token look-up | 37.5 | 75.0 % | 11.0 | 6.8 % |" in lines
        assert "| sending |  |  | 71.0 | 43.8 % |" in lines
        assert "| all | 50.0 | 100.0 % | 162.0 | 100.0 % |" in lines
        assert OTHER not in [line.split(" | ")[0].strip("| ") for line in lines]

    def test_page_states_method_and_accuracy(self):
        text = " ".join(render(PAGE).split())

        assert "64 connections of `wrk`, 100,000 tokens" in text
        assert "With 4 samples or more of each workload, a share of 10 % is accurate to about 15.0 %." in text

    def test_page_and_pictures_are_written_to_the_folder(self, tmp_path):
        page = write_page(PAGE, tmp_path / "new")

        assert sorted(file.name for file in page.parent.iterdir()) == [
            "flame-introspect.svg",
            "flame-issue.svg",
            "profiles.md",
        ]
        assert "issue: 162 µs of CPU time per request" in (page.parent / "flame-issue.svg").read_text()
        for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / picture).exists()
