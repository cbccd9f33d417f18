"""The Grant aggregate: every decision, every fold."""

from datetime import timedelta

import pytest

from ledger.domain.errors import InvalidScope, UnauthorizedClient
from ledger.domain.events import ClientEnabled
from ledger.domain.grant import fold_grant, issue_by_client_credentials
from tests.builders import DIGEST, JTI, NOW, client, seconds, stream_of, token_issued, token_revoked


def issue(requested=None, now=NOW, **changes):
    return issue_by_client_credentials(client(**changes), requested, now=now, grant_id=JTI, digest=DIGEST)


def grant(*events):
    return fold_grant(stream_of(JTI, *(events or (token_issued(),))))


class TestIssuingByClientCredentials:
    def test_what_is_issued(self):
        assert issue(("write", "read"), access_token_lifetime=14_400) == token_issued(
            scope=("write", "read"), expires_at=NOW + seconds(14_400)
        )

    def test_the_subject_is_the_client_and_so_is_the_audience_when_none_is_configured(self):
        issued = issue(client_id="orders")

        assert (issued.client_id, issued.subject, issued.audience) == ("orders", "orders", ("orders",))

    def test_a_configured_audience_is_taken(self):
        assert issue(audience=("api", "https://api.example")).audience == ("api", "https://api.example")

    def test_no_scope_asked_gives_the_default_scopes(self):
        assert issue(None, default_scopes=("read",)).scope == ("read",)

    def test_no_scope_asked_and_no_default_gives_no_scope(self):
        assert issue(None).scope == ()

    def test_a_scope_asked_is_not_widened_by_the_defaults(self):
        assert issue(("write",), default_scopes=("read",)).scope == ("write",)

    @pytest.mark.parametrize("requested", [("admin",), ("read", "admin"), ("READ",)])
    def test_a_scope_the_client_may_not_have_is_refused(self, requested):
        with pytest.raises(InvalidScope, match=rf"'{requested[-1]}' is unknown or not allowed"):
            issue(requested)

    def test_a_client_without_the_grant_type_is_refused(self):
        with pytest.raises(UnauthorizedClient, match="client_credentials"):
            issue(grant_types=())

    def test_the_grant_type_is_refused_before_the_scope_is_looked_at(self):
        with pytest.raises(UnauthorizedClient):
            issue(("admin",), grant_types=())

    @pytest.mark.parametrize("microseconds", [0, 1, 500_000, 999_999])
    def test_times_are_whole_seconds(self, microseconds):
        issued = issue(now=NOW + timedelta(microseconds=microseconds), access_token_lifetime=60)

        assert (issued.issued_at, issued.expires_at) == (NOW, NOW + seconds(60))


class TestActive:
    @pytest.mark.parametrize(
        ("after", "active"), [(0, True), (3599.999999, True), (3600, False), (3600.000001, False), (10**6, False)]
    )
    def test_a_token_ends_at_the_instant_it_expires(self, after, active):
        assert grant().is_active(NOW + seconds(after)) is active

    def test_a_revoked_token_is_not_active_though_it_has_not_expired(self):
        assert not grant(token_issued(), token_revoked()).is_active(NOW)


class TestRevoking:
    def test_what_is_recorded(self):
        at = NOW + seconds(60)

        assert grant().revoke(now=at, reason="lost") == token_revoked(revoked_at=at, reason="lost")

    def test_a_revoked_grant_has_nothing_to_revoke(self):
        assert grant(token_issued(), token_revoked()).revoke(now=NOW + seconds(61), reason="again") is None

    @pytest.mark.parametrize("after", [3600, 3601])
    def test_an_expired_grant_has_nothing_to_revoke(self, after):
        assert grant().revoke(now=NOW + seconds(after), reason="late") is None

    def test_until_the_instant_it_expires_a_grant_can_be_revoked(self):
        assert grant().revoke(now=NOW + seconds(3599.999999), reason="just in time") is not None


class TestFolding:
    def test_an_empty_stream_is_no_grant(self):
        assert fold_grant([]) is None

    def test_an_issued_grant(self):
        folded = grant(token_issued(scope=("read", "write"), audience=("api",), subject="someone"))

        assert (folded.id, folded.version, folded.digest) == (JTI, 1, DIGEST)
        assert (folded.client_id, folded.subject) == ("shop", "someone")
        assert (folded.scope, folded.audience) == (("read", "write"), ("api",))
        assert (folded.issued_at, folded.expires_at) == (NOW, NOW + seconds(3600))
        assert (folded.revoked_at, folded.revocation_reason) == (None, None)

    def test_a_revoked_grant_keeps_what_was_issued_and_says_when_and_why_it_ended(self):
        folded = grant(token_issued(), token_revoked(revoked_at=NOW + seconds(5), reason="stolen"))

        assert folded.version == 2
        assert (folded.revoked_at, folded.revocation_reason) == (NOW + seconds(5), "stolen")
        assert folded.scope == ("read",)

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ([token_revoked()], "token.revoked cannot be event 1"),
            ([token_issued(), token_issued()], "token.issued cannot be event 2"),
            ([token_issued(), token_revoked(), token_issued()], "token.issued cannot be event 3"),
            ([token_issued(), token_revoked(), token_revoked()], "token.revoked cannot be event 3"),
            ([ClientEnabled(client_id="shop", enabled_at=NOW)], "client.enabled cannot be event 1"),
            ([token_issued(), ClientEnabled(client_id="shop", enabled_at=NOW)], "client.enabled cannot be event 2"),
        ],
        ids=[
            "revoked first",
            "issued twice",
            "issued after its end",
            "revoked twice",
            "of a client",
            "then a client's",
        ],
    )
    def test_a_sequence_that_cannot_be_is_refused(self, events, message):
        with pytest.raises(ValueError, match=message):
            grant(*events)
