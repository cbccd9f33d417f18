"""The audit commands: each test runs over the log and over HTTP."""

import csv
import io
import json
import re
from uuid import UUID

import pytest
from audit_scenario import ADA, settings

from ledger.domain.recording import Cause
from ledger.domain.secrets import hash_token
from projections.following.follower import EventNotApplied

NEVER_ISSUED = "This issuer never issued this token."  # the message over HTTP
NEVER_REGISTERED = "This client was never registered with this issuer."


@pytest.fixture(params=["log", "http"])
def audit(request, cli, shop):
    """Run an audit command with these words."""
    if request.param == "http":
        request.getfixturevalue("asking_over_http")
    return lambda *words, **more: cli("audit", *words, **more)


@pytest.fixture
def told(audit):
    def told(*words: str, **more):
        result = audit(*words, **more)
        assert result.exit_code == 0, result.output
        return result.stdout

    return told


@pytest.fixture
def documents(told):
    return lambda *words, **more: json.loads(told(*words, "--json", **more))


class TestToken:
    def test_shows_state_fields_and_events_of_a_revoked_token(self, told, shop):
        text = told("token", shop[1].jti)
        assert text.startswith(
            "revoked since 2026-03-01 12:01:00 UTC by operator:ada: laptop stolen; "
            "issued to shop at 2026-03-01 12:00:00 UTC by client:shop from 192.0.2.7\n"
        )
        lines = [line.split() for line in text.splitlines()]
        assert ["scope", "read", "write"] in lines
        assert ["state", "revoked"] in lines
        assert [line[:1] + line[4:5] for line in lines if "token." in str(line)] == [
            ["4", "token.issued"],
            ["5", "token.revoked"],
        ]
        assert "request req-1, position 4" in text

    def test_is_active_as_of_a_moment_before_its_revocation(self, documents, shop):
        for moment in ("4", "2026-03-01T12:00:30Z", "2026-03-01 12:00:30 UTC", "90s"):
            document = documents("token", shop[1].jti, "--as-of", moment)
            assert (document["state"], document["revoked"]) == ("active", None)
            assert document["explanation"].startswith("active until 2026-03-01 13:00:00 UTC; issued to shop")
            assert [event["type"] for event in document["events"]] == ["token.issued"]

    def test_is_not_issued_as_of_an_earlier_position(self, documents, shop):
        document = documents("token", shop[1].jti, "--as-of", "3")
        assert (document["state"], document["events"]) == ("not_issued", [])

    def test_state_is_as_of_the_end_of_the_log_by_default(self, documents, shop):
        document = documents("token", shop[0].jti)
        assert document["state"] == "active"
        assert document["as_of"] == {"position": 6, "instant": "2026-03-01T12:02:00Z"}

    def test_is_found_by_value_and_never_printed(self, audit, shop):
        for words in ((), ("--json",), ("--as-of", "5")):
            result = audit("token", "--token-stdin", *words, stdin=f"{shop[1].access_token}\n")
            assert result.exit_code == 0, result.output
            assert "laptop stolen" in result.stdout
            assert shop[1].jti in result.stdout
            assert shop[1].access_token not in result.output
            assert hash_token(shop[1].access_token).hex() not in result.output

    def test_exit_code_is_1_when_it_was_never_issued(self, audit):
        result = audit("token", "--token-stdin", stdin="y" * 128)
        assert (result.exit_code, "never issued" in result.stderr) == (1, True)
        assert "yyy" not in result.output
        result = audit("token", str(UUID(int=7)))
        assert result.exit_code == 1
        assert f"no token with jti {UUID(int=7)} was ever issued" in result.stderr or NEVER_ISSUED in result.stderr

    def test_exit_code_is_1_when_as_of_is_beyond_the_head(self, audit, shop):
        result = audit("token", shop[0].jti, "--as-of", "999")
        assert result.exit_code == 1
        assert "position 999 is beyond the head of the log, which is at 6" in result.stderr

    @pytest.mark.parametrize(
        ("words", "stdin", "says"),
        [
            ((), None, "give either a JTI, or --token-stdin"),
            ((str(UUID(int=7)), "--token-stdin"), "x", "give either a JTI, or --token-stdin"),
            (("z" * 128,), None, "JTI must be a UUID"),
            (("--token-stdin",), "", "standard input holds no token"),
            ((str(UUID(int=7)), "--as-of", "noon"), None, "--as-of: 'noon' is not an instant"),
        ],
    )
    def test_exit_code_is_2_when_an_argument_is_invalid(self, audit, words, stdin, says):
        result = audit("token", *words, stdin=stdin)
        assert result.exit_code == 2
        assert says in result.stderr
        assert "zzz" not in result.output


