"""The OpenAPI 3.1 document of one issuer."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web

from api.http.audit.documents import EventDocument
from api.http.audit.problems import ProblemDocument
from api.http.audit.shown_events import SHOWN_TYPES
from api.http.openapi.operations import SECURITY_SCHEMES, describe
from api.http.operation import READ, Operation, ResponseSpec
from api.http.responses import ErrorDocument, encode_json, public_response
from ledger.use_cases.issuer import IssuerIdentifier

REFERENCE = "#/components/schemas/{name}"

OPENAPI = Operation(
    name="openapi",
    methods=READ,
    tag="discovery",
    summary="This document",
    responses=(ResponseSpec(description="OpenAPI 3.1.", models=(dict[str, Any],)),),
)


class OpenApiEndpoint:
    """Serves the OpenAPI document of one issuer."""

    def __init__(self, identifier: IssuerIdentifier, operations: Mapping[str, Operation]) -> None:
        self._identifier = identifier
        self._operations = operations

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """Return the document, which is public and cacheable."""
        return public_response(self._body)

    @cached_property
    def _body(self) -> bytes:
        return encode_json(openapi_document(self._identifier, self._operations))


def openapi_document(identifier: IssuerIdentifier, operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Build the document from operations by path."""
    models = [m for operation in operations.values() for response in operation.responses for m in response.models]
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
        # Operation ids must be unique: two paths serve the metadata, and HEAD shares its operation with GET.
        name = operation.name if not path.startswith("/.well-known") else f"{operation.name}_of_host"
        described["operationId"] = f"{name}_head" if method == hdrs.METH_HEAD else name
        if method == hdrs.METH_HEAD:
            for response in described["responses"].values():
                response.pop("content", None)
        yield method.lower(), described


def schemas_of(models: Iterable[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return the schema of each model, and the components they refer to.

    The `data` of an event may be any of the shown event types.
    """
    listed = list(dict.fromkeys(models))
    shown = list(SHOWN_TYPES.values())
    schemas, components = msgspec.json.schema_components([*listed, *shown], ref_template=REFERENCE)
    any_event = {"anyOf": list(schemas[len(listed) :])}
    event_fields = {field.name for field in msgspec.structs.fields(EventDocument)}
    for component in components.values():
        properties = component.get("properties", {})
        if event_fields <= properties.keys():
            properties["data"] = any_event
    return dict(zip(listed, schemas, strict=False)), components
