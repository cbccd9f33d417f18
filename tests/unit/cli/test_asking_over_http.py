"""What goes wrong between the audit commands and a service is one clear message and the exit code of its kind."""

import pytest
from audit_service import CLIENT, Given

PROBLEM = {"type": "urn:token-ledger:problem:x", "status": 0}
JTI = "00000000-0000-7000-8000-000000000007"


@pytest.fixture
def ask(cli, shop, asking_over_http):
    return lambda *words, **more: cli("audit", *(words or ("tokens",)), **more)


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (
            Given(403, PROBLEM | {"title": "Forbidden", "detail": "The access token lacks the scope audit.read."}),
            1,
            "refuses this token, it needs the scope audit.read: The access token lacks the scope audit.read.",
        ),
        (Given(404, PROBLEM | {"title": "Not Found", "detail": "No token of this jti."}), 1, "No token of this jti."),
        (Given(404, "<h1>open-sesame</h1>"), 1, "refuses the request (404): check that it is an issuer's URL"),
        (
            Given(400, PROBLEM | {"title": "Bad Request", "detail": "must be 1 to 1000", "parameter": "limit"}),
            1,
            "error: limit: must be 1 to 1000",
        ),
        (
            Given(
                503, PROBLEM | {"title": "Service Unavailable", "detail": "The database is away."}, {"Retry-After": "7"}
            ),
            3,
            "is unavailable (503): The database is away.; retry in 7 s",
        ),
        (
            Given(410, PROBLEM | {"title": "Gone", "detail": "up to position 7 are archived: begin after position 7"}),
            1,
            "up to position 7 are archived: begin after position 7",
        ),
        (Given(410, "<h1>open-sesame</h1>"), 1, "has archived this"),
        (Given(502, "<h1>open-sesame</h1>"), 3, "is unavailable (502)"),
        (Given(429, "", {"Retry-After": "2"}), 3, "is unavailable (429); retry in 2 s"),
        (Given(302, "", {"Location": "http://open-sesame.example/"}), 1, "sent an unexpected response (302)"),
        (Given(200, "<h1>open-sesame</h1>"), 1, "is not understood by this release"),
        (Given(200, {"tokens": "many"}), 1, "is not understood by this release"),
    ],
)
def test_an_answer_that_is_none(ask, asking_over_http, given, code, says):
    asking_over_http.instead.append(given)
    result = ask()
    assert (result.exit_code, says in result.stderr) == (code, True), result.output
    assert "open-sesame" not in result.output
    assert "Traceback" not in result.output


def test_a_service_that_is_not_there_is_3(bare_cli, monkeypatch, unused_tcp_port):
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "some-token")
    for words in (("tokens",), ("events", "--follow")):
        result = bare_cli("audit", *words, "--url", f"http://127.0.0.1:{unused_tcp_port}/ms-auth-server")
        assert result.exit_code == 3
        assert "cannot be reached (connection refused): check the URL" in result.stderr


def test_a_service_that_does_not_speak_tls_is_3(ask, asking_over_http):
    result = ask("tokens", "--url", asking_over_http.url.replace("http://", "https://"))
    assert (result.exit_code, "cannot be reached (TLS failed)" in result.stderr) == (3, True)


