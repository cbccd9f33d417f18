"""A contender is installed once for each state of its lock file, and again after an incomplete installation."""

import pytest

from benchmarks.contenders.installation import install_once


def install(folder, lock, *, fails: bool = False) -> bool:
    with install_once(folder, lock) as needed:
        if fails:
            raise OSError
    return needed


@pytest.fixture
def lock(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("one==1")
    return file


def test_installation_is_repeated_when_the_lock_changed_or_it_failed(tmp_path, lock):
    assert [install(tmp_path, lock) for _ in range(2)] == [True, False]

    lock.write_text("one==2")
    with pytest.raises(OSError):  # noqa: PT011 (it has no message)
        install(tmp_path, lock, fails=True)
    assert [install(tmp_path, lock) for _ in range(2)] == [True, False]

    lock.write_text("one==3")
    with pytest.raises(OSError):  # noqa: PT011 (it has no message)
        install(tmp_path, lock, fails=True)
    lock.write_text("one==2")
    assert install(tmp_path, lock)
