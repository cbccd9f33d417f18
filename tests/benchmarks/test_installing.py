"""A contender is installed once for each state of its pins, and again when that did not come to its end."""

import pytest

from benchmarks.contenders.installing import installing


def install(folder, pins, *, fails: bool = False) -> bool:
    with installing(folder, pins) as needed:
        if fails:
            raise OSError
    return needed


@pytest.fixture
def pins(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("one==1")
    return file


def test_it_is_done_once_for_the_same_pins(tmp_path, pins):
    assert [install(tmp_path, pins) for _ in range(2)] == [True, False]


def test_other_pins_are_installed(tmp_path, pins):
    install(tmp_path, pins)
    pins.write_text("one==2")
    assert install(tmp_path, pins)


def test_what_was_interrupted_is_done_again_also_over_what_was_whole(tmp_path, pins):
    install(tmp_path, pins)
    pins.write_text("one==2")
    with pytest.raises(OSError):  # noqa: PT011 (it has no message)
        install(tmp_path, pins, fails=True)
    pins.write_text("one==1")

    assert install(tmp_path, pins)
