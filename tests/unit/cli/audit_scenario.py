"""A short history for the audit commands."""

from uuid import UUID

from ledger.domain.events import ClientSettings
from ledger.domain.recording import Cause

FROM_SHOP = Cause(actor="client:shop", request_id="req-1", remote_address="192.0.2.7")
ADA = Cause(actor="operator:ada")


def settings(*scopes: str) -> ClientSettings:
    return ClientSettings(name="A client", grant_types=("client_credentials",), scopes=scopes)


async def record_history(issuer, clock):
    """Record two clients and three tokens, the second revoked after a minute; the head is 6."""
    shop = await issuer.registry.register("shop", settings("read", "write"), ADA)
    desk = await issuer.registry.register("desk", settings("read"), ADA)
    first = await issuer.issuance.issue_token(shop, ("read",), FROM_SHOP)
    second = await issuer.issuance.issue_token(shop, ("read", "write"), FROM_SHOP)
    clock.advance(minutes=1)
    await issuer.revocation.revoke_by_jti(UUID(second.jti), "laptop stolen", ADA)
    third = await issuer.issuance.issue_token(desk, ("read",), Cause(actor="client:desk"))
    clock.advance(minutes=1)
    return first, second, third
