"""Server-sent events, as the HTML standard §9.2.6 has them read: lines in, messages out."""

from collections.abc import AsyncIterable, AsyncIterator

from msgspec import Struct


class Message(Struct, frozen=True):
    """A message with data; `id` is empty when it has none."""

    id: str
    event: str
    data: str


async def messages(lines: AsyncIterable[bytes]) -> AsyncIterator[Message]:
    """The messages of a stream. Comments, which keep the line alive, and a message cut short are none."""
    fields = {"id": "", "event": ""}
    data: list[str] = []
    async for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield Message(fields["id"], fields["event"], "\n".join(data))
            fields, data = {"id": "", "event": ""}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name in fields:
            fields[name] = value
