"""py-spy is asked for stacks, and what it cannot do is said in a sentence."""

from time import monotonic

import pytest

from benchmarks.cannot_measure import CannotMeasure
from benchmarks.profile import sampling
from benchmarks.profile.sampling import HOW_TO_BE_ALLOWED, sampled


@pytest.fixture
def sampler(tmp_path, monkeypatch):
    """Stands in for py-spy: says its arguments, then does what it is told."""

    def stand_in(does: str) -> None:
        file = tmp_path / "py-spy"
        file.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{does}\n')
        file.chmod(0o755)
        monkeypatch.setattr(sampling, "program", lambda: str(file))

    return stand_in


def test_a_process_is_sampled_for_so_long_into_the_file(tmp_path, sampler):
    sampler("exit 0")
    with sampled(4711, tmp_path / "raw", seconds=3):
        pass
    arguments = (tmp_path / "arguments").read_text()

    assert "record --pid 4711 --duration 3 " in arguments
    assert f"--native --format raw --output {tmp_path}/raw" in arguments


def test_who_may_not_look_into_a_process_is_told_what_to_do(tmp_path, sampler):
    sampler('echo "Permission Denied: Try running again with elevated permissions" >&2; exit 1')
    with pytest.raises(CannotMeasure) as refused, sampled(1, tmp_path / "raw", seconds=1):
        pass
    assert str(refused.value) == HOW_TO_BE_ALLOWED


def test_another_failure_is_told_as_it_is(tmp_path, sampler):
    sampler('echo "Error: Failed to find python version"; exit 1')
    with pytest.raises(CannotMeasure) as failed, sampled(1, tmp_path / "raw", seconds=1):
        pass
    assert str(failed.value) == "py-spy failed: Error: Failed to find python version"


def test_a_load_that_fails_ends_the_sampling(tmp_path, sampler):
    sampler("exec sleep 60")
    began = monotonic()
    with pytest.raises(ConnectionError), sampled(1, tmp_path / "raw", seconds=60):
        raise ConnectionError

    assert monotonic() - began < 30
