"""The token list: filters, pages of one moment, cursors."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest
from auditor import Auditor, assert_problem
from yarl import URL


def jtis(page):
    return [token["jti"] for token in page["tokens"]]


class TestTokenFilters:
    async def test_all_must_match_when_combined(self, auditor):
        read = await auditor.issue("app", "read")
        both = await auditor.issue("app", "read write")
        second = await auditor.issue("app2", "read")
        gone = await auditor.caller.token("app", "write")
        revoked = await auditor.jti_of(gone)
        await auditor.caller.post("revoke", token=gone)
        assert set(jtis(await auditor.get("/tokens"))) >= {read, both, second, revoked}
        assert jtis(await auditor.get("/tokens", client_id="app")) == [revoked, both, read]
        assert jtis(await auditor.get("/tokens", subject="app2")) == [second]
        assert jtis(await auditor.get("/tokens", scope="write")) == [revoked, both]
        assert jtis(await auditor.get("/tokens", status="revoked")) == [revoked]
        assert jtis(await auditor.get("/tokens", client_id="app", scope="read", status="active")) == [both, read]
        assert jtis(await auditor.get("/tokens", client_id="unknown-client")) == []

    async def test_include_their_bounds_when_filtering_by_instant(self, auditor, service):
        service.clock.advance(60)
        jti = await auditor.issue("app2", "read")
        at = service.clock.now
        for after, before, found in [(0, 0, [jti]), (1, 60, []), (-30, -1, []), (-30, 30, [jti])]:
            issued_after = (at + timedelta(seconds=after)).isoformat()
            issued_before = (at + timedelta(seconds=before)).isoformat()
            page = await auditor.get("/tokens", issued_after=issued_after, issued_before=issued_before)
            assert jtis(page) == found

    async def test_apply_to_the_moment_when_as_of_is_given(self, auditor):
        token = await auditor.caller.token("app2")
        position = await auditor.position()
        await auditor.caller.post("revoke", "app2", token=token)
        await auditor.issue("app2", "read")
        page = await auditor.get("/tokens", client_id="app2", as_of=position, status="active")
        assert [token["state"] for token in page["tokens"]] == ["active"]
        assert page["as_of"]["position"] == position
        assert (await auditor.get("/tokens", client_id="app2", as_of=position, status="revoked"))["tokens"] == []

    async def test_respond_400_when_repeated(self, auditor):
        response = await auditor.http.get(f"{auditor.base}/tokens?scope=a&scope=a", headers=auditor.authorization)
        await assert_problem(response, 400, "invalid_request", "scope")

    async def test_error_does_not_quote_the_name_when_unusual(self, auditor):
        for name in ("t" * 128, "x" * 43, "a b", "é"):
            detail = await assert_problem(await auditor.request("/tokens", **{name: "1"}), 400, "invalid_request")
            assert name not in detail

    async def test_error_suggests_an_encoded_plus_when_it_was_lost(self, auditor):
        url = f"{auditor.base}/tokens?as_of=2026-03-01T12:00:00+00:00"
        response = await auditor.http.get(URL(url, encoded=True), headers=auditor.authorization)
        assert "%2B" in await assert_problem(response, 400, "invalid_request", "as_of")


class TestTokenPages:
    async def test_list_each_token_once_when_followed(self, auditor):
        issued = [await auditor.issue("app2", "read") for _ in range(7)]
        found, cursor, sizes = [], None, []
        while True:
            page = await auditor.get("/tokens", client_id="app2", limit=3, cursor=cursor)
            found += jtis(page)
            sizes.append(len(page["tokens"]))
            cursor = page["next"]
            if cursor is None:
                break
        assert found == issued[::-1]
        assert sizes == [3, 3, 1]

    async def test_show_the_moment_of_the_first_page_when_log_changes(self, auditor, service):
        tokens = [await auditor.caller.token("app2", "read") for _ in range(6)]
        issued = [await auditor.jti_of(token) for token in tokens]
        first = await auditor.get("/tokens", client_id="app2", limit=2, status="active")
        pages, page = [first], first
        for token in tokens[:4]:
            service.clock.advance(1)
            await auditor.caller.post("revoke", "app2", token=token)
            await auditor.issue("app2", "read")
            if page["next"]:
                page = await auditor.get("/tokens", client_id="app2", limit=2, status="active", cursor=page["next"])
                pages.append(page)
        assert [jti for page in pages for jti in jtis(page)] == issued[::-1]
        assert all(page["as_of"] == first["as_of"] for page in pages)
        assert {token["state"] for page in pages for token in page["tokens"]} == {"active"}
        assert {token["revoked"] for page in pages for token in page["tokens"]} == {None}

    async def test_show_a_past_moment_when_as_of_is_given(self, auditor):
        for _ in range(3):
            await auditor.issue("app2", "read")
        position = await auditor.position()
        await auditor.issue("app2", "read")
        first = await auditor.get("/tokens", client_id="app2", as_of=position, limit=2)
        await auditor.issue("app2", "read")
        second = await auditor.get("/tokens", client_id="app2", as_of=position, limit=2, cursor=first["next"])
        assert len(first["tokens"] + second["tokens"]) == 3
        assert second["as_of"] == first["as_of"]
        assert second["next"] is None

    async def test_keep_the_moment_when_as_of_is_repeated_or_omitted(self, auditor):
        for _ in range(3):
            await auditor.issue("app2", "read")
        position = await auditor.position()
        first = await auditor.get("/tokens", client_id="app2", as_of=position, limit=2)
        await auditor.issue("app2", "read")
        second = await auditor.get("/tokens", client_id="app2", cursor=first["next"])
        assert (second["as_of"], len(second["tokens"])) == (first["as_of"], 1)
        at = first["as_of"]["instant"]
        assert await auditor.get("/tokens", client_id="app2", as_of=at, cursor=first["next"]) == second

    async def test_have_100_tokens_when_limit_is_omitted(self, auditor):
        for _ in range(101):
            await auditor.caller.token("app2", "read")
        page = await auditor.get("/tokens", client_id="app2")
        assert len(page["tokens"]) == 100
        assert page["next"]

    async def test_include_min_position_when_given(self, auditor):
        await auditor.issue()
        page = await auditor.request("/tokens", min_position=await auditor.position())
        assert int(page.headers["Token-Ledger-Position"]) >= await auditor.position()


class TestTokenCursors:
    async def cursor(self, auditor):
        for _ in range(3):
            await auditor.caller.token("app2", "read")
        return (await auditor.get("/tokens", client_id="app2", limit=1))["next"]

    @pytest.mark.parametrize(
        "others", [{}, {"client_id": "app"}, {"client_id": "app2", "scope": "read"}, {"client_id": "app2", "as_of": 3}]
    )
    async def test_respond_400_when_filters_differ(self, auditor, others):
        response = await auditor.request("/tokens", cursor=await self.cursor(auditor), **others)
        await assert_problem(response, 400, "invalid_request", "cursor")

    async def test_respond_400_when_issuer_differs(self, auditor, other):
        stranger = await Auditor(other).sign_in()
        response = await stranger.request("/tokens", client_id="app2", cursor=await self.cursor(auditor))
        await assert_problem(response, 400, "invalid_request", "cursor")

    async def test_are_valid_when_limit_differs(self, auditor):
        cursor = await self.cursor(auditor)
        assert len(jtis(await auditor.get("/tokens", client_id="app2", limit=50, cursor=cursor))) == 2

    async def test_respond_400_when_forged(self, auditor):
        made = await self.cursor(auditor)
        fields = json.loads(urlsafe_b64decode(made + "=" * (-len(made) % 4)))

        def forged(*changed):
            return urlsafe_b64encode(json.dumps(list(changed)).encode()).decode().rstrip("=")

        position, instant, before, listing = fields
        assert forged(*fields)
        for cursor in (
            "x",
            "AAAA",
            made[:-4],
            made + "AAAA",
            forged(),
            forged(position, instant, before),
            forged(position, instant, 0, listing),
            forged(position, instant, -1, listing),
            forged(position, instant, position + 1, listing),
            forged(position, "2026-03-01T12:00:00", before, listing),
            forged(str(position), instant, before, listing),
            forged(2**70, instant, 2**69, listing),
            forged(position + 1000, instant, before, listing),
        ):
            response = await auditor.request("/tokens", client_id="app2", cursor=cursor)
            await assert_problem(response, 400, "invalid_request", "cursor")

    async def test_do_not_reveal_the_filters(self, auditor):
        made = await self.cursor(auditor)
        assert b"app2" not in urlsafe_b64decode(made + "=" * (-len(made) % 4))
