"""Errors between the audit commands and a service are one message with the right exit code."""

import pytest
from audit_service import CLIENT, Given

from api.cli.audit.http_source import ServerSentEvent, read_server_sent_events

PROBLEM = {"type": "urn:token-ledger:problem:x", "status": 0}
JTI = "00000000-0000-7000-8000-000000000007"


@pytest.fixture
def ask(cli, shop, asking_over_http):
    return lambda *words, **more: cli("audit", *(words or ("tokens",)), **more)


def problem(status: int, detail: str, headers=(), **members) -> Given:
    return Given(status, PROBLEM | {"title": "A title", "detail": detail} | members, dict(headers))


AWAY, GONE = "The database is away.", "up to position 7 are archived: begin after position 7"
HTML = "<h1>open-sesame</h1>"


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (
            problem(403, "The token lacks it."),
            1,
            "refuses this token, it needs the scope audit.read: The token lacks it.",
        ),
        (problem(404, "No token of this jti."), 1, "No token of this jti."),
        (Given(404, HTML), 1, "refuses the request (404): check that it is an issuer's URL"),
        (problem(400, "must be 1 to 1000", parameter="limit"), 1, "error: limit: must be 1 to 1000"),
        (problem(503, AWAY, {"Retry-After": "7"}), 3, f"is unavailable (503): {AWAY}; retry in 7 s"),
        (problem(410, GONE), 1, GONE),
        (Given(410, HTML), 1, "has archived this"),
        (Given(502, HTML), 3, "is unavailable (502)"),
        (Given(429, "", {"Retry-After": "2"}), 3, "is unavailable (429); retry in 2 s"),
        (Given(302, "", {"Location": "http://open-sesame.example/"}), 1, "sent an unexpected response (302)"),
        (Given(200, HTML), 1, "is not understood by this release"),
        (Given(200, {"tokens": "many"}), 1, "is not understood by this release"),
    ],
)
def test_error_response_becomes_a_message_and_exit_code(ask, asking_over_http, given, code, says):
    asking_over_http.instead.append(given)
    result = ask()
    assert (result.exit_code, says in result.stderr) == (code, True), result.output
    assert "open-sesame" not in result.output
    assert "Traceback" not in result.output


def test_exit_code_is_3_when_the_service_is_unreachable(bare_cli, monkeypatch, unused_tcp_port):
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "some-token")
    for words in (("tokens",), ("events", "--follow")):
        result = bare_cli("audit", *words, "--url", f"http://127.0.0.1:{unused_tcp_port}/ms-auth-server")
        assert result.exit_code == 3
        assert "cannot be reached (connection refused): check the URL" in result.stderr


def test_exit_code_is_3_when_the_service_has_no_tls(ask, asking_over_http):
    result = ask("tokens", "--url", asking_over_http.url.replace("http://", "https://"))
    assert (result.exit_code, "cannot be reached (TLS failed)" in result.stderr) == (3, True)


class TestAccessToken:
    def test_is_requested_once_and_used_for_every_request(self, ask, asking_over_http):
        assert ask("tokens", "--all").exit_code == 0
        assert len(asking_over_http.seen) == 2
        assert {headers["Authorization"] for _, _, headers in asking_over_http.seen} == {"Bearer token-1"}

    def test_is_not_requested_when_one_is_given(self, ask, asking_over_http, monkeypatch, tmp_path):
        asking_over_http.tokens.add("given")
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "given")
        assert ask().exit_code == 0
        assert asking_over_http.tokens == {"given"}
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "another")
        (tmp_path / "token").write_text("given\n")
        assert ask("tokens", "--audit-token-file", str(tmp_path / "token")).exit_code == 0

    def test_is_renewed_once_when_refused(self, ask, asking_over_http):
        asking_over_http.instead.append(Given(401, PROBLEM | {"title": "Unauthorized"}))
        assert ask().exit_code == 0
        assert asking_over_http.tokens == {"token-1", "token-2"}
        asking_over_http.instead.extend([Given(401, PROBLEM | {"title": "Unauthorized"})] * 2)
        result = ask()
        assert (result.exit_code, "does not accept the token" in result.stderr) == (1, True)

    def test_is_not_printed_when_the_given_one_is_refused(self, ask, monkeypatch):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "open-sesame")
        result = ask()
        assert (result.exit_code, "does not accept the token" in result.stderr) == (1, True)
        assert "open-sesame" not in result.output

    @pytest.mark.parametrize(
        ("given", "code", "says"),
        [
            (Given(401, {"error": "invalid_client"}), 1, "does not accept client 'auditor' with this secret"),
            (Given(400, {"error": "invalid_scope", "error_description": "No."}), 1, "with scope audit.read: No."),
            (Given(400, {"error": "unauthorized_client"}), 1, "grants client 'auditor' no token: unauthorized_client"),
            (Given(404, ""), 1, "has no token endpoint (404)"),
            (Given(503, "", {"Retry-After": "1"}), 3, "is unavailable (503); retry in 1 s"),
            (Given(200, "hello"), 1, "the token response of"),
        ],
    )
    def test_refusal_is_explained_without_the_secret(self, ask, asking_over_http, given, code, says):
        asking_over_http.refused_token_request = given
        result = ask()
        assert (result.exit_code, says in result.stderr) == (code, True), result.output
        assert CLIENT["client_secret"] not in result.output

    def test_request_names_missing_credentials(self, ask, monkeypatch):
        for missing, words in (("SECRET", "a client's secret"), ("ID", "a client's id and secret")):
            monkeypatch.delenv(f"TOKEN_LEDGER_AUDIT_CLIENT_{missing}")
            result = ask()
            assert result.exit_code == 2
            assert f"error: {words} is required over HTTP: give TOKEN_LEDGER_AUDIT_CLIENT_ID and" in result.stderr

    def test_request_reads_the_secret_from_a_file(self, ask, monkeypatch, tmp_path):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_CLIENT_SECRET", "wrong")
        (tmp_path / "secret").write_text(CLIENT["client_secret"] + "\n")
        assert ask("tokens", "--audit-secret-file", str(tmp_path / "secret")).exit_code == 0
        result = ask("tokens", "--audit-secret-file", str(tmp_path / "none"))
        assert (result.exit_code, "cannot be read: No such file" in result.stderr) == (2, True)

    def test_is_not_sent_when_it_contains_a_line_break(self, ask, asking_over_http, monkeypatch):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "open\nsesame")
        result = ask()
        assert (result.exit_code, asking_over_http.seen) == (2, [])
        assert "sesame" not in result.output

    def test_under_audit_is_never_in_a_url(self, ask, asking_over_http, shop):
        assert ask("token", "--token-stdin", "--as-of", "4", stdin=shop[1].access_token).exit_code == 0
        assert shop[1].access_token not in str(asking_over_http.asked)
        assert asking_over_http.asked == ["/tokens/lookup", f"/tokens/{shop[1].jti}/events"]


