"""Client libraries that others wrote, used as their documentation says, against the real service."""

import pytest
from authlib.integrations.requests_client import OAuth2Session
from requests_oauth2client import ClientSecretBasic, ClientSecretPost, InvalidClient, InvalidScope, OAuth2Client

USER = ("user-client-opaque", "user-client-secret")
RESOURCE_SERVER = ("service-client-jwt", "service-client-jwt-secret")
SCOPES = "country.read customer.read customer.write"


@pytest.mark.parametrize("method", [ClientSecretBasic, ClientSecretPost])
class TestRequestsOAuth2Client:
    def discover(self, demo, method, credentials) -> OAuth2Client:
        return OAuth2Client.from_discovery_endpoint(
            f"{demo.issuer}/.well-known/oauth-authorization-server",
            issuer=demo.issuer,
            auth=method(*credentials),
            testing=True,  # the one thing it changes: plain http is allowed
        )

    def test_gets_introspects_and_revokes_a_token(self, demo, method):
        user = self.discover(demo, method, USER)
        resource_server = self.discover(demo, method, RESOURCE_SERVER)
        token = user.client_credentials(scope=SCOPES.split())
        assert (token.token_type, token.scope, len(token.access_token)) == ("Bearer", SCOPES, 128)
        assert not token.is_expired()
        found = resource_server.introspect_token(token)
        assert found["active"] is True
        assert found["client_id"] == USER[0]
        user.revoke_access_token(token)
        assert resource_server.introspect_token(token)["active"] is False
        user.revoke_access_token(token)

    def test_is_told_what_is_wrong(self, demo, method):
        with pytest.raises(InvalidClient):
            self.discover(demo, method, (USER[0], "wrong")).client_credentials()
        with pytest.raises(InvalidScope):
            self.discover(demo, method, USER).client_credentials(scope="customer.delete")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
class TestAuthlib:
    def session(self, method, credentials) -> OAuth2Session:
        return OAuth2Session(
            *credentials,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            scope=SCOPES,
        )

    def test_gets_introspects_and_revokes_a_token(self, demo, method):
        endpoints = f"{demo.issuer}/oauth2"
        with self.session(method, USER) as user, self.session(method, RESOURCE_SERVER) as resource_server:
            token = user.fetch_token(f"{endpoints}/token", grant_type="client_credentials")
            assert token["scope"] == SCOPES
            found = resource_server.introspect_token(f"{endpoints}/introspect", token=token["access_token"])
            assert found.json()["sub"] == USER[0]
            revoked = user.revoke_token(f"{endpoints}/revoke", token=token["access_token"])
            assert revoked.status_code == 200
            found = resource_server.introspect_token(f"{endpoints}/introspect", token=token["access_token"])
            assert found.json() == {"active": False}
