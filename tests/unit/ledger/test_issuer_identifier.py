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


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8085", "/tenant", "ftp://x/a", "http:///a", "http://:8085/a", "mailto:a@x", "//x/a", "http://"],
)
def test_url_is_refused_when_not_absolute_http_or_https(url):
    with pytest.raises(ValueError, match=r"must be an absolute https or http URL"):
        IssuerIdentifier(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://x/a?b=c",
        "https://x/a?",
        "https://x/a#b",
        "https://x/a#",
        "https://u@x/a",
        "https://u:p@x",
        "https://@x",
    ],
)
def test_url_is_refused_when_it_has_a_user_query_or_fragment(url):
    with pytest.raises(ValueError, match="must have no user, query or fragment"):
        IssuerIdentifier(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://x/",
        "https://x/a/",
        "https://x//a",
        "https://x/a//b",
        "https://x/a%2Fb",
        "https://x/a/../b",
        "https://x/.",
        "https://x/a\\b",
        "https://x/{a}",
        "https://x/a;b",
    ],
)
def test_url_is_refused_when_its_path_is_ambiguous(url):
    with pytest.raises(ValueError, match="its path must be plain"):
        IssuerIdentifier(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://x/caf\u00e9",
        "https://caf\u00e9/a",
        "https://x/a\nb",
        " https://x/a",
        "https://x/a b",
        "https://x/a\x00",
        "https://x y/a",
        "https://x/a\t",
    ],
)
def test_url_is_refused_when_it_has_other_than_visible_ascii(url):
    with pytest.raises(ValueError, match=r"must be an absolute .* URL of ASCII characters without spaces"):
        IssuerIdentifier(url)


@pytest.mark.parametrize("url", ["http://x:99999/a", "http://x:port/a", "http://[::1/a", "http://x\\y/a"])
def test_url_is_refused_with_its_text_when_host_or_port_is_invalid(url):
    with pytest.raises(ValueError, match=r"^issuer .*must be an absolute https or http URL"):
        IssuerIdentifier(url)


def test_identifiers_are_equal_when_their_urls_are():
    assert IssuerIdentifier("https://x/a") == IssuerIdentifier("https://x/a")
    assert IssuerIdentifier("https://x/a") != IssuerIdentifier("https://x/b")
