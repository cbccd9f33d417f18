"""The OpenAPI 3.1 document of one issuer."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from api.http.audit.problems import ProblemDocument
from api.http.openapi.operations import describe
from api.http.openapi.schemas import schemas_of
from api.http.openapi.security import SECURITY_SCHEMES
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import ErrorDocument, encode_json, public_response
from ledger.use_cases.issuer import IssuerIdentifier

PLACE = "/openapi.json"

OPENAPI = Operation(
    name="openapi",
    methods=READ,
    tag="discovery",
    summary="This document",
    responses=(ResponseSpec(description="OpenAPI 3.1.", models=(dict[str, Any],)),),
)


class OpenApiEndpoint:
    """Serves the description of the endpoints of one issuer."""

    def __init__(self, identifier: IssuerIdentifier, operations: Mapping[str, Operation]) -> None:
        self._identifier = identifier
        self._operations = operations

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """Answer a request for the document. Anybody may see it and keep it for a while."""
        return public_response(self._body)

    @cached_property
    def _body(self) -> bytes:
        return encode_json(openapi_document(self._identifier, self._operations))


def openapi_document(identifier: IssuerIdentifier, operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The document over operations by their path."""
    responses = [reply for operation in operations.values() for reply in operation.responses]
    models = [model for reply in responses for model in reply.models]
    schemas, components = schemas_of([*models, ErrorDocument, ProblemDocument])
    parts = urlsplit(identifier.url)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Token Ledger",
            "version": version("token-ledger"),
            "description": f"The endpoints of the issuer {identifier.url}.",
        },
        "servers": [{"url": f"{parts.scheme}://{parts.netloc}"}],
        "paths": {path: dict(_path_item(path, operation, schemas)) for path, operation in operations.items()},
        "components": {"schemas": components, "securitySchemes": SECURITY_SCHEMES},
    }


def _path_item(path: str, operation: Operation, schemas: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for method in operation.methods:
        described = describe(operation, schemas)
        # An operation id names one operation: the path is added where several paths have the same, the method to HEAD.
        name = operation.name if not path.startswith("/.well-known") else f"{operation.name}_of_host"
        described["operationId"] = f"{name}_head" if method == hdrs.METH_HEAD else name
        if method == hdrs.METH_HEAD:
            for response in described["responses"].values():
                response.pop("content", None)
        yield method.lower(), described
