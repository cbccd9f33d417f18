"""Requests that every endpoint rejects before it authenticates the client."""

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
    async def test_responds_415_when_it_is_not_a_form(self, caller, endpoint, content_type):
        response = await caller.send(endpoint, good_body(caller, endpoint), Content_Type=content_type)
        await assert_error(response, 415, "invalid_request")

    async def test_responds_415_when_it_is_missing(self, caller, endpoint):
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
    async def test_is_accepted_when_written_differently(self, caller, endpoint, content_type):
        response = await caller.send(endpoint, good_body(caller, endpoint), Content_Type=content_type)
        assert response.status == 200


class TestParameters:
    @pytest.mark.parametrize("by", METHODS)
    async def test_responds_400_when_one_is_repeated(self, caller, endpoint, by):
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
    async def test_responds_400_when_credentials_are_repeated(self, caller, endpoint, name):
        body = good_body(caller, endpoint) + "&" + urlencode({name: credentials(caller, endpoint)[name]})
        description = await assert_error(await caller.send(endpoint, body), 400, "invalid_request")
        assert f"'{name}'" in description

    @pytest.mark.parametrize("repeat", ["scope=&scope=", "scope&scope", "scope=&sc%6Fpe=x", "s%63ope=+&scope"])
    async def test_responds_400_when_repetition_is_encoded(self, caller, endpoint, repeat):
        response = await caller.send(endpoint, good_body(caller, endpoint) + "&" + repeat)
        assert "'scope'" in await assert_error(response, 400, "invalid_request")

    @pytest.mark.parametrize("name", ['a"b', "a\\b", "é", "<script>", "x" * 5000, "a\r\nSet-Cookie: b", "t" * 128])
    async def test_error_does_not_quote_the_name_when_unusual(self, caller, endpoint, name):
        response = await caller.send(endpoint, urlencode([(name, "1"), (name, "2")]))
        description = await assert_error(response, 400, "invalid_request")
        assert name[:20] not in description

    async def test_are_ignored_when_unknown(self, caller, endpoint):
        body = good_body(caller, endpoint, resource="https://a.example", audience="b", x="")
        assert (await caller.send(endpoint, body)).status == 200

    async def test_are_ignored_when_in_the_query(self, caller, endpoint):
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

    async def test_responds_400_when_more_than_100(self, caller, endpoint):
        at_most = good_body(caller, endpoint)
        at_most += "".join(f"&p{n}=" for n in range(100 - at_most.count("&") - 1))
        assert (await caller.send(endpoint, at_most)).status == 200
        for body in (at_most + "&one=more", "&".join(f"p{n}={n}" for n in range(5000)), "&" * 60_000):
            await assert_error(await caller.send(endpoint, body), 400, "invalid_request")


class TestEncoding:
    @pytest.mark.parametrize(
        ("garbage", "reason"),
        [
            *(
                (text, "UTF-8")
                for text in (b"x=\xff\xfe", b"\xff=x", b"x=%FF%FE", b"%C3=x", b"x=%C3%28", b"x=%ED%A0%80")
            ),
            *((text, "UTF-8") for text in (b"x=\xed\xa0\x80", b"x=%C0%80")),
            *((text, "NUL") for text in (b"x=\x00", b"\x00=x", b"x=%00", b"%00", b"x=a%00b")),
            *((text, "'%'") for text in (b"x=%zz", b"x=%", b"x=%4", b"%g0=x", b"x=%%41", b"x=% 41")),
            (b"x=" + b"%25" * 9000 + b"%", "'%'"),
        ],
    )
    async def test_responds_400_when_malformed(self, caller, endpoint, garbage, reason):
        body = good_body(caller, endpoint).encode() + b"&" + garbage
        assert reason in await assert_error(await caller.send(endpoint, body), 400, "invalid_request")

    async def test_is_decoded_once_when_encoded_repeatedly(self, caller, endpoint):
        body = good_body(caller, endpoint) + "&x=" + "%25" * 9000 + "00"
        assert (await caller.send(endpoint, body)).status == 200

    async def test_is_decompressed_when_compressed(self, caller, endpoint):
        body = gzip.compress(good_body(caller, endpoint).encode())
        assert (await caller.send(endpoint, body, Content_Encoding="gzip")).status == 200

    async def test_responds_400_when_falsely_declared_compressed(self, caller, endpoint):
        body = good_body(caller, endpoint)
        await assert_error(await caller.send(endpoint, body, Content_Encoding="gzip"), 400, "invalid_request")


class TestSize:
    async def test_is_limited_to_64_kib(self, caller, endpoint):
        body = good_body(caller, endpoint) + "&x="
        body += "x" * (LIMIT - len(body))
        assert (await caller.send(endpoint, body)).status == 200
        await assert_error(await caller.send(endpoint, body + "x"), 413, "invalid_request")

    async def test_responds_413_when_a_token_has_ten_megabytes(self, caller, endpoint):
        await assert_error(await caller.send(endpoint, BytesIO(b"token=" + b"t" * 10_000_000)), 413, "invalid_request")

    async def test_responds_413_when_decompressed_size_exceeds_the_limit(self, caller, endpoint):
        bomb = gzip.compress(b"x" * 20_000_000)
        assert len(bomb) < LIMIT
        await assert_error(await caller.send(endpoint, bomb, Content_Encoding="gzip"), 413, "invalid_request")

    async def test_is_limited_when_length_is_not_announced(self, caller, endpoint):
        body = good_body(caller, endpoint).encode()
        small = [body[start : start + 7] for start in range(0, len(body), 7)]
        assert (await self._send_chunks(caller, endpoint, small)).status == 200
        await assert_error(await self._send_chunks(caller, endpoint, [b"x" * 1024] * 70), 413, "invalid_request")

    async def _send_chunks(self, caller, endpoint, parts):
        async def chunks():
            for part in parts:
                yield part

        url = f"{caller.path}/oauth2/{endpoint}"
        return await caller.http.post(url, data=chunks(), headers={"Content-Type": FORM})

    @pytest.mark.parametrize("by", METHODS)
    async def test_responds_401_when_client_id_is_very_long(self, caller, endpoint, by):
        length = 4000 if by == "client_secret_basic" else 60_000
        response = await caller.post(endpoint, "i" * length, by=by, secret="wrong")
        await assert_error(response, 401, "invalid_client")


class TestMethod:
    @pytest.mark.parametrize("query", ["", "?token=x"])
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
    async def test_responds_405_when_not_post(self, caller, endpoint, method, query):
        response = await caller.http.request(method, f"{caller.path}/oauth2/{endpoint}{query}")
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert response.headers["Cache-Control"] == "no-store"
        if method == "HEAD":
            assert await response.read() == b""
        else:
            await assert_error(response, 405, "invalid_request")
