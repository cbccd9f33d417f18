"""The Grant aggregate: every decision, every fold."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from ledger.domain.errors import InvalidScope, UnauthorizedClient
from ledger.domain.events import ClientEnabled
from ledger.domain.grant import Grant, fold_grant, issue_by_client_credentials
from tests.builders import DIGEST, JTI, NOW, client, seconds, stream_of, token_issued, token_revoked

ENABLED = ClientEnabled(client_id="shop", enabled_at=NOW)


def issue(requested=None, now=NOW, **changes):
    return issue_by_client_credentials(client(**changes), requested, now=now, grant_id=JTI, digest=DIGEST)


def grant(*events):
    return fold_grant(stream_of(JTI, *(events or (token_issued(),))))


class TestIssueByClientCredentials:
    def test_event_holds_the_scope_and_lifetime(self):
        assert issue(("write", "read"), access_token_lifetime=14_400) == token_issued(
            scope=("write", "read"), expires_at=NOW + seconds(14_400)
        )

    @pytest.mark.parametrize(
        ("configured", "issued"), [((), ("orders",)), (("api", "https://x"), ("api", "https://x"))]
    )
    def test_audience_is_the_configured_one_or_else_the_client(self, configured, issued):
        event = issue(client_id="orders", audience=configured)

        assert (event.client_id, event.subject, event.audience) == ("orders", "orders", issued)

    @pytest.mark.parametrize(
        ("requested", "default", "granted"),
        [(None, ("read",), ("read",)), (None, (), ()), (("write",), ("read",), ("write",))],
        ids=["default when none is requested", "none when there is no default", "requested, not widened"],
    )
    def test_scope_is_the_requested_or_the_default_one(self, requested, default, granted):
        assert issue(requested, default_scopes=default).scope == granted

    @pytest.mark.parametrize("requested", [("admin",), ("read", "admin"), ("READ",)])
    def test_scope_is_refused_when_not_allowed(self, requested):
        with pytest.raises(InvalidScope, match=rf"'{requested[-1]}' is unknown or not allowed"):
            issue(requested)

    @pytest.mark.parametrize("requested", [None, ("admin",)])
    def test_client_is_refused_when_it_lacks_the_grant_type(self, requested):
        with pytest.raises(UnauthorizedClient, match="client_credentials"):
            issue(requested, grant_types=())

    @pytest.mark.parametrize("microseconds", [0, 1, 500_000, 999_999])
    def test_times_are_whole_seconds(self, microseconds):
        issued = issue(now=NOW + timedelta(microseconds=microseconds), access_token_lifetime=60)

        assert (issued.issued_at, issued.expires_at) == (NOW, NOW + seconds(60))


class TestIsActive:
    @pytest.mark.parametrize(
        ("after", "active"), [(0, True), (3599.999999, True), (3600, False), (3600.000001, False), (10**6, False)]
    )
    def test_grant_ends_at_the_instant_it_expires(self, after, active):
        assert grant().is_active(NOW + seconds(after)) is active

    def test_grant_is_inactive_when_revoked(self):
        assert not grant(token_issued(), token_revoked()).is_active(NOW)


class TestRevoke:
    @pytest.mark.parametrize("after", [60, 3599.999999])
    def test_event_holds_the_time_and_the_reason(self, after):
        at = NOW + seconds(after)

        assert grant().revoke(now=at, reason="lost") == token_revoked(revoked_at=at, reason="lost")

    @pytest.mark.parametrize(
        ("events", "after"),
        [([token_issued()], 3600), ([token_issued()], 3601), ([token_issued(), token_revoked()], 61)],
    )
    def test_nothing_is_revoked_when_expired_or_revoked_before(self, events, after):
        assert grant(*events).revoke(now=NOW + seconds(after), reason="late") is None


class TestFold:
    def test_empty_stream_is_no_grant(self):
        assert fold_grant([]) is None

    def test_grant_is_revoked_by_its_second_event(self):
        issued = Grant(id=JTI, version=1, digest=DIGEST, client_id="shop", expires_at=NOW + seconds(3600))
        at = NOW + seconds(5)

        assert grant(token_issued(subject="someone")) == issued
        assert grant(token_issued(), token_revoked(revoked_at=at)) == replace(issued, version=2, revoked_at=at)

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ([token_revoked()], "token.revoked cannot be event 1"),
            ([token_issued(), token_issued()], "token.issued cannot be event 2"),
            ([token_issued(), token_revoked(), token_issued()], "token.issued cannot be event 3"),
            ([token_issued(), token_revoked(), token_revoked()], "token.revoked cannot be event 3"),
            ([ENABLED], "client.enabled cannot be event 1"),
            ([token_issued(), ENABLED], "client.enabled cannot be event 2"),
        ],
    )
    def test_stream_is_refused_when_an_event_cannot_follow(self, events, message):
        with pytest.raises(ValueError, match=message):
            grant(*events)
