"""An issuer (tenant): its identifier, and its use cases over its own log."""

import re
from concurrent.futures import Executor
from dataclasses import dataclass
from urllib.parse import urlsplit

from ledger.domain.clock import Clock, RandomBytes
from ledger.domain.recording import EventMapper
from ledger.use_cases.audit import AuditTrail
from ledger.use_cases.client_authentication import ClientAuthentication
from ledger.use_cases.client_registry import ClientRegistry
from ledger.use_cases.introspection import TokenIntrospection
from ledger.use_cases.issuance import TokenIssuance
from ledger.use_cases.ports import ActiveTokens, Clients, Streams, Writer
from ledger.use_cases.revocation import TokenRevocation

_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_VISIBLE = re.compile(r"[\x21-\x7E]+")
_HOST = re.compile(r"[a-z0-9._:-]+")


@dataclass(frozen=True)
class IssuerIdentifier:
    """An issuer's URL (RFC 8414 §2): https or http, no query, no fragment, no trailing slash."""

    url: str

    def __post_init__(self) -> None:
        """Raises ValueError, with the reason."""
        if not _is_absolute(self.url):
            msg = f"issuer {self.url!r}: must be an absolute https or http URL of ASCII characters without spaces"
            raise ValueError(msg)
        parts = urlsplit(self.url)
        if "?" in self.url or "#" in self.url or "@" in parts.netloc:
            msg = f"issuer {self.url!r}: must have no user, query or fragment (RFC 8414 §2)"
            raise ValueError(msg)
        if _PLAIN_PATH.fullmatch(parts.path) is None or {".", ".."} & set(parts.path.split("/")):
            msg = f"issuer {self.url!r}: its path must be plain (letters, digits, - . _ ~) and not end in a slash"
            raise ValueError(msg)

    @property
    def path(self) -> str:
        """The path of its endpoints: empty, or with a leading slash."""
        return urlsplit(self.url).path

    @property
    def log_name(self) -> str:
        """The name of its log: the path without its leading slash, or `default` when it has none."""
        return self.path.removeprefix("/") or "default"


def _is_absolute(url: str) -> bool:
    if _VISIBLE.fullmatch(url) is None:  # urlsplit silently drops some other characters
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port  # reading the port validates it
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and port != 0 and _HOST.fullmatch(host) is not None


@dataclass(frozen=True)
class Issuer:
    """The use cases of one issuer."""

    identifier: IssuerIdentifier
    authentication: ClientAuthentication
    issuance: TokenIssuance
    introspection: TokenIntrospection
    revocation: TokenRevocation
    registry: ClientRegistry
    clients: Clients
    streams: Streams
    audit: AuditTrail


def assemble_issuer(
    identifier: IssuerIdentifier,
    *,
    clients: Clients,
    active_tokens: ActiveTokens,
    streams: Streams,
    audit: AuditTrail,
    writer: Writer,
    mapper: EventMapper,
    verifications: Executor,
    clock: Clock,
    random_bytes: RandomBytes,
) -> Issuer:
    """Wire the use cases of an issuer to its views and its log."""
    authentication = ClientAuthentication(
        clients=clients, verifications=verifications, clock=clock, random_bytes=random_bytes
    )
    return Issuer(
        identifier=identifier,
        authentication=authentication,
        issuance=TokenIssuance(clients=clients, writer=writer, mapper=mapper, clock=clock, random_bytes=random_bytes),
        introspection=TokenIntrospection(authentication=authentication, active_tokens=active_tokens, clock=clock),
        revocation=TokenRevocation(
            active_tokens=active_tokens, streams=streams, writer=writer, mapper=mapper, clock=clock
        ),
        registry=ClientRegistry(streams=streams, writer=writer, mapper=mapper, clock=clock, random_bytes=random_bytes),
        clients=clients,
        streams=streams,
        audit=audit,
    )
