"""The OpenAPI 3.1 document of one issuer, made of what its endpoints declare."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web

from api.http import errors
from api.http.audit.documents import EventDocument
from api.http.audit.problems import AUDIT_SCOPE, ProblemDocument, problem_document
from api.http.audit.problems import MEDIA_TYPE as PROBLEM
from api.http.audit.shown_events import SHOWN_TYPES
from api.http.errors import ErrorKind, RequestError
from api.http.form import MEDIA_TYPE as FORM
from api.http.operation import JSON, READ, Operation, Parameter, ResponseSpec, Security
from api.http.request_context import REQUEST_ID
from api.http.responses import POSITION_HEADER, PUBLIC_HEADERS, ErrorDocument, RawResponse, encode_json
from ledger.use_cases.issuer import IssuerIdentifier

REFERENCE = "#/components/schemas/{name}"

OPENAPI = Operation(
    name="openapi",
    methods=READ,
    tag="discovery",
    summary="This document",
    responses=(ResponseSpec(description="OpenAPI 3.1.", models=(dict[str, Any],)),),
)


SECURITY_SCHEMES: dict[str, Any] = {
    "client_secret_basic": {
        "type": "http",
        "scheme": "basic",
        "description": "RFC 6749 §2.3.1: id and secret, each form-encoded. Alternatively `client_id` and "
        "`client_secret` in the form, never both.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": f"RFC 6750 §2.1: an access token of this issuer with the scope `{AUDIT_SCOPE}`.",
    },
}
_REQUIREMENTS: dict[Security, list[dict[str, list[str]]]] = {
    "none": [],
    "client": [{"client_secret_basic": []}, {}],  # {}: the client authenticates in the form
    "bearer": [{"bearer": []}],
}
_COMMON_ERRORS = (errors.INVALID_REQUEST, errors.SERVER_ERROR)
_FORM_ERRORS = (errors.CONTENT_TOO_LARGE, errors.UNSUPPORTED_MEDIA_TYPE)
_SECURITY_ERRORS: Mapping[str, tuple[ErrorKind, ...]] = {
    "none": (),
    "client": (errors.INVALID_CLIENT, errors.TEMPORARILY_UNAVAILABLE),
    "bearer": (
        errors.NOT_AUTHENTICATED,
        errors.INVALID_TOKEN,
        errors.INSUFFICIENT_SCOPE,
        errors.TEMPORARILY_UNAVAILABLE,
    ),
}
_CLIENT_FIELDS = {
    "client_id": {"type": "string", "description": "With client_secret_post."},
    "client_secret": {"type": "string", "format": "password", "description": "With client_secret_post."},
}
_HEADERS = {
    POSITION_HEADER: {
        "description": "The log position of the recorded event, or the position that the response reflects.",
        "schema": {"type": "integer", "minimum": 0},
    },
    REQUEST_ID: {"description": "Identifies the log line of this request.", "schema": {"type": "string"}},
    hdrs.RETRY_AFTER: {"description": "Seconds.", "schema": {"type": "integer"}},
    hdrs.WWW_AUTHENTICATE: {"description": "How to authenticate.", "schema": {"type": "string"}},
}


class OpenApiEndpoint:
    """Serves the OpenAPI document of one issuer."""

    def __init__(self, identifier: IssuerIdentifier, operations: Mapping[str, Operation]) -> None:
        self._identifier = identifier
        self._operations = operations

    async def handle(self, _request: web.Request) -> web.StreamResponse:
        """Return the document, which is public and cacheable."""
        return RawResponse(PUBLIC_HEADERS, self._body)

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
        described = _describe(operation, schemas)
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


def _describe(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    """Describe an operation; `schemas` maps models to their schemas."""
    form = operation.parameters_in("form")
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _REQUIREMENTS[operation.security],
        "responses": {**_responses(operation, schemas), **_errors(operation, schemas)},
    }
    if operation.description:
        described["description"] = operation.description
    if others := operation.parameters_in("path", "query", "header"):
        described["parameters"] = [_parameter(parameter) for parameter in others]
    if form:
        described["requestBody"] = _body(form, client_fields=operation.security == "client")
    return described


def _parameter(parameter: Parameter[Any]) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.location,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
        **parameter.style,
    }
    return described if parameter.example is None else described | {"example": parameter.example}


def _body(form: Iterable[Parameter[Any]], *, client_fields: bool) -> dict[str, Any]:
    properties = {p.name: {**p.schema, "description": p.description} for p in form}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**properties, **(_CLIENT_FIELDS if client_fields else {})},
        "required": [parameter.name for parameter in form if parameter.required],
    }
    if not client_fields:
        schema["additionalProperties"] = False
    return {"required": True, "content": {FORM: {"schema": schema}}}


def _responses(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, responses in operation.responses_by_status.items():
        described: dict[str, Any] = {
            "description": " Or: ".join(response.description for response in responses),
            "headers": _headers({REQUEST_ID, *(header for response in responses for header in response.headers)}),
        }
        content = {response.media_type: _content(response, schemas) for response in responses if response.models}
        if content:
            described["content"] = content
        found[str(status)] = described
    return found


def _content(response: ResponseSpec, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    schemas_of_body = [schemas[model] for model in response.models]
    schema = schemas_of_body[0] if len(schemas_of_body) == 1 else {"anyOf": schemas_of_body}
    if response.media_type != JSON:  # OpenAPI 3.1 cannot describe the items of a stream
        schema = {"type": "string", "x-item": schema}
    return {"schema": schema} if response.example is None else {"schema": schema, "example": response.example}


def _errors(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    kinds = [*_COMMON_ERRORS, *_SECURITY_ERRORS[operation.security], *operation.errors]
    if operation.parameters_in("form"):
        kinds.extend(_FORM_ERRORS)
    by_status: dict[int, list[ErrorKind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    taken = operation.responses_by_status
    return {
        str(status): _error(operation, same_status, schemas)
        for status, same_status in sorted(by_status.items())
        if status not in taken
    }


def _error(operation: Operation, kinds: list[ErrorKind], schemas: Mapping[Any, Any]) -> dict[str, Any]:
    is_problem = operation.security == "bearer"
    headers = {REQUEST_ID}
    if kinds[0].status == errors.TEMPORARILY_UNAVAILABLE.status:
        headers.add(hdrs.RETRY_AFTER)
    if is_problem and kinds[0] in _SECURITY_ERRORS["bearer"][:3]:
        headers.add(hdrs.WWW_AUTHENTICATE)
    model = ProblemDocument if is_problem else ErrorDocument
    documents: list[object] = [
        problem_document(RequestError(kind), "r-1") if is_problem else ErrorDocument(kind.code, kind.description)
        for kind in kinds
    ]
    examples = {kind.code: {"value": document} for kind, document in zip(kinds, documents, strict=True)}
    return {
        "description": " ".join(f"`{kind.code}`: {kind.description}" for kind in kinds),
        "headers": _headers(headers),
        "content": {PROBLEM if is_problem else JSON: {"schema": schemas[model], "examples": examples}},
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: _HEADERS[name] for name in sorted(names)}
