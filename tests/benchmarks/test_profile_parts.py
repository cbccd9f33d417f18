"""Sampled stacks, and the parts of a request to which they belong."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.profile.parts import OTHER, PARTS, part_of, shares
from benchmarks.profile.stacks import read_stacks
from tests.benchmarks.recorded_stacks import LOOP, RECORDED, STACKS

ROOT = Path(__file__).parents[2]

ANSWERING = (
    "FastPathConnection._respond (api/http/fast_path/connection.py:95);"
    "InstrumentedEndpoint.handle (api/http/instrumented_endpoint.py:77)"
)
DECODING = "Codec.decode (ledger/domain/codec.py:40);json_decode (msgspec/_core.so)"
SENDING = "Connection.fetch (asyncpg/connection.py:1);BaseProtocol__write (protocol.c:2);write (loop.c:3)"


def functions_of(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


class TestReading:
    def test_frame_is_function_and_file_without_the_line(self):
        (stack,) = read_stacks(
            ["Served.handle (api/http/instrumented_endpoint.py:77);<lambda> (a b.c:1);write (libc.so.6);[vdso] 12\n"]
        )

        assert [str(frame) for frame in stack.frames] == [
            "Served.handle (api/http/instrumented_endpoint.py)",
            "<lambda> (a b.c)",
            "write (libc.so.6)",
            "[vdso]",
        ]
        assert stack.samples == 12

    def test_idle_event_loop_and_pool_threads_are_skipped(self):
        assert len(RECORDED) - len(STACKS) == 2
        assert not any(stack.frames[-1].function == "epoll_pwait" for stack in STACKS)
        assert not any(frame.file == "concurrent/futures/thread.py" for stack in STACKS for frame in stack.frames)

    def test_active_pool_thread_is_kept(self):
        worker = "_worker (concurrent/futures/thread.py:58)"

        assert list(read_stacks([f"{worker};_WorkItem.run (concurrent/futures/thread.py:83);hash (_argon2.c:3) 4"]))
        assert not list(read_stacks([f"{worker};lock (libpython3.11.so.1.0) 4"]))


class TestParts:
    def test_each_recorded_stack_has_its_part(self):
        found: Counter[str] = Counter()
        for stack in STACKS:
            found[part_of(stack.frames)] += stack.samples

        assert found == {
            "event loop, reading from sockets": 37 + 2,
            "parsing HTTP": 1,
            "connection to handler": 1,
            "form, client authentication": 1,
            "token look-up": 11,
            "decisions: token, scope, event": 3 + 2,
            "appending": 25 + 1,
            "receiving PostgreSQL responses": 1,
            "catch-up projections and sweep": 1,
            "building the response": 2,
            "sending": 71,
            "logging, counters": 3,
        }

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            # The innermost listed frame decides.
            (ANSWERING, "connection to handler"),
            (f"{ANSWERING};TokenEndpoint.handle (api/http/oauth/endpoints.py:43)", "building the response"),
            (f"{ANSWERING};utc_now (ledger/domain/clock.py:23)", "connection to handler"),
            # Shared code counts for its caller.
            (f"Follower._step (projections/following/follower.py:1);{DECODING}", "catch-up projections and sweep"),
            (f"GroupCommit._record (ledger/batching/group_commit.py:1);{DECODING}", "appending"),
            (f"LookUps._find (projections/lookups.py:1);{SENDING}", "token look-up"),
            # A function precedes its file, and a file its folder.
            ("FastPathConnection._respond (api/http/fast_path/connection.py:95)", "sending"),
            ("FastPathConnection.data_received (api/http/fast_path/connection.py:45)", "connection to handler"),
            ("Response.__init__ (aiohttp/web_response.py:1)", "building the response"),
            ("StreamReader.__init__ (aiohttp/streams.py:124)", "parsing HTTP"),
            ("start_thread (libc.so.6)", OTHER),
        ],
    )
    def test_stack_belongs_to_one_part(self, line, expected):
        (stack,) = read_stacks([f"{line} 1"])
        assert part_of(stack.frames) == expected

    def test_shares_add_up_to_one(self):
        stacks = list(read_stacks([f"{LOOP};sleep (x.py:1) 3", "thread (libc.so.6) 1"]))

        assert shares(stacks)["event loop, reading from sockets"] == 0.75
        assert shares(stacks)[OTHER] == 0.25
        assert sum(shares(STACKS).values()) == pytest.approx(1)
        with pytest.raises(ValueError, match="no stacks"):
            shares([])

    def test_listed_files_and_functions_exist_and_none_is_listed_twice(self):
        listed = [name for names in PARTS.values() for name in names]
        named = [name for name in listed if re.search(r"\b(api|ledger|projections)/", name)]
        missing = []
        for name in named:
            function, _, file = name.rpartition(" (")
            place = ROOT / file.rstrip(")")
            if not place.exists() or (function and function.rpartition(".")[2] not in functions_of(place)):
                missing.append(name)
        assert len(named) > 20
        assert len(listed) == len(set(listed))
        assert missing == []
