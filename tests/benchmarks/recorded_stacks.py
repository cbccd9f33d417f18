"""Stacks of an issuance as py-spy writes them: seventeen lines of `issue.raw`."""

from pathlib import Path

from benchmarks.profile.stacks import read_stacks

RECORDED = Path(__file__).with_name("issue.raw").read_text(encoding="utf-8").splitlines()
STACKS = list(read_stacks(RECORDED))
LOOP = "run (asyncio/runners.py:118);uv_run (core.c:452)"
"""The first frames of all stacks of an event loop."""
