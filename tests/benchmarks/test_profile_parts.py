"""Sampled stacks are read, and belong to parts of a request."""

import ast
import re
from pathlib import Path

import pytest

from benchmarks.profile.parts import OTHER, PARTS, part_of, shares
from benchmarks.profile.stacks import Frame, read_stacks
from tests.benchmarks.recorded_stacks import LOOP, RECORDED, STACKS

ROOT = Path(__file__).parents[2]


def part(line: str) -> str:
    (stack,) = read_stacks([f"{LOOP};{line} 1"])
    return part_of(stack.frames)


def functions_of(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


class TestReading:
    def test_a_frame_is_a_function_and_its_file_wherever_in_it_it_was(self):
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

    def test_waiting_for_sockets_and_idle_threads_of_a_pool_are_no_work(self):
        assert len(RECORDED) - len(STACKS) == 2
        assert not any(stack.frames[-1].function == "epoll_pwait" for stack in STACKS)
        assert not any(frame.file == "concurrent/futures/thread.py" for stack in STACKS for frame in stack.frames)

    def test_a_thread_of_a_pool_that_works_is(self):
        worker = "_worker (concurrent/futures/thread.py:58)"

        assert list(read_stacks([f"{worker};_WorkItem.run (concurrent/futures/thread.py:83);hash (_argon2.c:3) 4"]))
        assert not list(read_stacks([f"{worker};lock (libpython3.11.so.1.0) 4"]))


class TestParts:
    def test_each_recorded_stack_is_where_it_belongs(self):
        found: dict[str, int] = {}
        for stack in STACKS:
            found[part_of(stack.frames)] = found.get(part_of(stack.frames), 0) + stack.samples

        assert found == {
            "event loop, reading from sockets": 37 + 2,
            "parsing HTTP": 1,
            "from a connection to its handler": 1,
            "form, client authentication": 1,
            "looking up": 11,
            "deciding: token, scope, event": 3 + 2,
            "appending": 25 + 1,
            "taking in what PostgreSQL answers": 1,
            "following: history and sweep": 1,
            "making the answer": 2,
            "sending": 71,
            "log line, counts": 3,
        }

    def test_the_innermost_frame_that_is_named_decides(self):
        answering = (
            "Connection._answer_form (api/http/connection.py:95);Served.handle (api/http/instrumented_endpoint.py:77)"
        )

        assert part(answering) == "from a connection to its handler"
        assert part(f"{answering};TokenEndpoint.handle (api/http/oauth/token.py:43)") == "making the answer"
        assert part(f"{answering};utc_now (ledger/domain/clock.py:23)") == "from a connection to its handler"

    def test_what_all_use_counts_for_the_part_that_called_it(self):
        decoding = "Codec.decode (ledger/domain/codec.py:40);json_decode (msgspec/_core.so)"
        sending = "Connection.fetch (asyncpg/connection.py:1);BaseProtocol__write (protocol.c:2);write (loop.c:3)"

        assert (
            part(f"Follower._step (projections/following/follower.py:1);{decoding}") == "following: history and sweep"
        )
        assert part(f"GroupCommit._record (ledger/batching/group_commit.py:1);{decoding}") == "appending"
        assert part(f"LookUps._find (projections/lookups.py:1);{sending}") == "looking up"

    def test_a_function_is_named_before_its_file_and_a_file_before_its_folder(self):
        assert part("Connection._answer_form (api/http/connection.py:95)") == "sending"
        assert part("Connection.data_received (api/http/connection.py:45)") == "from a connection to its handler"
        assert part("Response.__init__ (aiohttp/web_response.py:1)") == "making the answer"
        assert part("StreamReader.__init__ (aiohttp/streams.py:124)") == "parsing HTTP"

    def test_what_nothing_names_is_other(self):
        assert part_of([Frame("start_thread", "libc.so.6")]) == OTHER

    def test_shares_are_of_the_samples_and_make_one(self):
        stacks = list(read_stacks([f"{LOOP};sleep (x.py:1) 3", "thread (libc.so.6) 1"]))

        assert shares(stacks)["event loop, reading from sockets"] == 0.75
        assert shares(stacks)[OTHER] == 0.25
        assert sum(shares(STACKS).values()) == pytest.approx(1)
        with pytest.raises(ValueError, match="no stacks"):
            shares([])

    def test_every_file_and_function_of_ours_that_is_named_exists(self):
        named = [name for names in PARTS.values() for name in names if re.search(r"\b(api|ledger|projections)/", name)]
        missing = []
        for name in named:
            function, _, file = name.rpartition(" (")
            place = ROOT / file.rstrip(")")
            if not place.exists() or (function and function.rpartition(".")[2] not in functions_of(place)):
                missing.append(name)
        assert len(named) > 20
        assert missing == []

    def test_nothing_is_named_twice(self):
        named = [name for names in PARTS.values() for name in names]
        assert len(named) == len(set(named))
