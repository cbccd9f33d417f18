"""What is refused before anybody is authenticated, at every endpoint: never a 500, always a JSON answer."""

import gzip
from io import BytesIO
from urllib.parse import urlencode

import pytest
from memory_service import ENDPOINTS, FORM, METHODS, assert_error, basic, parameters_for, sender_for

pytestmark = pytest.mark.parametrize("endpoint", ENDPOINTS)

LIMIT = 64 * 1024


def credentials(caller, endpoint) -> dict[str, str]:
    sender = sender_for(endpoint)
    return {"client_id": sender, "client_secret": caller.tenant.secrets[sender]}


def good_body(caller, endpoint, **more: str) -> str:
    return urlencode(credentials(caller, endpoint) | parameters_for(endpoint) | more)


class TestMediaType:
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/x-www-form-urlencoded-not",
            "application/x-www-form-urlencoded; charset=utf-16",
            "application/x-www-form-urlencoded; charset=iso-8859-1",
            ";",
            "nonsense",
            '"',
        ],
    )
    async def test_of_another_kind_is_415(self, caller, endpoint, content_type):
        response = await caller.send(endpoint, good_body(caller, endpoint), Content_Type=content_type)
        await assert_error(response, 415, "invalid_request")

    async def test_missing_beside_a_body_is_415(self, caller, endpoint):
        response = await caller.send(endpoint, good_body(caller, endpoint), Content_Type="")
        await assert_error(response, 415, "invalid_request")

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/x-www-form-urlencoded; charset=utf-8",
            'application/x-www-form-urlencoded;charset="UTF-8"',
            "Application/X-WWW-Form-URLencoded ; Charset=UTF8",
            "application/x-www-form-urlencoded; a=b",
        ],
    )
    async def test_of_a_form_in_utf_8_is_accepted_however_it_is_written(self, caller, endpoint, content_type):
        response = await caller.send(endpoint, good_body(caller, endpoint), Content_Type=content_type)
        assert response.status == 200


class TestParameters:
    @pytest.mark.parametrize("by", METHODS)
    async def test_any_repeated_one_is_invalid_request_and_named(self, caller, endpoint, by):
        sender = sender_for(endpoint)
        secret = caller.tenant.secrets[sender]
        needed = urlencode(parameters_for(endpoint))
        own = f"client_id={sender}&client_secret={secret}&"
        headers = {"Authorization": basic(sender, secret)} if by == "client_secret_basic" else {}
        for name in (*parameters_for(endpoint), "scope", "token_type_hint", "resource", "never-heard-of"):
            body = (own if not headers else "") + needed + f"&{name}=1&{name}=1"
            description = await assert_error(await caller.send(endpoint, body, **headers), 400, "invalid_request")
            assert f"'{name}'" in description

    @pytest.mark.parametrize("name", ["client_id", "client_secret"])
    async def test_repeated_credentials_are_invalid_request_even_if_the_same(self, caller, endpoint, name):
        body = good_body(caller, endpoint) + "&" + urlencode({name: credentials(caller, endpoint)[name]})
        description = await assert_error(await caller.send(endpoint, body), 400, "invalid_request")
        assert f"'{name}'" in description

    @pytest.mark.parametrize("repeat", ["scope=&scope=", "scope&scope", "scope=&sc%6Fpe=x", "s%63ope=+&scope"])
    async def test_repeated_ones_are_found_however_they_are_written(self, caller, endpoint, repeat):
        response = await caller.send(endpoint, good_body(caller, endpoint) + "&" + repeat)
        assert "'scope'" in await assert_error(response, 400, "invalid_request")

    @pytest.mark.parametrize("name", ['a"b', "a\\b", "é", "<script>", "x" * 5000, "a\r\nSet-Cookie: b", "t" * 128])
    async def test_repeated_ones_with_unusual_names_are_not_quoted(self, caller, endpoint, name):
        response = await caller.send(endpoint, urlencode([(name, "1"), (name, "2")]))
        description = await assert_error(response, 400, "invalid_request")
        assert name[:20] not in description

    async def test_unknown_ones_are_ignored(self, caller, endpoint):
        body = good_body(caller, endpoint, resource="https://a.example", audience="b", x="")
        assert (await caller.send(endpoint, body)).status == 200

    async def test_of_the_query_string_are_never_read(self, caller, endpoint):
        url = f"{caller.path}/oauth2/{endpoint}?{good_body(caller, endpoint)}"
        response = await caller.http.post(url, headers={"Content-Type": FORM})
        await assert_error(response, 401, "invalid_client")
        body = urlencode(credentials(caller, endpoint))
        response = await caller.http.post(
            f"{caller.path}/oauth2/{endpoint}?{urlencode(parameters_for(endpoint))}",
            data=body,
            headers={"Content-Type": FORM},
        )
        await assert_error(response, 400, "invalid_request")

    async def test_more_than_a_hundred_are_invalid_request(self, caller, endpoint):
        at_most = good_body(caller, endpoint)
        at_most += "".join(f"&p{n}=" for n in range(100 - at_most.count("&") - 1))
        assert (await caller.send(endpoint, at_most)).status == 200
        await assert_error(await caller.send(endpoint, at_most + "&one=more"), 400, "invalid_request")

    async def test_thousands_are_invalid_request(self, caller, endpoint):
        body = "&".join(f"p{n}={n}" for n in range(5000))
        await assert_error(await caller.send(endpoint, body), 400, "invalid_request")

    async def test_only_separators_are_invalid_request(self, caller, endpoint):
        await assert_error(await caller.send(endpoint, "&" * 60_000), 400, "invalid_request")


