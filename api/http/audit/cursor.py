"""Where a listing of tokens goes on. It carries the moment of the first page, so that all pages are of that moment."""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

import msgspec
from msgspec import Struct

from ledger.domain.events import Instant
from ledger.domain.token_record import Moment
from ledger.use_cases.audit import TokenQuery

FINGERPRINT_BYTES = 9


class InvalidCursor(ValueError):
    """The text is no cursor, or not of this listing."""


class Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The moment of the listing, the position that the page is before, and what was listed."""

    position: int
    instant: Instant
    before: int
    listing: str

    @property
    def moment(self) -> Moment:
        """The moment that every page of the listing is of."""
        return Moment(self.position, self.instant)


_decode = msgspec.json.Decoder(Cursor).decode
_encode = msgspec.json.Encoder().encode


def listing_of(issuer: str, query: TokenQuery) -> str:
    """What tells one listing from another, besides its moment: whose tokens, and which."""
    asked = _encode((issuer, query))
    return urlsafe_b64encode(hashlib.sha256(asked).digest()[:FINGERPRINT_BYTES]).decode()


def write_cursor(listing: str, moment: Moment, before: int) -> str:
    """The cursor of the page that begins before a position."""
    made = _encode(Cursor(moment.position, moment.instant, before, listing))
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def read_cursor(text: str, listing: str, as_of: datetime | int | None) -> Cursor:
    """A cursor of this listing, and of this moment where one is given. Raises InvalidCursor."""
    try:
        cursor = _decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        msg = "is not the `next` of a page"
        raise InvalidCursor(msg) from error
    if cursor.listing != listing or as_of not in {None, cursor.position, cursor.instant}:
        msg = "belongs to a listing with other filters; repeat those it was made for"
        raise InvalidCursor(msg)
    if not 0 < cursor.before <= cursor.position:
        msg = "is not the `next` of a page"
        raise InvalidCursor(msg)
    return cursor
