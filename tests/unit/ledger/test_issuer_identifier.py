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
def test_what_is_accepted_and_the_path_and_log_that_follow(url, path, log_name):
    identifier = IssuerIdentifier(url)

    assert (identifier.path, identifier.log_name) == (path, log_name)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8085", "/tenant", "ftp://x/a", "http:///a", "http://:8085/a", "mailto:a@x", "//x/a", "http://"],
)
def test_only_an_absolute_http_or_https_url_is_accepted(url):
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
def test_a_user_a_query_or_a_fragment_is_refused(url):
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
def test_a_path_that_could_be_read_in_two_ways_is_refused(url):
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
def test_what_is_not_visible_ascii_is_refused_rather_than_dropped(url):
    with pytest.raises(ValueError, match=r"must be an absolute .* URL of ASCII characters without spaces"):
        IssuerIdentifier(url)


@pytest.mark.parametrize("url", ["http://x:99999/a", "http://x:port/a", "http://[::1/a", "http://x\\y/a"])
def test_a_host_or_port_that_cannot_be_is_refused_with_the_issuer_named(url):
    with pytest.raises(ValueError, match=r"^issuer .*must be an absolute https or http URL"):
        IssuerIdentifier(url)


def test_identifiers_of_one_url_are_equal():
    assert IssuerIdentifier("https://x/a") == IssuerIdentifier("https://x/a")
    assert IssuerIdentifier("https://x/a") != IssuerIdentifier("https://x/b")