class TestEncoding:
    @pytest.mark.parametrize(
        "garbage",
        [b"x=\xff\xfe", b"\xff=x", b"x=%FF%FE", b"%C3=x", b"x=%C3%28", b"x=%ED%A0%80", b"x=\xed\xa0\x80", b"x=%C0%80"],
    )
    async def test_that_is_not_utf_8_is_invalid_request(self, caller, endpoint, garbage):
        body = good_body(caller, endpoint).encode() + b"&" + garbage
        await assert_error(await caller.send(endpoint, body), 400, "invalid_request")

    @pytest.mark.parametrize("nul", [b"x=\x00", b"\x00=x", b"x=%00", b"%00", b"x=a%00b"])
    async def test_with_a_nul_is_invalid_request(self, caller, endpoint, nul):
        body = good_body(caller, endpoint).encode() + b"&" + nul
        assert "NUL" in await assert_error(await caller.send(endpoint, body), 400, "invalid_request")

    @pytest.mark.parametrize("escape", ["x=%zz", "x=%", "x=%4", "%g0=x", "x=%%41", "x=% 41", "x=" + "%25" * 9000 + "%"])
    async def test_with_a_broken_escape_is_invalid_request(self, caller, endpoint, escape):
        body = good_body(caller, endpoint) + "&" + escape
        assert "'%'" in await assert_error(await caller.send(endpoint, body), 400, "invalid_request")

    async def test_of_a_percent_that_was_encoded_many_times_is_undone_once(self, caller, endpoint):
        body = good_body(caller, endpoint) + "&x=" + "%25" * 9000 + "00"
        assert (await caller.send(endpoint, body)).status == 200

    async def test_that_is_compressed_is_undone(self, caller, endpoint):
        body = gzip.compress(good_body(caller, endpoint).encode())
        assert (await caller.send(endpoint, body, Content_Encoding="gzip")).status == 200

    async def test_that_claims_to_be_compressed_is_invalid_request(self, caller, endpoint):
        body = good_body(caller, endpoint)
        await assert_error(await caller.send(endpoint, body, Content_Encoding="gzip"), 400, "invalid_request")


class TestSize:
    async def test_of_the_limit_is_read(self, caller, endpoint):
        body = good_body(caller, endpoint) + "&x="
        body += "x" * (LIMIT - len(body))
        assert (await caller.send(endpoint, body)).status == 200

    async def test_over_the_limit_is_413(self, caller, endpoint):
        body = good_body(caller, endpoint) + "&x="
        body += "x" * (LIMIT + 1 - len(body))
        await assert_error(await caller.send(endpoint, body), 413, "invalid_request")

    async def test_of_a_ten_megabyte_token_is_413(self, caller, endpoint):
        await assert_error(await caller.send(endpoint, BytesIO(b"token=" + b"t" * 10_000_000)), 413, "invalid_request")

    async def test_over_the_limit_in_chunks_of_unknown_number_is_413(self, caller, endpoint):
        async def chunks():
            for _ in range(70):
                yield b"x" * 1024

        response = await caller.http.post(
            f"{caller.path}/oauth2/{endpoint}", data=chunks(), headers={"Content-Type": FORM}
        )
        await assert_error(response, 413, "invalid_request")

    async def test_that_unpacks_to_more_than_the_limit_is_413(self, caller, endpoint):
        bomb = gzip.compress(b"x" * 20_000_000)
        assert len(bomb) < LIMIT
        await assert_error(await caller.send(endpoint, bomb, Content_Encoding="gzip"), 413, "invalid_request")

    async def test_within_the_limit_in_chunks_is_read(self, caller, endpoint):
        body = good_body(caller, endpoint).encode()

        async def chunks():
            for start in range(0, len(body), 7):
                yield body[start : start + 7]

        response = await caller.http.post(
            f"{caller.path}/oauth2/{endpoint}", data=chunks(), headers={"Content-Type": FORM}
        )
        assert response.status == 200

    @pytest.mark.parametrize("by", METHODS)
    async def test_of_a_very_long_client_id_is_just_an_unknown_client(self, caller, endpoint, by):
        length = 4000 if by == "client_secret_basic" else 60_000
        response = await caller.post(endpoint, "i" * length, by=by, secret="wrong")
        await assert_error(response, 401, "invalid_client")


class TestMethod:
    @pytest.mark.parametrize("query", ["", "?token=x"])
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
    async def test_other_than_post_is_405_with_allow(self, caller, endpoint, method, query):
        response = await caller.http.request(method, f"{caller.path}/oauth2/{endpoint}{query}")
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert response.headers["Cache-Control"] == "no-store"
        if method == "HEAD":
            assert await response.read() == b""
        else:
            await assert_error(response, 405, "invalid_request")
