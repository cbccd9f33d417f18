"""Client authentication at every endpoint: RFC 6749 §2.3, RFC 7617."""

from base64 import b64encode
from urllib.parse import urlencode

import pytest
from memory_service import (
    ENDPOINTS,
    FORM,
    MAIN,
    METHODS,
    OPERATOR,
    assert_error,
    basic,
    parameters_for,
    sender_for,
    serve,
)

from ledger.use_cases import client_authentication

CHALLENGE = f'Basic realm="{MAIN}"'

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS)
by_every_method = pytest.mark.parametrize("by", METHODS)


def encoded(user_pass: bytes) -> str:
    return b64encode(user_pass).decode()


AMBIGUOUS_OR_MALFORMED = [
    *(
        (header, {})
        for header in (
            "Basic",
            "Basic ",
            "Basic ===",
            "Basic a b",
            "Basic YXBwOnNlY3JldA",  # padding is missing
            "Basic YXBwOnNlY3JldA==x",
            "Basic YXBwOnNlY3Jl_-==",
            "Basic é",
            *(
                f"Basic {encoded(user_pass)}"
                for user_pass in (
                    *(b"no-colon", b":secret-without-id", b"app:%zz", b"app:100%", b"a\x00pp:secret"),
                    *(b"app:se%00cret", b"app:\xff\xfe", b"%ff:secret"),
                )
            ),
        )
    ),
    ("correct", {"client_id": "{sender}", "client_secret": "{correct}"}),
    ("correct", {"client_id": "{sender}", "client_secret": "s"}),
    ("correct", {"client_id": "app2"}),
    ("Basic", {"client_secret": "s"}),
    ("Bearer x", {"client_secret": "s"}),
    ("", {"client_id": "{sender}", "client_secret": "{correct}", "client_assertion": "x"}),
]
"""An Authorization header, and credentials in the form."""


@every_endpoint
class TestAuthenticationAtEveryEndpoint:
    @by_every_method
    async def test_responses_are_equal_when_client_or_secret_is_wrong(self, caller, endpoint, by):
        wrong = "wrong" * 8
        cases = [("no-such-client", wrong), (sender_for(endpoint), wrong), ("disabled", wrong), ("disabled", None)]
        responses = []
        for client_id, secret in cases:
            response = await caller.post(endpoint, client_id, by=by, secret=secret, **parameters_for(endpoint))
            await assert_error(response, 401, "invalid_client")
            headers = {k: v for k, v in response.headers.items() if k.lower() not in {"x-request-id", "date"}}
            responses.append((await response.read(), headers))
        assert responses == [responses[0]] * len(cases)

    @by_every_method
    async def test_challenge_names_basic_and_the_issuer_when_secret_is_wrong(self, caller, endpoint, by):
        response = await caller.post(endpoint, "app", by=by, secret="wrong", **parameters_for(endpoint))
        assert response.headers.getall("WWW-Authenticate") == [CHALLENGE]

    async def test_responds_401_when_body_is_empty_without_content_type(self, caller, endpoint):
        await assert_error(await caller.send(endpoint, b"", Content_Type=""), 401, "invalid_client")

    @pytest.mark.parametrize(
        ("header", "credentials"),
        [
            *((header, {}) for header in ("Bearer abc", "Digest a=b", "Negotiate", "DPoP x", "Basically YTpi")),
            ("", {}),
            ("", {"client_id": "app"}),
            ("", {"client_id": "app", "client_secret": ""}),
            ("", {"client_secret": "s"}),
            ("", {"client_id": "app", "client_assertion": "x"}),
        ],
    )
    async def test_responds_401_when_no_supported_method_is_used(self, caller, endpoint, header, credentials):
        body = urlencode(credentials | parameters_for(endpoint))
        response = await caller.send(endpoint, body, Authorization=header)
        await assert_error(response, 401, "invalid_client")
        assert response.headers["WWW-Authenticate"] == CHALLENGE

    @pytest.mark.parametrize(("header", "credentials"), AMBIGUOUS_OR_MALFORMED)
    async def test_responds_400_when_methods_are_mixed_or_malformed(self, caller, endpoint, header, credentials):
        sender = sender_for(endpoint)
        correct = caller.tenant.secrets[sender]
        given = {name: value.format(sender=sender, correct=correct) for name, value in credentials.items()}
        header = basic(sender, correct) if header == "correct" else header
        body = urlencode(given | parameters_for(endpoint))
        await assert_error(await caller.send(endpoint, body, Authorization=header), 400, "invalid_request")

    @pytest.mark.parametrize("scheme", ["basic", "BASIC", "BaSiC"])
    async def test_succeeds_when_scheme_case_differs(self, caller, endpoint, scheme):
        assert (await self._send_with_header(caller, endpoint, scheme=scheme)).status == 200

    async def test_succeeds_when_body_repeats_the_client_id_of_the_header(self, caller, endpoint):
        body = {"client_id": sender_for(endpoint), "client_secret": ""}
        assert (await self._send_with_header(caller, endpoint, body)).status == 200

    async def test_responds_400_when_header_is_repeated(self, caller, endpoint):
        header = ("Authorization", basic("app", caller.tenant.secrets["app"]))
        response = await caller.http.post(
            f"{caller.path}/oauth2/{endpoint}",
            data=urlencode(parameters_for(endpoint)),
            headers=[("Content-Type", FORM), header, header],
        )
        await assert_error(response, 400, "invalid_request")

    async def _send_with_header(self, caller, endpoint, body=None, *, scheme="Basic"):
        """Authenticate correctly by header, with more credentials in the body."""
        sender = sender_for(endpoint)
        header = basic(sender, caller.tenant.secrets[sender]).replace("Basic", scheme, 1)
        return await caller.send(endpoint, urlencode((body or {}) | parameters_for(endpoint)), Authorization=header)

    @by_every_method
    async def test_responds_401_when_secret_is_wrong_and_parameters_missing(self, caller, endpoint, by):
        await assert_error(await caller.post(endpoint, by=by, secret="wrong"), 401, "invalid_client")

    @by_every_method
    async def test_responds_401_when_client_is_of_another_issuer(self, caller, other, endpoint, by):
        sender = sender_for(endpoint)
        secret = caller.tenant.secrets[sender]
        response = await other.post(endpoint, sender, by=by, secret=secret, **parameters_for(endpoint))
        await assert_error(response, 401, "invalid_client")


