"""A request to be sent many times, and the files in which the tools want them."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders.contender import FormRequest

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One request; all of a run go to one address."""

    url: str
    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def target(self) -> str:
        """Path and query."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


def posted(form: FormRequest) -> Request:
    """The request that a contender wants for a form."""
    return Request(form.url, "POST", form.body, {"Content-Type": FORM, **form.headers})


def write_for_wrk(requests: Iterable[Request], file: Path) -> None:
    """A line each: method, path, body and headers, between tabs. Raises ValueError when one would be torn."""
    with file.open("w", encoding="utf-8") as lines:
        for request in requests:
            headers = [f"{name}: {value}" for name, value in request.headers.items()]
            fields = [request.method, request.target, request.body, *headers]
            if any("\t" in part or "\n" in part for part in fields):
                msg = f"a tab or a line's end in a request to {request.url} cannot be written for wrk"
                raise ValueError(msg)
            lines.write("\t".join(fields) + "\n")


def write_for_vegeta(requests: Iterable[Request], file: Path) -> None:
    """A JSON object a line, as `vegeta attack -format=json` reads it."""
    with file.open("w", encoding="utf-8") as lines:
        for request in requests:
            target = {
                "method": request.method,
                "url": request.url,
                "body": base64.b64encode(request.body.encode()).decode(),
                "header": {name: [value] for name, value in request.headers.items()},
            }
            lines.write(json.dumps(target) + "\n")
