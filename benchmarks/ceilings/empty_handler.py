"""The empty handler, asked and answering like a contender that runs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders.asking import ask
from benchmarks.contenders.contender import FormRequest, Running
from benchmarks.contenders.starting import answering, family
from benchmarks.ports import HOST, free_port


@dataclass(frozen=True)
class EmptyHandlerRunning:
    """Takes the requests of its model, and answers each as that once answered."""

    port: int
    pid: int
    model: Running

    @property
    def pids(self) -> list[int]:
        return family(self.pid)

    def issue(self) -> FormRequest:
        return self._here(self.model.issue())

    def introspect(self, token: str) -> FormRequest:
        return self._here(self.model.introspect(token))

    def revoke(self, token: str) -> FormRequest:
        return self._here(self.model.revoke(token))

    def _here(self, request: FormRequest) -> FormRequest:
        return replace(request, url=f"http://{HOST}:{self.port}{urlsplit(request.url).path}")


@contextmanager
def empty_handler(folder: Path, model: Running) -> Iterator[EmptyHandlerRunning]:
    """Within, it runs and answers what the model answers now: to an issuance, a live token and its revocation."""
    folder.mkdir(parents=True, exist_ok=True)
    _, issued = ask(model.issue())
    token = json.loads(issued)["access_token"]
    answers = {urlsplit(model.issue().url).path: issued}
    for request in (model.introspect(token), model.revoke(token)):
        answers[urlsplit(request.url).path] = ask(request)[1]
    file, log, port = folder / "answers.json", folder / "empty_handler.log", free_port()
    file.write_text(json.dumps(answers))
    command = [sys.executable, "-m", "benchmarks.ceilings.handler", str(port), str(file)]
    with answering(command, f"http://{HOST}:{port}/", log=log) as pid:
        yield EmptyHandlerRunning(port, pid, model)
