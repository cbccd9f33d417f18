"""The export of a log: everything survives byte for byte, and whatever was done to a file is noticed."""

import hashlib
import json

import msgspec
import pytest
from msgspec.structs import replace

from ledger.archive.export_format import ExportedEvent, fits_on_one_line
from ledger.archive.export_reader import ExportReader
from ledger.domain.errors import InvalidExport
from tests.archives import ISSUER, changed, export_of, read_export, small_log
from tests.builders import NOW, seconds

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


def as_lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def refusal(lines) -> str:
    with pytest.raises(InvalidExport) as caught:
        read_export(lines)
    return str(caught.value)


class TestWhatIsWritten:
    def test_is_read_back_as_it_was_recorded(self):
        assert read_export(LINES) == LOG

    def test_has_a_header_one_line_an_event_and_an_end(self):
        header, *events, end = map(json.loads, LINES)
        assert header == {
            "line": "header",
            "format": "token-ledger-log",
            "version": 1,
            "issuer": ISSUER,
            "log": "first",
            "head": 6,
            "after": 0,
            "until": 6,
            "exported_at": "2024-05-06T07:08:09Z",
        }
        assert [event["position"] for event in events] == [1, 2, 3, 4, 5, 6]
        assert end["events"] == 6

    def test_has_every_column_of_an_event(self):
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
        }

    def test_has_the_checksums_that_sha256sum_gives(self):
        end = json.loads(LINES[-1])
        assert end["sha256"] == hashlib.sha256(b"".join(LINES[:-1])).hexdigest()
        assert end["events_sha256"] == hashlib.sha256(b"".join(LINES[1:-1])).hexdigest()

    def test_differs_between_exports_of_one_log_only_where_the_header_does(self):
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

    def test_an_empty_log_is_exported_and_read(self):
        assert read_export(export_of([])) == []

    def test_a_part_says_which_and_is_read(self):
        lines = export_of(LOG[2:4], head=6, after=2, until=4)
        assert ExportReader(iter(lines)).header.after == 2
        assert read_export(lines) == LOG[2:4]


class TestWhateverWasDoneToAFile:
    def test_every_altered_byte_is_noticed(self):
        unnoticed = []
        for at in range(len(WHOLE)):
            for flip in (0x01, 0x20, 0x80):
                altered = WHOLE[:at] + bytes([WHOLE[at] ^ flip]) + WHOLE[at + 1 :]
                try:
                    read_export(as_lines(altered))
                except InvalidExport:
                    continue
                unnoticed.append((at, flip))
        assert unnoticed == []

    def test_every_truncation_is_noticed(self):
        for length in range(len(WHOLE)):
            with pytest.raises(InvalidExport):
                read_export(as_lines(WHOLE[:length]))

    @pytest.mark.parametrize("at", range(len(LINES)))
    def test_a_lost_line_is_noticed(self, at):
        assert refusal(LINES[:at] + LINES[at + 1 :])

    @pytest.mark.parametrize("at", range(len(LINES)))
    def test_a_doubled_line_is_noticed(self, at):
        assert refusal(LINES[: at + 1] + LINES[at:])

    @pytest.mark.parametrize("at", range(len(LINES) - 1))
    def test_two_lines_in_the_wrong_order_are_noticed(self, at):
        assert refusal([*LINES[:at], LINES[at + 1], LINES[at], *LINES[at + 2 :]])

    def test_the_export_of_another_time_behind_it_is_noticed(self):
        assert refusal(LINES + LINES) == "line 9: there is data after the end of the export"

    def test_the_line_where_a_file_was_cut_off_is_named(self):
        assert refusal(LINES[:4]) == "line 5: the file is truncated here"
        assert refusal([*LINES[:4], LINES[4][:20]]) == "line 5: the file is truncated here"
        assert refusal([]) == "line 1: the file is empty"

    def test_an_altered_event_that_still_makes_sense_is_told_by_the_checksum(self):
        altered = [line.replace(b"192.0.2.7", b"192.0.2.8") for line in LINES]
        assert refusal(altered) == "line 8: the checksum does not match the lines before: the file was altered"

    def test_a_count_that_does_not_fit_is_told_as_such(self):
        altered = [line.replace(b'"events":6', b'"events":7') for line in LINES]
        assert refusal(altered) == "line 8: the end line counts 7 events but the file has 6"

    def test_an_altered_header_is_told_by_the_checksum(self):
        altered = [line.replace(b"localhost", b"localhose") for line in LINES]
        assert "checksum" in refusal(altered)


