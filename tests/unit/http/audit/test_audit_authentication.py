"""Authentication of auditors (RFC 6750)."""

import pytest
from auditor import Auditor, assert_problem
from memory_service import OPERATOR

REALM = 'Bearer realm="http://localhost:8085/ms-auth-server"'
PLACES = [
    "/tokens",
    "/tokens/01959f2a-7c1e-7b44-9d3c-3a1f0c9d5e21",
    "/tokens/01959f2a-7c1e-7b44-9d3c-3a1f0c9d5e21/events",
    "/events",
    "/events/stream",
    "/clients/app/events",
    "/summary",
]


async def get(auditor, place, *authorization):
    headers = [("Authorization", value) for value in authorization]
    return await auditor.http.get(auditor.base + place, headers=headers)


@pytest.mark.parametrize("place", PLACES)
class TestEveryAuditEndpoint:
    async def test_responds_401_with_a_bare_challenge_when_token_is_missing(self, auditor, place):
        response = await get(auditor, place)
        await assert_problem(response, 401, "not_authenticated")
        assert response.headers["WWW-Authenticate"] == REALM

    async def test_responds_401_when_token_is_unknown(self, auditor, place):
        response = await get(auditor, place, f"Bearer {'t' * 128}")
        await assert_problem(response, 401, "invalid_token")
        assert response.headers["WWW-Authenticate"].startswith(f'{REALM}, error="invalid_token", error_description="')

    async def test_responds_401_when_token_was_just_revoked(self, auditor, place):
        assert (await auditor.request(place, method="HEAD")).status in {200, 404}
        await auditor.sign_out()
        await assert_problem(await auditor.request(place), 401, "invalid_token")

    async def test_responds_401_when_token_reaches_its_exp(self, auditor, service, place):
        exp = (await auditor.caller.introspect(auditor.token))["exp"]
        service.clock.advance(exp - service.clock.now.timestamp() - 0.001)
        assert (await auditor.request(place, method="HEAD")).status in {200, 404}
        service.clock.advance(0.001)
        await assert_problem(await auditor.request(place), 401, "invalid_token")

    async def test_responds_403_when_token_lacks_the_scope(self, auditor, place):
        for client_id in ("app", "auditor"):
            auditor.token = await auditor.caller.token(client_id, "read")
            response = await auditor.request(place)
            await assert_problem(response, 403, "insufficient_scope")
            challenge = response.headers["WWW-Authenticate"]
            assert challenge.startswith(f'{REALM}, error="insufficient_scope", ')
            assert challenge.endswith(', scope="audit.read"')

    async def test_responds_401_when_token_is_of_another_issuer(self, auditor, other, place):
        auditor.token = await other.token("auditor", "audit.read")
        await assert_problem(await auditor.request(place), 401, "invalid_token")

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "bearer é", "Bearer =", "Bearer a,b"])
    async def test_responds_400_when_header_is_malformed(self, auditor, place, header):
        await assert_problem(await get(auditor, place, header), 400, "invalid_request")

    async def test_responds_400_when_header_is_repeated(self, auditor, place):
        right = auditor.authorization["Authorization"]
        await assert_problem(await get(auditor, place, right, right), 400, "invalid_request")

    async def test_responds_401_when_scheme_is_not_bearer(self, auditor, place):
        await assert_problem(await get(auditor, place, "Basic YTpi"), 401, "not_authenticated")

    @pytest.mark.parametrize("name", ["access_token", "token"])
    async def test_responds_400_when_token_is_in_the_url(self, auditor, place, name):
        for given in ({}, {"Authorization": ""}):
            response = await auditor.request(place, headers=given, **{name: auditor.token})
            detail = await assert_problem(response, 400, "invalid_request", name)
            assert auditor.token not in detail

    async def test_responds_405_when_method_is_not_get_or_head(self, auditor, place):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            response = await auditor.request(place, method=method)
            await assert_problem(response, 405, "invalid_request")
            assert response.headers["Allow"] == "GET, HEAD"

    async def test_head_has_no_body_when_get_succeeds(self, auditor, place):
        response = await auditor.request(place, method="HEAD")
        assert await response.read() == b""
        if "stream" not in place:
            got = await auditor.request(place)
            assert (response.status, response.headers["Content-Length"]) == (got.status, got.headers["Content-Length"])


async def test_bearer_scheme_is_accepted_when_case_differs(auditor):
    for scheme in ("bearer", "BEARER"):
        assert (await get(auditor, "/tokens", f"{scheme} {auditor.token}")).status == 200


async def test_lookup_requires_the_same_tokens_as_other_endpoints(auditor):
    token = await auditor.caller.token()
    await auditor.sign_out()
    await assert_problem(await auditor.look_up(token), 401, "invalid_token")


async def test_auditor_is_unknown_when_issuer_differs(other):
    assert (await (await Auditor(other).sign_in()).get("/tokens"))["tokens"]


async def test_token_stays_valid_when_its_client_is_disabled(auditor):

    await auditor.tenant.issuer.registry.disable("auditor", "left", OPERATOR)
    assert (await auditor.request("/tokens")).status == 200
