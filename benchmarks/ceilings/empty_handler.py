"""Runs the empty handler as a contender."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders.contender import FormRequest, RunningContender
from benchmarks.contenders.processes import process_tree, running_process
from benchmarks.contenders.protocol_check import send_form
from benchmarks.ports import HOST, free_port


@dataclass(frozen=True)
class RunningEmptyHandler:
    """Accepts the requests of its model, and repeats the model's responses."""

    port: int
    pid: int
    model: RunningContender

    @property
    def pids(self) -> list[int]:
        return process_tree(self.pid)

    def issue(self) -> FormRequest:
        return self._redirect(self.model.issue())

    def introspect(self, token: str) -> FormRequest:
        return self._redirect(self.model.introspect(token))

    def revoke(self, token: str) -> FormRequest:
        return self._redirect(self.model.revoke(token))

    def _redirect(self, request: FormRequest) -> FormRequest:
        return replace(request, url=f"http://{HOST}:{self.port}{urlsplit(request.url).path}")


@contextmanager
def run_empty_handler(folder: Path, model: RunningContender) -> Iterator[RunningEmptyHandler]:
    """Record the model's responses to an issuance, an introspection and a revocation, and run the handler with them."""
    folder.mkdir(parents=True, exist_ok=True)
    _, issued = send_form(model.issue())
    token = json.loads(issued)["access_token"]
    responses = {urlsplit(model.issue().url).path: issued}
    for request in (model.introspect(token), model.revoke(token)):
        responses[urlsplit(request.url).path] = send_form(request)[1]
    file, log, port = folder / "responses.json", folder / "empty_handler.log", free_port()
    file.write_text(json.dumps(responses))
    command = [sys.executable, "-m", "benchmarks.ceilings.empty_handler_server", str(port), str(file)]
    with running_process(command, f"http://{HOST}:{port}/", log=log) as pid:
        yield RunningEmptyHandler(port, pid, model)