class TestBasicCredentials:
    async def test_are_form_decoded(self, caller):
        odd = "odd+id%:&="
        response = await caller.post("token", odd, grant_type="client_credentials")
        assert response.status == 200
        raw = "Basic " + encoded(f"{odd}:{caller.tenant.secrets[odd]}".encode())
        await assert_error(
            await caller.send("token", "grant_type=client_credentials", Authorization=raw), 400, "invalid_request"
        )

    async def test_may_contain_colons_in_the_secret(self, caller):
        await caller.tenant.issuer.registry.retire_secret(
            "app", caller.tenant.clients._clients["app"].secrets[0].secret_id, OPERATOR
        )
        await caller.tenant.issuer.registry.add_chosen_secret("app", "pa:ss: wörd+%", OPERATOR)
        raw = "Basic " + encoded(b"app:pa:ss:+w%C3%B6rd%2B%25")
        body = "grant_type=client_credentials"
        assert (await caller.send("token", body, Authorization=raw)).status == 200
        assert (await caller.post("token", secret="pa:ss: wörd+%", grant_type="client_credentials")).status == 200
        assert (
            await caller.post("token", by="client_secret_post", secret="pa:ss: wörd+%", grant_type="client_credentials")
        ).status == 200


class TestTiming:
    """Counts argon2id computations instead of measuring time: they dominate it."""

    @pytest.fixture
    def computations(self, monkeypatch):
        counted = []
        compute = client_authentication.verify_chosen_secret

        def counting(secret, stored_hash):
            counted.append(stored_hash)
            return compute(secret, stored_hash)

        monkeypatch.setattr(client_authentication, "verify_chosen_secret", counting)
        return counted

    @every_endpoint
    @by_every_method
    async def test_refusals_compute_argon2_equally_often(self, caller, computations, endpoint, by):
        registry = caller.tenant.issuer.registry
        for client_id in ("app2", "disabled"):
            await registry.add_chosen_secret(client_id, f"chosen of {client_id}", OPERATOR)
        cases = {
            "unknown client": ("no-such-client", "wrong"),
            "wrong generated secret": ("app", "wrong"),
            "wrong chosen secret": ("app2", "wrong"),
            "disabled client, wrong secret": ("disabled", "wrong"),
            "disabled client, its generated secret": ("disabled", caller.tenant.secrets["disabled"]),
            "disabled client, its chosen secret": ("disabled", "chosen of disabled"),
            "a secret of 60,000 characters": ("app2", "x" * 60_000),
        }
        if by == "client_secret_basic":
            del cases["a secret of 60,000 characters"]  # longer than a header may be
        work = {}
        for case, (client_id, secret) in cases.items():
            computations.clear()
            response = await caller.post(endpoint, client_id, by=by, secret=secret, **parameters_for(endpoint))
            assert response.status == 401
            work[case] = len(computations)
        assert set(work.values()) == {2}, work


async def test_challenge_names_the_issuer_when_it_is_at_the_root(aiohttp_client):
    caller = await serve(aiohttp_client, "https://id.example")
    response = await caller.post("token", secret="wrong")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="https://id.example"'
    assert (await caller.post("token", grant_type="client_credentials")).status == 200