class TestTokens:
    def test_are_listed_newest_first_as_of_one_moment(self, audit, shop):
        result = audit("tokens")
        heading, *rows = result.stdout.splitlines()
        assert heading.split() == ["ISSUED", "AT", "JTI", "STATE", "ENDS", "CLIENT", "SUBJECT", "SCOPE", "POSITION"]
        assert [row.split()[3] for row in rows] == [token.jti for token in reversed(shop)]
        assert [row.split()[4] for row in rows] == ["active", "revoked", "active"]
        assert result.stderr == "as of 2026-03-01 12:02:00 UTC, position 6\n"

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (("--client-id", "desk"), [2]),
            (("--subject", "shop"), [1, 0]),
            (("--scope", "write"), [1]),
            (("--status", "revoked"), [1]),
            (("--status", "active"), [2, 0]),
            (("--status", "active", "--as-of", "4"), [1, 0]),
            (("--issued-after", "2026-03-01T12:01:00Z"), [2]),
            (("--issued-before", "2026-03-01T12:00:59Z"), [1, 0]),
            (("--client-id", "desk", "--status", "revoked"), []),
        ],
    )
    def test_match_every_filter(self, documents, shop, words, found):
        document = documents("tokens", *words)
        assert [token["jti"] for token in document["tokens"]] == [shop[number].jti for number in found]
        assert document["next"] is None

    @pytest.mark.parametrize(("words", "count", "more"), [(("--limit", "2"), 2, True), (("--limit", "3"), 3, False)])
    def test_are_limited_with_a_note_when_there_are_more(self, audit, words, count, more):
        result = audit("tokens", *words, "--json")
        document = json.loads(result.stdout)
        assert len(document["tokens"]) == count
        assert (document["next"] is not None, "there may be more: raise --limit" in result.stderr) == (more, more)

    def test_are_all_read_page_by_page(self, documents, shop, monkeypatch):
        monkeypatch.setattr("api.cli.audit.source.PAGE_SIZE", 1)
        assert [token["jti"] for token in documents("tokens", "--all")["tokens"]] == [t.jti for t in reversed(shop)]

    def test_are_printed_as_csv(self, told, shop):
        first, second, _ = reversed(list(csv.DictReader(io.StringIO(told("tokens", "--csv")))))
        assert (first["jti"], first["state"], first["issued_from"]) == (shop[0].jti, "active", "192.0.2.7")
        assert (second["reason"], second["revoked_by"]) == ("laptop stolen", "operator:ada")
        assert second["revoked_at"] == "2026-03-01T12:01:00Z"
        assert second["revoked_position"] == "5"

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--json", "--csv"), "--json and --csv exclude each other"),
            (("--all", "--limit", "3"), "--limit and --all exclude each other"),
            (("--status", "lost"), "lost"),
            (("--issued-after", "17"), "--issued-after: '17' is not an instant"),
        ],
    )
    def test_exit_code_is_2_when_a_flag_is_invalid(self, audit, words, says):
        result = audit("tokens", *words)
        assert (result.exit_code, says in result.stderr) == (2, True)


class TestEvents:
    @pytest.mark.parametrize(
        ("words", "positions"),
        [
            ((), [1, 2, 3, 4, 5, 6]),
            (("--type", "token.revoked", "--type", "client.registered"), [1, 2, 5]),
            (("--client-id", "desk"), [2, 6]),
            (("--subject", "shop"), [3, 4, 5]),
            (("--actor", "operator:ada"), [1, 2, 5]),
            (("--since", "2026-03-01T12:01:00Z"), [5, 6]),
            (("--until", "2026-03-01T12:00:30Z"), [1, 2, 3, 4]),
            (("--after", "4"), [5, 6]),
            (("--after", "1", "--limit", "3"), [2, 3, 4]),
        ],
    )
    def test_match_every_filter_and_json_has_one_per_line(self, told, words, positions):
        lines = told("events", *words, "--json").splitlines()
        assert [json.loads(line)["position"] for line in lines] == positions

    def test_note_says_where_to_continue_after_the_limit(self, audit):
        assert "continue with --after 2" in audit("events", "--limit", "2").stderr
        assert "continue" not in audit("events", "--limit", "7").stderr

    def test_are_printed_as_a_table(self, told):
        heading, first, *rest = told("events").splitlines()
        assert heading.split()[:4] == ["POSITION", "RECORDED", "AT", "EVENT"]
        assert first.split()[:6] == ["1", "2026-03-01", "12:00:00", "UTC", "client.registered", "operator:ada"]
        assert "reason laptop stolen" in "\n".join(rest)

    def test_are_printed_as_csv(self, told):
        rows = list(csv.DictReader(io.StringIO(told("events", "--csv"))))
        assert [row["position"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
        assert json.loads(rows[4]["data"])["reason"] == "laptop stolen"

    def test_contain_no_digest_and_no_hash(self, told, memory):
        memory.run(memory.issuer().registry.add_generated_secret("shop", ADA))
        for form in ((), ("--json",), ("--csv",)):
            shown = told("events", *form)
            assert "client.secret_added" in shown
            assert re.search(r"digest|hash|\b[0-9a-f]{64}\b", shown) is None

    @pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
    def test_are_followed_from_a_position_up_to_a_limit(self, told, form):
        lines = told("events", "--follow", "--after", "2", "--limit", "4", *form).splitlines()
        found = lines[1:] if form == ("--csv",) else lines
        assert len(found) == 4
        assert ["laptop stolen" in line for line in found] == [False, False, True, False]

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--type", "token.lost"), "'token.lost' is not an event type; the types are client.disabled, "),
            (("--follow", "--subject", "shop"), "--subject cannot be given with --follow"),
            (("--follow", "--until", "1h"), "--until cannot be given with --follow"),
            (("--after", "-1"), "--after"),
        ],
    )
    def test_exit_code_is_2_when_a_flag_is_invalid(self, audit, words, says):
        result = audit("events", *words)
        assert (result.exit_code, says in result.stderr) == (2, True)


