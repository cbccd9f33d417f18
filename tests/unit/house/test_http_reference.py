"""docs/reference/http.md has every error answer and every endpoint."""

import asyncio

from documents import ROOT, sections, table

import api.errors
from api.app import create_app
from api.errors import ErrorKind
from ledger.issuer import IssuerIdentifier

TEXT = (ROOT / "docs/reference/http.md").read_text()


def test_every_error_of_the_catalogue_and_no_other():
    documented = {(int(status), code) for status, code, _ in table(sections(TEXT, 2)["Errors"])}
    defined = {(kind.status, kind.code) for kind in vars(api.errors).values() if isinstance(kind, ErrorKind)}
    assert documented == defined


def test_every_endpoint_is_listed():
    # A path with a placeholder is where unknown paths are answered, not an endpoint.
    paths = {r.canonical for r in asyncio.run(routes()).router.resources() if "{" not in r.canonical}
    assert len(paths) > 5
    placed = {path.replace("/tenant", "", 1) if path.startswith("/tenant") else path for path in paths}
    missing = {path.removesuffix("/tenant") for path in placed if path.removesuffix("/tenant") not in TEXT}
    assert missing == set()


async def routes():
    class Described:
        identifier = IssuerIdentifier("http://localhost/tenant")

    class Service:
        issuers = (Described(),)

    return create_app(Service())
