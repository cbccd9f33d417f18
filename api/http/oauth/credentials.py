"""How a client authenticates itself to the token, introspection and revocation endpoints (RFC 6749 §2.3)."""

import binascii
from collections.abc import Sequence

from api.http.errors import INVALID_CLIENT, INVALID_REQUEST, RequestError
from api.http.form import Form, MalformedForm, decode_component

METHODS = ("client_secret_basic", "client_secret_post")


def read_credentials(authorization: Sequence[str], form: Form) -> tuple[str, str]:
    """The client id and secret of a request, as claimed: from its Authorization header, or from its body.

    Raises RequestError: 400 for a malformed header or two methods at once (§2.3: a client MUST NOT use more than one),
    401 when there is no authentication, or none of a kind that is supported.
    """
    form_secret = form.get("client_secret")
    assertion = form.get("client_assertion")
    if not authorization:
        if form_secret and assertion:
            raise RequestError(INVALID_REQUEST, "The client authenticates in two ways; one is allowed (RFC 6749 2.3).")
        client_id = form.get("client_id")
        if client_id and form_secret:
            return client_id, form_secret
        raise RequestError(INVALID_CLIENT, _NOT_AUTHENTICATED)
    if len(authorization) > 1:
        raise RequestError(INVALID_REQUEST, "The Authorization header is given more than once.")
    if form_secret or assertion:
        raise RequestError(INVALID_REQUEST, "The client authenticates in two ways; one is allowed (RFC 6749 2.3).")
    scheme, _, encoded = authorization[0].partition(" ")
    if scheme.lower() != "basic":
        raise RequestError(INVALID_CLIENT, _NOT_AUTHENTICATED)
    client_id, secret = _decode_basic(encoded.strip(" "))
    if form.get("client_id", "") not in {"", client_id}:
        raise RequestError(INVALID_REQUEST, "The client_id of the body is not that of the Authorization header.")
    return client_id, secret


def _decode_basic(encoded: str) -> tuple[str, str]:
    """RFC 7617 §2, over an id and a secret that are form-encoded each (RFC 6749 §2.3.1)."""
    try:
        user_pass = binascii.a2b_base64(encoded.encode("ascii"), strict_mode=True)
        client_id, colon, secret = user_pass.partition(b":")
        if client_id and colon:
            return decode_component(client_id), decode_component(secret)
    except (UnicodeEncodeError, binascii.Error, MalformedForm):
        pass
    raise RequestError(INVALID_REQUEST, "The Authorization header is malformed (RFC 6749 2.3.1).")


_NOT_AUTHENTICATED = f"Client authentication is required, by {' or '.join(METHODS)}."
