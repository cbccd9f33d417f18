"""docs/reference/http.md and audit-api.md have every endpoint, and every parameter of an audit endpoint."""

import asyncio
import re

from documents import ROOT, sections, table

from api.http.app import AUDIT_ENDPOINTS, EVENT_STREAM, create_app
from api.http.audit.event_stream import EventStreamEndpoint
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


def test_every_parameter_of_an_audit_endpoint_and_no_other():
    for path, endpoint in (*AUDIT_ENDPOINTS, (EVENT_STREAM, EventStreamEndpoint)):
        declared = [(p.name, p.location) for p in endpoint.OPERATION.parameters]
        assert sorted(documented_parameters(path)) == sorted(declared), path


def documented_parameters(path):
    """Those of the section that the table of endpoints links an endpoint's path to."""
    (anchor,) = re.findall(rf"\[`{{issuer}}{re.escape(path)}`\]\(#([^)]+)\)", AUDIT)
    (section,) = (text for title, text in sections(AUDIT, 2).items() if title.lower().replace(" ", "-") == anchor)
    for names, place, *_ in (row for row in table(section) if len(row) == 3):
        for name in names.split(", "):
            yield name.strip("`"), place


class Described:
    identifier = IssuerIdentifier("http://localhost/tenant")
    audit = None


async def routes():
    class Service:
        issuers = (Described(),)

    return create_app(Service())
