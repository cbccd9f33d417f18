"""A request that is sent many times, and the file format of the wrk scripts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.contenders.contender import FormRequest

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One request. All requests of a run go to the same address."""

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

    def encode(self) -> bytes:
        """Return the HTTP/1.1 message. Raises ValueError when a header contains a line break."""
        body = self.body.encode()
        headers = {"Host": urlsplit(self.url).netloc, **self.headers}
        if self.method != "GET":
            headers["Content-Length"] = str(len(body))
        head = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if any("\r" in line or "\n" in line for line in head):
            msg = f"the head of the request to {self.url} contains a line break"
            raise ValueError(msg)
        return "\r\n".join([*head, "", ""]).encode() + body


def form_request(form: FormRequest) -> Request:
    return Request(form.url, "POST", form.body, {"Content-Type": FORM, **form.headers})


def write_requests(requests: Iterable[Request], file: Path) -> None:
    """Write each encoded request after a line with its length, so that the wrk scripts need not build requests."""
    with file.open("wb") as written:
        for request in requests:
            encoded = request.encode()
            written.write(b"%d\n%b" % (len(encoded), encoded))
