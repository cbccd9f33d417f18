"""503 when the ledger is unavailable, 500 for defects."""

import pytest
from memory_service import ENDPOINTS, Caller, assert_error, parameters_for, sender_for
from structlog.testing import capture_logs

from ledger.domain.errors import OutcomeUnknown, QueueFull, Unavailable

SECRET_DETAIL = "postgresql://ledger:hunter2@db.internal/ledger"
every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)
every_cause = pytest.mark.parametrize("cause", [Unavailable, QueueFull, OutcomeUnknown])


def failing(error: Exception):
    async def fail(*_args, **_kwargs):
        raise error

    return fail


async def assert_unavailable(response) -> None:
    description = await assert_error(response, 503, "temporarily_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "hunter2" not in description
    assert "db.internal" not in description


@every_endpoint
class TestUnavailable:
    async def test_responds_503_when_clients_cannot_be_read(self, caller, endpoint, monkeypatch):
        monkeypatch.setattr(caller.tenant.clients, "get", failing(Unavailable(SECRET_DETAIL)))
        await assert_unavailable(await caller.post(endpoint, **parameters_for(endpoint)))

    async def test_responds_503_when_too_many_authentications_wait(self, caller, endpoint, monkeypatch):
        monkeypatch.setattr(caller.tenant.issuer.authentication, "_max_waiting", 0)
        await assert_unavailable(await caller.post(endpoint, secret="wrong", **parameters_for(endpoint)))


class TestUnavailableLog:
    @every_cause
    async def test_issuance_responds_503_when_log_rejects_appends(self, caller, monkeypatch, cause):
        monkeypatch.setattr(caller.tenant.writer, "write", failing(cause(SECRET_DETAIL)))
        await assert_unavailable(await caller.post("token", grant_type="client_credentials"))

    @pytest.mark.parametrize("endpoint", ["introspect", "revoke"])
    async def test_responds_503_when_active_tokens_cannot_be_read(self, caller, endpoint, monkeypatch):
        monkeypatch.setattr(caller.tenant.active_tokens, "get", failing(Unavailable(SECRET_DETAIL)))
        await assert_unavailable(await caller.post(endpoint, sender_for(endpoint), **parameters_for(endpoint)))

    @every_cause
    async def test_revocation_succeeds_when_retried_after_503(self, caller, monkeypatch, cause):
        token = await caller.token()
        with monkeypatch.context() as away:
            away.setattr(caller.tenant.writer, "write", failing(cause(SECRET_DETAIL)))
            await assert_unavailable(await caller.post("revoke", token=token))
        assert await caller.is_active(token)
        assert (await caller.post("revoke", token=token)).status == 200
        assert not await caller.is_active(token)

    async def test_revocation_responds_503_when_stream_cannot_be_read(self, caller, monkeypatch):
        token = await caller.token()
        monkeypatch.setattr(caller.tenant.event_log, "read_stream", failing(Unavailable(SECRET_DETAIL)))
        await assert_unavailable(await caller.post("revoke", token=token))

    async def test_log_line_has_the_reason_when_unavailable(self, caller, monkeypatch):
        monkeypatch.setattr(caller.tenant.writer, "write", failing(QueueFull("4096 writes wait")))
        with capture_logs() as lines:
            await caller.post("token", grant_type="client_credentials")
        (line,) = lines
        assert line["log_level"] == "warning"
        assert line["status"] == 503
        assert line["error"] == "temporarily_unavailable"
        assert line["reason"] == "4096 writes wait"


@every_endpoint
class TestServerError:
    @pytest.mark.parametrize("error", [RuntimeError, KeyError, TypeError, TimeoutError, AssertionError, OSError])
    async def test_has_no_detail_and_a_traceable_request_id(self, caller, endpoint, error, monkeypatch):
        monkeypatch.setattr(caller.tenant.clients, "get", failing(error(SECRET_DETAIL)))
        with capture_logs() as lines:
            response = await caller.post(endpoint, **parameters_for(endpoint))
        description = await assert_error(response, 500, "server_error")
        assert "hunter2" not in description
        assert "Traceback" not in description
        trace, line = lines
        assert trace["log_level"] == "error"
        assert isinstance(trace["exc_info"], error)
        assert trace["request_id"] == line["request_id"] == response.headers["X-Request-Id"]
        assert line["status"] == 500


async def test_other_issuer_responds_200_when_one_is_unavailable(caller: Caller, other: Caller, monkeypatch):
    monkeypatch.setattr(caller.tenant.clients, "get", failing(Unavailable(SECRET_DETAIL)))
    assert (await caller.post("token", grant_type="client_credentials")).status == 503
    assert (await other.post("token", grant_type="client_credentials")).status == 200


async def test_headers_are_absent_when_an_earlier_response_had_them(caller: Caller, monkeypatch):
    issued = await caller.post("token", grant_type="client_credentials")
    assert "Token-Ledger-Position" in issued.headers
    with monkeypatch.context() as away:
        away.setattr(caller.tenant.clients, "get", failing(Unavailable("away")))
        assert "Retry-After" in (await caller.post("token", grant_type="client_credentials")).headers
    assert "WWW-Authenticate" in (await caller.post("token", secret="wrong")).headers
    refused = await caller.post("token", grant_type="unknown")
    assert not {"Token-Ledger-Position", "Retry-After", "WWW-Authenticate", "Allow"} & set(refused.headers)
