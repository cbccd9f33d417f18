import pytest

from api.cli.audit.event_stream import Message, messages


async def read(text: str) -> list[Message]:
    async def lines():
        for line in text.encode().splitlines(keepends=True):
            yield line

    return [message async for message in messages(lines())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id: 7\nevent: token.issued\ndata: {}\n\n", [Message("7", "token.issued", "{}")]),
        ("id:7\r\ndata:{}\r\n\r\n", [Message("7", "", "{}")]),
        (": heartbeat\n\nid: 7\ndata: 1\n\n: heartbeat\n\n", [Message("7", "", "1")]),
        ("data: a\ndata: b\n\n", [Message("", "", "a\nb")]),
        ("retry: 1000\n\nid: 7\n\n", []),
        ("id: 7\ndata: 1\n\nid: 8\ndata: 2\n", [Message("7", "", "1")]),
        ("id: 7\ndata: 1\n\nid: 8\ndata: {", [Message("7", "", "1")]),
        ("id: 7\ndata: é: ü\n\n", [Message("7", "", "é: ü")]),
    ],
)
async def test_messages_are_what_ends_with_an_empty_line_and_has_data(text, found):
    assert await read(text) == found
