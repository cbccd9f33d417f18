from uuid import UUID

import pytest

from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause
from ledger.domain.secrets import hash_token

CAUSE = Cause(actor="client:shop", request_id="req-1", remote_address="192.0.2.7")


@pytest.fixture
def issued(memory):
    async def issue():
        issuer = memory.issuer()
        settings = ClientSettings(name="Shop", grant_types=("client_credentials",), scopes=("read",))
        client = await issuer.registry.register("shop", settings, Cause(actor="operator:ada"))
        return await issuer.issuance.issue_token(client, ("read",), CAUSE)

    return memory.run(issue())


def test_history_of_an_active_token_names_client_and_address(cli, issued):
    document = cli.json("tokens", "history", issued.jti)
    (event,) = document["events"]
    assert (event["type"], event["actor"], event["request_id"]) == ("token.issued", "client:shop", "req-1")
    assert event["remote_address"] == "192.0.2.7"
    assert event["position"] == issued.position
    assert document["state"] == "active"
    assert document["explanation"] == (
        "active until 2026-03-01 13:00:00 UTC; issued to shop at 2026-03-01 12:00:00 UTC by client:shop from 192.0.2.7"
    )


def test_history_of_a_revoked_token_says_by_whom_and_why(cli, issued, memory):
    memory.clock.advance(seconds=60)
    cli.ok("tokens", "revoke", issued.jti, "--reason", "laptop stolen")
    document = cli.json("tokens", "history", issued.jti)
    assert [e["type"] for e in document["events"]] == ["token.issued", "token.revoked"]
    assert document["explanation"].startswith("revoked since 2026-03-01 12:01:00 UTC by operator:ada: laptop stolen;")
    text = cli.ok("tokens", "history", issued.jti)
    assert "laptop stolen" in text
    assert "192.0.2.7" in text


def test_history_contains_neither_token_nor_digest(cli, issued):
    shown = cli.ok("tokens", "history", issued.jti) + cli.ok("tokens", "history", issued.jti, "--json")
    assert issued.access_token not in shown
    assert hash_token(issued.access_token).hex() not in shown
    assert "digest" not in shown


def test_revoke_is_idempotent(cli, issued, memory):
    assert cli.json("tokens", "revoke", issued.jti)["revoked_now"]
    before = len(memory.events())
    assert cli.ok("tokens", "revoke", issued.jti).startswith("nothing to revoke: revoked since")
    assert not cli.json("tokens", "revoke", issued.jti)["revoked_now"]
    assert len(memory.events()) == before


def test_revoke_does_nothing_when_the_token_is_expired(cli, issued, memory):
    memory.clock.advance(seconds=3600)
    assert cli.json("tokens", "history", issued.jti)["state"] == "expired"
    said = cli.ok("tokens", "revoke", issued.jti)
    assert said.startswith("nothing to revoke: expired since 2026-03-01 13:00:00 UTC; issued to shop")


@pytest.mark.parametrize("command", ["history", "revoke"])
def test_command_is_refused_when_the_jti_was_never_issued(cli, command):
    result = cli("tokens", command, str(UUID(int=7)))
    assert result.exit_code == 1
    assert f"o token with jti {UUID(int=7)} was ever issued" in result.stderr


@pytest.mark.parametrize("command", ["history", "revoke"])
def test_invalid_jti_is_not_printed(cli, command):
    result = cli("tokens", command, "x" * 128)
    assert result.exit_code == 2
    assert "JTI must be a UUID" in result.stderr
    assert "xxx" not in result.output


def test_history_is_refused_when_the_id_is_a_client(cli, issued, memory):
    client = memory.client("shop")
    assert cli("tokens", "history", str(client.id)).exit_code == 1