class TestAFileWhoseChecksumFitsIsStillNotTrusted:
    @pytest.mark.parametrize(
        ("log", "why"),
        [
            (LOG[1:], "line 2: position 2: position 1 is missing"),
            (LOG[:2] + LOG[4:], "line 4: position 5: positions 3 to 4 are missing"),
            ([LOG[0], LOG[0]], "line 3: position 1: position 1 follows position 1"),
            ([LOG[0], LOG[1], LOG[0]], "line 4: position 1: position 1 follows position 2"),
            (changed(LOG, 4, recorded_at=NOW), "line 5: position 4: recorded at 2024-05-06 07:08:09+00:00, before its"),
            (changed(LOG, 3, topic="os.system"), "line 4: position 3: The topic 'os.system' is not known"),
            (changed(LOG, 3, schema_version=2), "line 4: position 3: A 'token.issued' event has schema version 2"),
            (changed(LOG, 3, payload=b"{}"), "line 4: position 3: The payload of a 'token.issued' event"),
            (changed(LOG, 3, payload=b"not JSON"), "line 4: position 3: The payload of a 'token.issued' event"),
            (changed(LOG, 3, stream_version=0), "line 4: the line cannot be read"),
            (changed(LOG, 3, schema_version=40_000), "line 4: the line cannot be read"),
            (changed(LOG, 3, actor="cli\x00ent"), "line 4: the line cannot be read"),
            (changed(LOG, 6, position=2**63), "line 7: the line cannot be read"),
        ],
    )
    def test_each_event_is_checked_as_it_comes(self, log, why):
        assert refusal(export_of(log, head=6)).startswith(why)

    def test_it_must_go_as_far_as_its_header_says(self):
        assert refusal(export_of(LOG[:3], head=6)) == (
            "line 5: the header says that the export ends at 6 but it ends at 3"
        )

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
    def test_an_event_is_of_exactly_the_form_that_is_written(self, old, new):
        assert old in LINES[3]
        assert refusal([*LINES[:3], LINES[3].replace(old, new), *LINES[4:]]).startswith("line 4: ")

    def test_an_event_without_a_payload_is_refused(self):
        line = json.loads(LINES[3])
        del line["payload"]
        refused = refusal([*LINES[:3], json.dumps(line).encode() + b"\n"])
        assert refused == "line 4: an event has either a payload or a payload_base64"

    def test_a_refusal_repeats_nothing_of_a_payload(self):
        secret = "e3b0c44298fc1c149afbf4c8996fb924"
        refused = refusal(export_of(changed(LOG, 3, payload=f'{{"digest":"{secret}!"}}'.encode())))
        assert secret not in refused


class TestTheHeader:
    @pytest.mark.parametrize("line", [b"{}\n", b"client_id,secret\n", b"\x00\xff\n", b"[" * 10_000 + b"\n", LINES[1]])
    def test_of_something_else_is_refused(self, line):
        assert refusal([line, *LINES[1:]]) == "line 1: this is not an export of a log"

    def test_of_a_newer_format_says_so_whatever_else_is_in_it(self):
        newer = LINES[0].replace(b'"version":1', b'"version":2,"cipher":"aes"')
        assert refusal([newer, *LINES[1:]]) == (
            "line 1: the export has format version 2, this release reads 1: use the release that wrote it"
        )

    def test_with_a_field_that_this_release_does_not_know_is_refused(self):
        more = LINES[0].replace(b'"version":1', b'"version":1,"cipher":"aes"')
        assert refusal([more, *LINES[1:]]).startswith("line 1: the header cannot be read")
