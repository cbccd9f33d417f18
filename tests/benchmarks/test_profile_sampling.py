"""Sampling with py-spy, and its errors."""

from time import monotonic

import pytest

from benchmarks.errors import MeasurementError
from benchmarks.profile import sampling
from benchmarks.profile.sampling import PERMISSION_HELP, sample_stacks


@pytest.fixture
def sampler(tmp_path, monkeypatch):
    """Replaces py-spy with a script that records its arguments."""

    def replace(script: str) -> None:
        file = tmp_path / "py-spy"
        file.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{script}\n')
        file.chmod(0o755)
        monkeypatch.setattr(sampling, "find_py_spy", lambda: str(file))

    return replace


def test_process_is_sampled_into_the_file(tmp_path, sampler):
    sampler("exit 0")
    with sample_stacks(4711, tmp_path / "raw", seconds=3):
        pass
    arguments = (tmp_path / "arguments").read_text()

    assert "record --pid 4711 --duration 3 " in arguments
    assert f"--native --format raw --output {tmp_path}/raw" in arguments


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('echo "Permission Denied: Try running again with elevated permissions" >&2; exit 1', PERMISSION_HELP),
        (
            'echo "Error: Failed to find python version"; exit 1',
            "py-spy failed: Error: Failed to find python version",
        ),
    ],
)
def test_error_has_the_remedy_or_the_output_when_py_spy_fails(tmp_path, sampler, script, message):
    sampler(script)
    with pytest.raises(MeasurementError) as failed, sample_stacks(1, tmp_path / "raw", seconds=1):
        pass
    assert str(failed.value) == message


def test_sampling_ends_when_the_load_fails(tmp_path, sampler):
    sampler("exec sleep 60")
    began = monotonic()
    with pytest.raises(ConnectionError), sample_stacks(1, tmp_path / "raw", seconds=60):
        raise ConnectionError

    assert monotonic() - began < 30
