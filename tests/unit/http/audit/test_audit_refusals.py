"""Parameters that the audit endpoints refuse, before the log is read or once its head is known."""

import pytest
from auditor import NDJSON, assert_problem

MALFORMED = {
    "/tokens": {
        "client_id": ("", "a b", "x" * 256),
        "subject": ("x" * 256, "a\nb"),
        "scope": ("read write", 'a"b'),
        "status": ("Active", "not_issued"),
        "issued_after": ("yesterday", "2026-03-01", "2026-03-01T12:00:00"),
        "issued_before": (
            "1969-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-02-30T00:00:00Z",
        ),
        "as_of": ("-1", "1.0", "٣", "9" * 19),
        "min_position": ("x",),
        "limit": ("0", "1001", "-1"),
        "cursor": ("a b",),
        "page": ("2",),
    },
    "/events": {
        "type": ("token.issued,", "token.issued,token.issued", "token.lost"),
        "after": ("-1",),
        "since": ("x",),
        "until": ("2026-03-01",),
        "actor": ("a\tb",),
        "cursor": ("x",),
    },
    "/events/stream": dict.fromkeys(("subject", "since", "until", "limit", "min_position", "Last-Event-ID"), ("1",)),
    "/clients/app/events": {"type": ("x",), "client_id": ("x",)},
    "/summary": {
        "bucket": ("week",),
        "since": ("1970-01-01T00:00:00Z", "2026-03-01T12:00:00Z&until=2026-03-01T11:00:00Z"),
        "until": ("2027-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        "limit": ("0",),
    },
}
JTIS = ("x", "0" * 32, "{00000000-0000-0000-0000-000000000000}", "t" * 128, "%00", "%ff")
IN_PATH = [
    *((f"/tokens/{jti}{suffix}", "jti") for jti in JTIS for suffix in ("", "/events")),
    *((f"/clients/{client_id}/events", "client_id") for client_id in ("a%20b", "x" * 256, "%00", "%C3%A9")),
]
AHEAD = [
    *(("/tokens/{jti}", {"as_of": as_of}, "as_of") for as_of in ("99999", "2030-01-01T00:00:00Z")),
    *(
        ("/tokens/{jti}", {"min_position": 99999, "as_of": as_of}, "min_position")
        for as_of in (None, "1", "2026-01-01T00:00:00Z")
    ),
    ("/events", {"min_position": 999}, "min_position"),
    ("/events/stream", {"after": 999}, "after"),
]


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [(place, name, value) for place, names in MALFORMED.items() for name, values in names.items() for value in values],
)
async def test_responds_400_when_a_parameter_is_malformed_or_unknown(auditor, place, name, value):
    first, _, until = value.partition("&until=")
    query = {name: first} | ({"until": until} if until else {})
    for accept in ("*/*", NDJSON) if place == "/events" else ("*/*",):
        response = await auditor.request(place, headers={"Accept": accept}, **query)
        detail = await assert_problem(response, 400, "invalid_request", name)
    if place == "/tokens" and name not in {"page", "limit"}:
        assert not value or value not in detail


@pytest.mark.parametrize(("path", "name"), IN_PATH)
async def test_responds_400_when_an_id_in_the_path_is_malformed(auditor, path, name):
    await assert_problem(await auditor.request(path), 400, "invalid_request", name)


@pytest.mark.parametrize(("path", "query", "name"), AHEAD)
async def test_responds_400_when_a_parameter_is_beyond_the_head(auditor, path, query, name):
    path = path.format(jti=await auditor.issue())
    for accept in ("*/*", NDJSON) if path == "/events" else ("*/*",):
        response = await auditor.request(path, headers={"Accept": accept}, **query)
        await assert_problem(response, 400, "ahead_of_log", name)
