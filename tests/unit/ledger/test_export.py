"""The export of a log: everything survives byte for byte, and any change to a file is detected."""

import hashlib
import json

import msgspec
import pytest
from msgspec.structs import replace

from ledger.archive.export_format import ExportedEvent, fits_on_one_line
from ledger.domain.errors import InvalidExport
from tests.builders import NOW, seconds
from tests.sample_logs import ISSUER, changed, export_of, read_export, small_log

LOG = small_log()
LINES = export_of(LOG)
WHOLE = b"".join(LINES)

ODD_PAYLOADS = [
    b"",
    b"not JSON",
    b"\xff\xfe",
    b'"\xff"',
    b'{"a":1}\n',
    b' {"a":1}',
    b'{"a":\n1}',
    b'{"a":\r1}',
    b'{"a":1}{"b":2}',
    b"[" * 10_000,
    b'"\x00"',
    b'{"b":1, "a":2,"a":3}',
    b'{"u":"\\u00e7\xc3\xa7"}',
    b"1e999",
    b"1.50",
    b"null",
]


def refusal(lines) -> str:
    with pytest.raises(InvalidExport) as caught:
        read_export(lines)
    return str(caught.value)


def with_line(number: int, line: bytes) -> list[bytes]:
    """The export with another line in place of one."""
    return [*LINES[: number - 1], line, *LINES[number:]]


class TestFormat:
    @pytest.mark.parametrize(
        ("lines", "log"),
        [(LINES, LOG), (export_of([]), []), (export_of(LOG[2:4], head=6, after=2, until=4), LOG[2:4])],
        ids=["whole", "empty", "part"],
    )
    def test_export_is_read_back_as_recorded(self, lines, log):
        assert read_export(lines) == log

    def test_export_has_a_header_a_line_per_event_and_an_end(self):
        header, *events, end = map(json.loads, LINES)
        assert header == {
            "line": "header",
            "format": "token-ledger-log",
            "version": 2,
            "issuer": ISSUER,
            "log": "first",
            "head": 6,
            "after": 0,
            "until": 6,
            "exported_at": "2024-05-06T07:08:09Z",
        }
        assert [event["position"] for event in events] == [1, 2, 3, 4, 5, 6]
        assert end["events"] == 6

    def test_event_line_has_every_column(self):
        event = json.loads(LINES[3])
        assert event.pop("payload") == json.loads(LOG[2].payload)
        assert event == {
            "line": "event",
            "position": 3,
            "recorded_at": "2024-05-06T07:08:10.000001Z",
            "stream_id": "018f4c2a-1111-7222-8333-444455556666",
            "stream_version": 1,
            "topic": "token.issued",
            "schema_version": 1,
            "actor": "client:shop",
            "request_id": "req-1",
            "remote_address": "192.0.2.7",
            "salt": "AwMDAwMDAwMDAwMDAwMDAw==",
        }

    def test_end_has_the_checksums_of_sha256sum(self):
        end = json.loads(LINES[-1])
        assert end["sha256"] == hashlib.sha256(b"".join(LINES[:-1])).hexdigest()
        assert end["events_sha256"] == hashlib.sha256(b"".join(LINES[1:-1])).hexdigest()

    def test_events_and_their_checksum_are_the_same_in_every_export(self):
        again = export_of(LOG, issuer="http://elsewhere/second", exported_at=NOW + seconds(5))
        assert again[1:-1] == LINES[1:-1]
        assert json.loads(again[-1])["events_sha256"] == json.loads(LINES[-1])["events_sha256"]

    @pytest.mark.parametrize("payload", ODD_PAYLOADS)
    def test_any_payload_survives(self, payload):
        (_, line, _) = export_of([replace(LOG[0], payload=payload)])
        assert line.count(b"\n") == 1
        event = msgspec.json.decode(line)  # strict: it is JSON, and UTF-8
        assert ("payload" in event) == fits_on_one_line(payload)
        assert msgspec.json.decode(line, type=ExportedEvent).to_row().payload == payload