class TestSourceChoice:
    def test_flag_takes_precedence_over_a_variable(self, ask, asking_over_http, monkeypatch):
        assert ask("tokens", "--url", asking_over_http.url).exit_code == 0
        monkeypatch.setenv("TOKEN_LEDGER_DSN", "postgresql://localhost/ledger")
        assert ask("tokens").exit_code == 0
        with pytest.raises(TypeError, match="NoneType"):  # it tried to open the database
            ask("tokens", "--dsn", "postgresql://localhost/ledger")

    def test_two_flags_are_refused(self, ask, asking_over_http):
        result = ask("tokens", "--url", asking_over_http.url, "--embedded", "data")
        assert (result.exit_code, "exclude each other" in result.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("ftp://a.example/x", "must be an absolute https or http URL"),
            ("https://ada:open-sesame@a.example/x", "must have no user and no password"),
        ],
    )
    def test_exit_code_is_2_when_the_url_is_invalid(self, ask, url, says):
        result = ask("tokens", "--url", url)
        assert (result.exit_code, says in result.stderr) == (2, True)
        assert "open-sesame" not in result.output

    def test_url_may_end_with_a_slash(self, ask, asking_over_http):
        assert ask("tokens", "--url", asking_over_http.url + "/").exit_code == 0

    def test_warns_when_a_remote_url_is_not_encrypted(self, ask):
        result = ask("tokens", "--url", "http://no-such-host.invalid/x")
        assert result.exit_code == 3
        assert "warning: the connection to http://no-such-host.invalid/x is not encrypted" in result.stderr
        assert "cannot be reached (its name cannot be resolved)" in result.stderr


def test_secret_variables_have_no_flag_and_cause_no_warning(ask, monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "")
    assert "is not a setting" not in ask().stderr
    assert ask("tokens", "--audit-client-secret", "x").exit_code == 2


async def parse(text: str) -> list[ServerSentEvent]:
    async def lines():
        for line in text.encode().splitlines(keepends=True):
            yield line

    return [message async for message in read_server_sent_events(lines())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id: 7\nevent: token.issued\ndata: {}\n\n", [ServerSentEvent("7", "token.issued", "{}")]),
        ("id:7\r\ndata:{}\r\n\r\n", [ServerSentEvent("7", "", "{}")]),
        (": heartbeat\n\nid: 7\ndata: 1\n\n: heartbeat\n\n", [ServerSentEvent("7", "", "1")]),
        ("data: a\ndata: b\n\n", [ServerSentEvent("", "", "a\nb")]),
        ("retry: 1000\n\nid: 7\n\n", []),
        ("id: 7\ndata: 1\n\nid: 8\ndata: 2\n", [ServerSentEvent("7", "", "1")]),
        ("id: 7\ndata: 1\n\nid: 8\ndata: {", [ServerSentEvent("7", "", "1")]),
        ("id: 7\ndata: é: ü\n\n", [ServerSentEvent("7", "", "é: ü")]),
    ],
)
async def test_server_sent_events_have_data_and_end_with_an_empty_line(text, found):
    assert await parse(text) == found
