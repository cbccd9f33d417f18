"""A request to be sent many times, and the file in which wrk is given it."""

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

    def encoded(self) -> bytes:
        """As it goes over the wire. Raises ValueError where the end of a line would tear it."""
        body = self.body.encode()
        headers = {"Host": urlsplit(self.url).netloc, **self.headers}
        if self.method != "GET":
            headers["Content-Length"] = str(len(body))
        head = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if any("\r" in line or "\n" in line for line in head):
            msg = f"the end of a line within a header tears the request to {self.url}"
            raise ValueError(msg)
        return "\r\n".join([*head, "", ""]).encode() + body


def posted(form: FormRequest) -> Request:
    """The request that a contender wants for a form."""
    return Request(form.url, "POST", form.body, {"Content-Type": FORM, **form.headers})


def write_for_wrk(requests: Iterable[Request], file: Path) -> None:
    """Each as it goes over the wire, after a line with its length: the scripts beside this have nothing to make."""
    with file.open("wb") as written:
        for request in requests:
            encoded = request.encoded()
            written.write(b"%d\n%b" % (len(encoded), encoded))