class TestAlteredFile:
    def test_every_altered_byte_is_detected(self):
        undetected = []
        for at in range(len(WHOLE)):
            for flip in (0x01, 0x20, 0x80):
                altered = WHOLE[:at] + bytes([WHOLE[at] ^ flip]) + WHOLE[at + 1 :]
                try:
                    read_export(altered.splitlines(keepends=True))
                except InvalidExport:
                    continue
                undetected.append((at, flip))
        assert undetected == []

    def test_every_truncation_is_detected(self):
        for length in range(len(WHOLE)):
            with pytest.raises(InvalidExport):
                read_export(WHOLE[:length].splitlines(keepends=True))

    @pytest.mark.parametrize("at", range(len(LINES)))
    def test_missing_or_repeated_line_is_detected(self, at):
        assert refusal(LINES[:at] + LINES[at + 1 :])
        assert refusal(LINES[: at + 1] + LINES[at:])

    @pytest.mark.parametrize("at", range(len(LINES) - 1))
    def test_two_lines_in_the_wrong_order_are_detected(self, at):
        assert refusal([*LINES[:at], LINES[at + 1], LINES[at], *LINES[at + 2 :]])

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ([], "line 1: the file is empty"),
            (LINES[:4], "line 5: the file is truncated here"),
            ([*LINES[:4], LINES[4][:20]], "line 5: the file is truncated here"),
            (LINES + LINES, "line 9: there is data after the end of the export"),
        ],
        ids=["empty", "at a line end", "within a line", "followed by another"],
    )
    def test_refusal_names_the_line_when_the_file_ends_wrongly(self, lines, message):
        assert refusal(lines) == message

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (b"192.0.2.7", b"192.0.2.8", "the checksum does not match the lines before: the file was altered"),
            (b"localhost", b"localhose", "the checksum does not match the lines before: the file was altered"),
            (b'"events":6', b'"events":7', "the end line counts 7 events but the file has 6"),
        ],
        ids=["event", "header", "count"],
    )
    def test_altered_value_is_detected_at_the_end_when_it_is_valid(self, old, new, message):
        assert refusal([line.replace(old, new) for line in LINES]) == f"line 8: {message}"


class TestInvalidLogWithValidChecksum:
    @pytest.mark.parametrize(
        ("log", "why"),
        [
            (LOG[1:], "line 2: position 2: position 1 is missing"),
            ([LOG[0], LOG[0]], "line 3: position 1: position 1 follows position 1"),
            (changed(LOG, 4, recorded_at=NOW), "line 5: position 4: recorded at 2024-05-06 07:08:09+00:00, before its"),
            (changed(LOG, 3, topic="os.system"), "line 4: position 3: The topic 'os.system' is not known"),
            (changed(LOG, 3, payload=b"not JSON"), "line 4: position 3: The payload of a 'token.issued' event"),
            (changed(LOG, 3, stream_version=0), "line 4: the line cannot be read"),
            (changed(LOG, 3, schema_version=40_000), "line 4: the line cannot be read"),
            (changed(LOG, 3, actor="cli\x00ent"), "line 4: the line cannot be read"),
            (changed(LOG, 6, position=2**63), "line 7: the line cannot be read"),
            (LOG[:3], "line 5: the header says that the export ends at 6 but it ends at 3"),
        ],
    )
    def test_first_fault_is_refused_with_its_line(self, log, why):
        assert refusal(export_of(log, head=6)).startswith(why)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"position":3,', b""),
            (b'"recorded_at":"2024-05-06T07:08:10.000001Z"', b'"recorded_at":"2024-05-06T07:08:10.000001"'),
            (b'"actor"', b'"author"'),
            (b'"actor":"client:shop",', b'"actor":"client:shop","more":1,'),
            (b'"payload":', b'"payload_base64":"e30=","payload":'),
            (b',"payload":', b',"payload_base64":'),
            (b'"line":"event"', b'"line":"remark"'),
        ],
    )
    def test_event_is_refused_when_not_in_the_form_that_is_written(self, old, new):
        assert old in LINES[3]
        assert refusal(with_line(4, LINES[3].replace(old, new))).startswith("line 4: ")

    def test_event_is_refused_when_it_has_no_payload(self):
        line = json.loads(LINES[3])
        del line["payload"]
        refused = refusal(with_line(4, json.dumps(line).encode() + b"\n"))
        assert refused == "line 4: an event has either a payload or a payload_base64"

    def test_refusal_shows_nothing_of_a_payload(self):
        secret = "e3b0c44298fc1c149afbf4c8996fb924"
        refused = refusal(export_of(changed(LOG, 3, payload=f'{{"digest":"{secret}!"}}'.encode())))
        assert secret not in refused


class TestHeader:
    @pytest.mark.parametrize("line", [b"{}\n", b"client_id,secret\n", b"\x00\xff\n", b"[" * 10_000 + b"\n", LINES[1]])
    def test_file_is_refused_when_it_is_no_export(self, line):
        assert refusal(with_line(1, line)) == "line 1: this is not an export of a log"

    @pytest.mark.parametrize(
        ("new", "message"),
        [
            (
                b'"version":3,"cipher":"aes"',
                "line 1: the export has format version 3, this release reads 2 and older: use",
            ),
            (b'"version":2,"cipher":"aes"', "line 1: the header cannot be read"),
        ],
        ids=["newer format", "unknown field"],
    )
    def test_header_is_refused_when_this_release_cannot_read_it(self, new, message):
        assert refusal(with_line(1, LINES[0].replace(b'"version":2', new))).startswith(message)