class TestTheToken:
    def test_is_got_for_the_client_and_used_for_all_that_is_asked(self, ask, asking_over_http):
        assert ask("tokens", "--all").exit_code == 0
        assert len(asking_over_http.seen) == 2
        assert {headers["Authorization"] for _, _, headers in asking_over_http.seen} == {"Bearer token-1"}

    def test_that_is_given_is_used_and_none_is_got(self, ask, asking_over_http, monkeypatch, tmp_path):
        asking_over_http.tokens.add("given")
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "given")
        assert ask().exit_code == 0
        assert asking_over_http.tokens == {"given"}
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "another")
        (tmp_path / "token").write_text("given\n")
        assert ask("tokens", "--audit-token-file", str(tmp_path / "token")).exit_code == 0

    def test_that_is_no_longer_accepted_is_got_anew_once(self, ask, asking_over_http):
        asking_over_http.instead.append(Given(401, PROBLEM | {"title": "Unauthorized"}))
        assert ask().exit_code == 0
        assert asking_over_http.tokens == {"token-1", "token-2"}
        asking_over_http.instead.extend([Given(401, PROBLEM | {"title": "Unauthorized"})] * 2)
        result = ask()
        assert (result.exit_code, "does not accept the token" in result.stderr) == (1, True)

    def test_that_is_given_and_not_accepted_is_1_and_is_not_shown(self, ask, monkeypatch):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "open-sesame")
        result = ask()
        assert (result.exit_code, "does not accept the token" in result.stderr) == (1, True)
        assert "open-sesame" not in result.output

    @pytest.mark.parametrize(
        ("given", "code", "says"),
        [
            (Given(401, {"error": "invalid_client"}), 1, "does not accept client 'auditor' with this secret"),
            (
                Given(400, {"error": "invalid_scope", "error_description": "Not granted: audit.read."}),
                1,
                "grants client 'auditor' no token with scope audit.read: Not granted: audit.read.",
            ),
            (Given(400, {"error": "unauthorized_client"}), 1, "grants client 'auditor' no token: unauthorized_client"),
            (Given(404, ""), 1, "has no token endpoint (404)"),
            (Given(503, "", {"Retry-After": "1"}), 3, "is unavailable (503); retry in 1 s"),
            (Given(200, "hello"), 1, "the token response of"),
        ],
    )
    def test_that_is_not_given_says_why(self, ask, asking_over_http, given, code, says):
        asking_over_http.refused_token_request = given
        result = ask()
        assert (result.exit_code, says in result.stderr) == (code, True), result.output
        assert CLIENT["client_secret"] not in result.output

    def test_needs_credentials_which_are_named(self, ask, monkeypatch):
        for missing, words in (
            ("AUDIT_CLIENT_SECRET", "a client's secret"),
            ("AUDIT_CLIENT_ID", "a client's id and secret"),
        ):
            monkeypatch.delenv(f"TOKEN_LEDGER_{missing}")
            result = ask()
            assert result.exit_code == 2
            assert f"error: {words} is required over HTTP: give TOKEN_LEDGER_AUDIT_CLIENT_ID and" in result.stderr

    def test_takes_the_secret_from_a_file(self, ask, monkeypatch, tmp_path):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_CLIENT_SECRET", "wrong")
        (tmp_path / "secret").write_text(CLIENT["client_secret"] + "\n")
        assert ask("tokens", "--audit-secret-file", str(tmp_path / "secret")).exit_code == 0
        result = ask("tokens", "--audit-secret-file", str(tmp_path / "none"))
        assert (result.exit_code, "cannot be read: No such file" in result.stderr) == (2, True)

    def test_with_a_line_break_in_it_is_refused_before_it_is_sent(self, ask, asking_over_http, monkeypatch):
        monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "open\nsesame")
        result = ask()
        assert (result.exit_code, asking_over_http.seen) == (2, [])
        assert "sesame" not in result.output

    def test_that_is_asked_about_is_never_in_a_url(self, ask, asking_over_http, shop):
        assert ask("token", "--token-stdin", "--as-of", "4", stdin=shop[1].access_token).exit_code == 0
        assert shop[1].access_token not in str(asking_over_http.asked)
        assert asking_over_http.asked == ["/tokens/lookup", f"/tokens/{shop[1].jti}/events"]


class TestWhomToAsk:
    def test_a_flag_wins_over_the_variable_of_the_other(self, ask, asking_over_http, monkeypatch):
        assert ask("tokens", "--url", asking_over_http.url).exit_code == 0
        monkeypatch.setenv("TOKEN_LEDGER_DSN", "postgresql://localhost/ledger")
        assert ask("tokens").exit_code == 0
        with pytest.raises(TypeError, match="NoneType"):  # it would have opened the database
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
    def test_what_is_no_url_of_an_issuer_is_2(self, ask, url, says):
        result = ask("tokens", "--url", url)
        assert (result.exit_code, says in result.stderr) == (2, True)
        assert "open-sesame" not in result.output

    def test_a_slash_at_its_end_is_forgiven(self, ask, asking_over_http):
        assert ask("tokens", "--url", asking_over_http.url + "/").exit_code == 0

    def test_without_encryption_beyond_this_machine_is_warned_of(self, ask):
        result = ask("tokens", "--url", "http://no-such-host.invalid/x")
        assert result.exit_code == 3
        assert "warning: the connection to http://no-such-host.invalid/x is not encrypted" in result.stderr
        assert "cannot be reached (its name cannot be resolved)" in result.stderr


def test_the_secrets_have_no_flag_and_are_no_mistakes(ask, monkeypatch):
    monkeypatch.setenv("TOKEN_LEDGER_AUDIT_TOKEN", "")
    assert "is not a setting" not in ask().stderr
    assert ask("tokens", "--audit-client-secret", "x").exit_code == 2