class TestClient:
    @pytest.fixture(autouse=True)
    def _changed(self, memory, shop):
        async def change():
            registry = memory.issuer().registry
            await registry.update("shop", settings("read"), Cause(actor="operator:bob"))
            await registry.add_generated_secret("shop", ADA)

        memory.run(change())

    def test_history_shows_who_changed_what(self, told):
        lines = [line for line in told("client", "shop").splitlines() if line[0].isdecimal()]
        assert [line.split()[4:6] for line in lines] == [
            ["client.registered", "operator:ada"],
            ["client.updated", "operator:bob"],
            ["client.secret_added", "operator:ada"],
        ]
        assert lines[1].rstrip().endswith("scopes read write -> read")
        assert "hash" not in lines[2]

    def test_history_as_json_contains_the_changes(self, documents):
        document = documents("client", "shop")
        assert document["client_id"] == "shop"
        assert document["events"][1]["changes"] == [{"field": "scopes", "from": ["read", "write"], "to": ["read"]}]
        assert "hash" not in str(document)

    def test_exit_code_is_1_when_it_is_not_registered(self, audit):
        result = audit("client", "no/body?")
        assert result.exit_code == 1
        assert "no client 'no/body?' is registered" in result.stderr or NEVER_REGISTERED in result.stderr


class TestSummary:
    def test_counts_over_time_and_per_client(self, documents):
        document = documents("summary", "--since", "2026-03-01T12:00:00Z", "--bucket", "minute")
        buckets = [(bucket["issued"], bucket["revoked"], bucket["active"]) for bucket in document["buckets"]]
        assert buckets == [(2, 0, 2), (1, 1, 2)]
        assert document["clients"] == [
            {"client_id": "shop", "issued": 2, "revoked": 1, "active": 1},
            {"client_id": "desk", "issued": 1, "revoked": 0, "active": 1},
        ]

    def test_draws_sparklines_and_lists_clients(self, told):
        lines = told("summary", "--since", "2026-03-01T12:00:00Z", "--bucket", "minute").splitlines()
        assert lines[0] == "2026-03-01 12:00:00 UTC to 2026-03-01 12:02:00 UTC by minute, as of position 6"
        assert lines[2:5] == [
            "issued   |█▄|  3 in total, at most 2 per minute",
            "revoked  | █|  1 in total, at most 1 per minute",
            "active   |██|  2 at the end, at most 2",
        ]
        assert [line.split() for line in lines[6:]] == [
            ["CLIENT", "ISSUED", "REVOKED", "ACTIVE"],
            ["shop", "2", "1", "1"],
            ["desk", "1", "0", "1"],
        ]

    def test_counts_one_client(self, documents):
        assert [c["client_id"] for c in documents("summary", "--client-id", "desk")["clients"]] == ["desk"]

    def test_exit_code_is_1_when_since_is_after_until(self, audit):
        result = audit("summary", "--since", "2026-03-01T13:00:00Z", "--until", "2026-03-01T12:00:00Z")
        assert result.exit_code == 1
        assert "since: must be before until" in result.stderr


def test_tokens_are_listed_with_a_warning_when_an_event_cannot_be_applied(cli, shop, memory):
    row = memory.events()[3]
    memory.poison = EventNotApplied(row, ValueError("open-sesame"))
    result = cli("audit", "tokens")
    assert result.exit_code == 0
    assert "warning: the projections cannot apply the event at position 4 (token.issued)" in result.stderr
    assert "open-sesame" not in result.output


def test_warning_is_printed_once_per_command(cli, shop, memory, monkeypatch):
    monkeypatch.setattr("api.cli.audit.source.PAGE_SIZE", 1)
    memory.poison = EventNotApplied(memory.events()[5], ValueError())
    result = cli("audit", "events", "--client-id", "shop", "--json")
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.count("warning: ") == 1
