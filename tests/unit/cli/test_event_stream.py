import pytest

from api.cli.audit.http_source import ServerSentEvent, read_server_sent_events


async def read(text: str) -> list[ServerSentEvent]:
    async def lines():
        for line in text.encode().splitlines(keepends=True):
            yield line

    return [message async for message in read_server_sent_events(lines())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id: 7\nevent: token.issued\ndata: {}\n\n", [ServerSentEvent("7", "token.issued", "{}")]),
        ("id:7\r\ndata:{}\r\n\r\n", [ServerSentEvent("7", "", "{}")]),
        (": heartbeat\n\nid: 7\ndata: 1\n\n: heartbeat\n\n", [ServerSentEvent("7", "", "1")]),
        ("data: a\ndata: b\n\n", [ServerSentEvent("", "", "a\nb")]),
        ("retry: 1000\n\nid: 7\n\n", []),
        ("id: 7\ndata: 1\n\nid: 8\ndata: 2\n", [ServerSentEvent("7", "", "1")]),
        ("id: 7\ndata: 1\n\nid: 8\ndata: {", [ServerSentEvent("7", "", "1")]),
        ("id: 7\ndata: é: ü\n\n", [ServerSentEvent("7", "", "é: ü")]),
    ],
)
async def test_messages_are_what_ends_with_an_empty_line_and_has_data(text, found):
    assert await read(text) == found
