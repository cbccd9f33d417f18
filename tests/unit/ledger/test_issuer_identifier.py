"""Issuer identifiers: RFC 8414 §2."""

import pytest

from ledger.use_cases.issuer import IssuerIdentifier


@pytest.mark.parametrize(
    ("url", "path", "log_name"),
    [
        ("http://localhost:8085/ms-auth-server", "/ms-auth-server", "ms-auth-server"),
        ("https://id.example.com", "", "default"),
        ("https://id.example.com:8443", "", "default"),
        ("https://id.example.com/a/b", "/a/b", "a/b"),
        ("http://[::1]:8085/tenant", "/tenant", "tenant"),
        ("http://192.0.2.7/tenant_1.prod~x", "/tenant_1.prod~x", "tenant_1.prod~x"),
    ],
)
def test_path_and_log_name_follow_from_the_url(url, path, log_name):
    identifier = IssuerIdentifier(url)

    assert (identifier.path, identifier.log_name) == (path, log_name)
    assert identifier == IssuerIdentifier(url) != IssuerIdentifier("https://other.example")


NOT_ABSOLUTE = ["", "localhost:8085", "/tenant", "ftp://x/a", "http:///a", "http://:8085/a", "mailto:a@x", "//x/a"]
NOT_VISIBLE_ASCII = [f"https://x/{text}" for text in ("caf\u00e9", "a\nb", "a b", "a\x00", "a\t")]
INVALID_HOST_OR_PORT = ["http://x:99999/a", "http://x:port/a", "http://[::1/a", "http://x\\y/a", "http://"]
AMBIGUOUS_PATHS = ["", "a/", "/a", "a//b", "a%2Fb", "a/../b", ".", "a\\b", "{a}", "a;b"]


@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        (NOT_ABSOLUTE, "must be an absolute https or http URL"),
        (INVALID_HOST_OR_PORT, "must be an absolute https or http URL"),
        (
            [*NOT_VISIBLE_ASCII, "https://caf\u00e9/a", " https://x/a", "https://x y/a"],
            "must be an absolute .* URL of ASCII characters without spaces",
        ),
        (
            [f"https://x/a{part}" for part in ("?b=c", "?", "#b", "#")]
            + ["https://u@x/a", "https://u:p@x", "https://@x"],
            "must have no user, query or fragment",
        ),
        ([f"https://x/{path}" for path in AMBIGUOUS_PATHS], "its path must be plain"),
    ],
    ids=["not absolute", "host or port", "not visible ASCII", "user, query, fragment", "ambiguous path"],
)
def test_url_is_refused_with_the_reason_when_invalid(urls, reason):
    for url in urls:
        with pytest.raises(ValueError, match=rf"^issuer .*{reason}"):
            IssuerIdentifier(url)
