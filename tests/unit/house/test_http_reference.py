"""docs/reference/http.md and audit-api.md list every endpoint."""

import asyncio

from documents import ROOT

from api.http.app import create_app
from ledger.use_cases.issuer import IssuerIdentifier

TEXT = (ROOT / "docs/reference/http.md").read_text()
AUDIT = (ROOT / "docs/reference/audit-api.md").read_text()


def test_every_endpoint_is_listed():
    # The last one is where unknown paths are answered, not an endpoint.
    *resources, _ = asyncio.run(routes()).router.resources()
    paths = {resource.canonical for resource in resources}
    assert len(paths) > 5
    placed = {path.replace("/tenant", "", 1) if path.startswith("/tenant") else path for path in paths}
    missing = {path.removesuffix("/tenant") for path in placed if path.removesuffix("/tenant") not in TEXT + AUDIT}
    assert missing == set()


class Described:
    identifier = IssuerIdentifier("http://localhost/tenant")
    audit = None


async def routes():
    class Service:
        issuers = (Described(),)

    return create_app(Service())
