"""Metadata (RFC 8414), health, unknown paths, and two issuers."""

import pytest
from memory_service import FORM, MAIN, Caller, LedgerTestServer, MemoryService, assert_error, serve

from api.http.app import create_app

WELL_KNOWN = [
    "/.well-known/oauth-authorization-server/ms-auth-server",
    "/ms-auth-server/.well-known/oauth-authorization-server",
]


class TestMetadata:
    @pytest.mark.parametrize("path", WELL_KNOWN)
    async def test_is_served_at_both_well_known_paths(self, http, path):
        response = await http.get(path)
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "max-age" in response.headers["Cache-Control"]
        methods = ["client_secret_basic", "client_secret_post"]
        assert await response.json() == {
            "issuer": MAIN,
            "token_endpoint": f"{MAIN}/oauth2/token",
            "token_endpoint_auth_methods_supported": methods,
            "introspection_endpoint": f"{MAIN}/oauth2/introspect",
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": f"{MAIN}/oauth2/revoke",
            "revocation_endpoint_auth_methods_supported": methods,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
        }

    @pytest.mark.parametrize("path", WELL_KNOWN)
    async def test_has_no_body_when_method_is_head(self, http, path):
        response = await http.head(path)
        assert response.status == 200
        assert response.headers["Content-Length"] == (await http.get(path)).headers["Content-Length"]
        assert await response.read() == b""

    @pytest.mark.parametrize("path", WELL_KNOWN)
    async def test_responds_405_when_method_is_post(self, http, path):
        response = await http.post(path)
        await assert_error(response, 405, "invalid_request")
        assert response.headers["Allow"] == "GET, HEAD"

    async def test_names_existing_endpoints(self, http):
        metadata = await (await http.get(WELL_KNOWN[0])).json()
        for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
            path = metadata[name].removeprefix("http://localhost:8085")
            assert (await http.post(path, headers={"Content-Type": FORM})).status == 401

    async def test_has_one_path_when_issuer_is_at_the_root(self, aiohttp_client):
        http = (await serve(aiohttp_client, "https://id.example")).http
        response = await http.get("/.well-known/oauth-authorization-server")
        assert (await response.json())["token_endpoint"] == "https://id.example/oauth2/token"

    async def test_differs_when_issuer_differs(self, http):
        response = await http.get("/.well-known/oauth-authorization-server/other")
        assert (await response.json())["issuer"] == "http://localhost:8085/other"


class TestHealth:
    async def test_process_is_live_when_database_is_unreachable(self, http, service):
        service.reported = ["The database cannot be reached."]
        response = await http.get("/livez")
        assert response.status == 200
        assert await response.json() == {"status": "live"}

    async def test_service_is_ready_when_it_has_no_problems(self, http):
        response = await http.get("/readyz")
        assert response.status == 200
        assert await response.json() == {"status": "ready", "projections": [], "verification": []}
        assert response.headers["Cache-Control"] == "no-store"

    async def test_service_is_not_ready_when_it_has_problems(self, http, service):
        service.reported = ["The schema is at revision 0001.", "postgresql://u:hunter2@db/x does not answer."]
        response = await http.get("/readyz")
        assert response.status == 503
        assert await response.json() == {
            "status": "not ready",
            "problems": ["The schema is at revision 0001.", "postgresql://u:[redacted]@db/x does not answer."],
        }

    @pytest.mark.parametrize("path", ["/livez", "/readyz"])
    async def test_responds_200_when_method_is_head(self, http, path):
        assert (await http.head(path)).status == 200


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/oauth2/token",
            "/ms-auth-server",
            "/ms-auth-server/oauth2/token/",
            "/ms-auth-server/oauth2/TOKEN",
            "/third/oauth2/token",
            "/ms-auth-server//oauth2/token",
            "/%2e%2e/ms-auth-server/oauth2/token/x",
            "/" + "x" * 4000,
            "/%ff",
        ],
    )
    async def test_respond_404_when_unknown(self, http, path):
        for method in ("POST", "GET"):
            await assert_error(await http.request(method, path), 404, "not_found")

    async def test_are_not_repeated_when_unknown(self, http):
        response = await http.get("/secret-in-path?token=secret-in-query")
        assert "secret" not in await response.text()

    def test_raise_value_error_when_two_issuers_share_one(self):
        with pytest.raises(ValueError, match="a path of its own"):
            create_app(MemoryService("http://a.example/x", "http://b.example/x"))


class TestTwoIssuers:
    async def test_token_is_unknown_when_issuer_differs(self, caller: Caller, other: Caller):
        token = await caller.token()
        assert not await other.is_active(token)
        assert (await other.post("revoke", token=token)).status == 200
        assert await caller.is_active(token)

    async def test_have_separate_logs(self, caller: Caller, other: Caller):
        before = (await other.tenant.event_log.head()).position
        await caller.token()
        assert (await other.tenant.event_log.head()).position == before

    async def test_are_named_in_iss(self, caller: Caller, other: Caller):
        assert (await caller.introspect(await caller.token()))["iss"] == MAIN
        assert (await other.introspect(await other.token()))["iss"] == "http://localhost:8085/other"


async def test_service_is_closed_once_when_application_stops(service):
    server = LedgerTestServer(create_app(service))
    await server.start_server()
    assert service.closed == 0
    await server.close()
    assert service.closed == 1
