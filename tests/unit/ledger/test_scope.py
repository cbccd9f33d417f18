"""The scope grammar: RFC 6749 §3.3 and appendix A.4."""

import pytest

from ledger.domain.errors import InvalidScope
from ledger.domain.scope import format_scope, is_scope_token, parse_scope

NQCHAR = {chr(c) for c in [0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)]}
"""Every character of a scope-token, as in the grammar."""


def test_scope_token_has_exactly_the_characters_of_the_grammar():
    assert {chr(c) for c in range(0x3000) if is_scope_token(chr(c))} == NQCHAR
    assert not any(is_scope_token(text) for text in ("", "a b", "a\n", "\ud800"))


@pytest.mark.parametrize(
    ("value", "scope"),
    [
        ("read", ("read",)),
        ("read write", ("read", "write")),
        ("write read", ("write", "read")),
        ("country.read customer:write https://x/y?z#!", ("country.read", "customer:write", "https://x/y?z#!")),
        ("Read read", ("Read", "read")),
    ],
)
def test_scope_is_parsed_and_formatted_in_the_order_sent(value, scope):
    assert parse_scope(value) == scope
    assert format_scope(scope) == value


def test_repeated_token_counts_once_at_its_first_place():
    assert parse_scope("a b a c b") == ("a", "b", "c")
    assert format_scope(()) == ""


MALFORMED = [
    "",
    " ",
    " a",
    "a ",
    "a  b",
    "a\tb",
    "a\nb",
    "a\r\n",
    'say "a"',
    "a\\b",
    "caf\u00e9-secret",
    "a\x00",
    "a\u00a0b",
]


@pytest.mark.parametrize("value", MALFORMED)
def test_scope_is_refused_but_not_shown_when_malformed(value):
    with pytest.raises(InvalidScope, match="malformed") as refused:
        parse_scope(value)

    assert "secret" not in str(refused.value)
