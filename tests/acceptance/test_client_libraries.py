"""Third-party client libraries, used as their documentation says, against a running service."""

import pytest
from authlib.integrations.requests_client import OAuth2Session
from requests_oauth2client import ClientSecretBasic, ClientSecretPost, InvalidClient, InvalidScope, OAuth2Client

USER = ("user-client-opaque", "user-client-secret")
RESOURCE_SERVER = ("service-client-jwt", "service-client-jwt-secret")
SCOPES = "country.read customer.read customer.write"


def discover(demo, method, credentials) -> OAuth2Client:
    return OAuth2Client.from_discovery_endpoint(
        f"{demo.issuer}/.well-known/oauth-authorization-server",
        issuer=demo.issuer,
        auth=method(*credentials),
        testing=True,  # allows plain http, and changes nothing else
    )


@pytest.mark.parametrize("method", [ClientSecretBasic, ClientSecretPost])
def test_requests_oauth2client_issues_introspects_and_revokes(demo, method):
    user, resource_server = discover(demo, method, USER), discover(demo, method, RESOURCE_SERVER)
    token = user.client_credentials(scope=SCOPES.split())
    assert (token.token_type, token.scope, len(token.access_token)) == ("Bearer", SCOPES, 128)
    assert not token.is_expired()
    found = resource_server.introspect_token(token)
    assert found["active"] is True
    assert found["client_id"] == USER[0]
    user.revoke_access_token(token)
    assert resource_server.introspect_token(token)["active"] is False
    user.revoke_access_token(token)
    with pytest.raises(InvalidClient):
        discover(demo, method, (USER[0], "wrong")).client_credentials()
    with pytest.raises(InvalidScope):
        user.client_credentials(scope="customer.delete")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_issues_introspects_and_revokes(demo, method):
    def open_session(credentials) -> OAuth2Session:
        methods = {"token_endpoint_auth_method": method, "revocation_endpoint_auth_method": method}
        return OAuth2Session(*credentials, scope=SCOPES, **methods)

    endpoints = f"{demo.issuer}/oauth2"
    with open_session(USER) as user, open_session(RESOURCE_SERVER) as resource_server:
        token = user.fetch_token(f"{endpoints}/token", grant_type="client_credentials")
        assert token["scope"] == SCOPES
        found = resource_server.introspect_token(f"{endpoints}/introspect", token=token["access_token"])
        assert found.json()["sub"] == USER[0]
        revoked = user.revoke_token(f"{endpoints}/revoke", token=token["access_token"])
        assert revoked.status_code == 200
        found = resource_server.introspect_token(f"{endpoints}/introspect", token=token["access_token"])
        assert found.json() == {"active": False}
