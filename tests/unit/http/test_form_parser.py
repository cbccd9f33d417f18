"""The form parser, with urllib.parse as its oracle."""

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import RequestError
from api.http.form import decode_component, parse_form

names_and_values = st.dictionaries(
    st.text(min_size=1).filter(lambda text: "\x00" not in text), st.text().filter(lambda text: "\x00" not in text)
).filter(lambda form: len(form) <= 100)
formish = st.lists(
    st.sampled_from(
        [b"a", b"b", b"=", b"&", b"+", b"%", b"%41", b"%2B", b"%26", b"%C3%A9", b"%ff", b"%00", b"\xc3\xa9"]
    )
).map(b"".join)


def oracle(body: bytes, errors: str = "strict") -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors=errors)


@given(names_and_values)
def test_form_equals_what_urlencode_encoded(form):
    encodable = {k: v for k, v in form.items() if _encodable(k + v)}
    assert parse_form(urlencode(encodable).encode()) == encodable


@given(formish | st.binary())
def test_form_equals_urllib_when_accepted(body):
    try:
        form = parse_form(body)
    except RequestError:
        return
    expected = oracle(body)
    assert list(form.items()) == expected


@given(formish | st.binary())
def test_form_is_rejected_only_when_ambiguous_or_broken(body):
    try:
        parse_form(body)
    except RequestError as error:
        reason = str(error)
    else:
        return
    if "repeated" in reason:
        names = [name for name, _ in oracle(body, "replace")]  # a later parameter may not be UTF-8
        assert len(set(names)) < len(names)
    elif "NUL" in reason:
        assert b"\x00" in body or b"%00" in body
    elif "'%'" in reason:
        escapes = [body[at + 1 : at + 3] for at in range(len(body)) if body[at : at + 1] == b"%"]
        assert any(len(e) < 2 or any(c not in b"0123456789abcdefABCDEF" for c in e) for e in escapes)
    elif "parameters" in reason:
        assert body.count(b"&") >= 100
    else:
        assert "UTF-8" in reason
        with pytest.raises(UnicodeDecodeError):
            oracle(body)


@given(st.text().filter(lambda text: "\x00" not in text and _encodable(text)))
def test_component_equals_what_quote_plus_encoded(text):
    assert decode_component(quote_plus(text).encode()) == text


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"a", {"a": ""}),
        (b"a=", {"a": ""}),
        (b"=a", {"": "a"}),
        (b"=&&x", {"": "", "x": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=b;c=d", {"a": "b;c=d"}),
        (b"a+b=c+d", {"a b": "c d"}),
        (b"a=%2B%26%3D%25", {"a": "+&=%"}),
        (b"a=%e2%82%aC", {"a": "€"}),
        ("a=€".encode(), {"a": "€"}),
        (b"scope=country.read%20customer.read", {"scope": "country.read customer.read"}),
    ],
)
def test_form_is_parsed(body, form):
    assert parse_form(body) == form


@pytest.mark.parametrize("component", [b"%", b"%4", b"%zz", b"%00", b"\x00", b"\xff", b"%ff"])
def test_error_does_not_quote_a_component_when_malformed(component):
    with pytest.raises(RequestError) as refused:
        decode_component(b"s3cret" + component)
    assert "s3cret" not in str(refused.value)


@given(st.text(alphabet=st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1))
def test_error_quotes_a_repeated_name_only_when_plain(name):
    with pytest.raises(RequestError) as refused:
        parse_form(urlencode([(name, "1"), (name, "2")]).encode())
    plain = len(name) <= 64 and all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    assert (f"'{name}'" in str(refused.value)) == plain


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
