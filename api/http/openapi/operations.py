"""One operation as OpenAPI describes it."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import hdrs

from api.http import errors
from api.http.audit.problems import MEDIA_TYPE as PROBLEM
from api.http.audit.problems import ProblemDocument, problem
from api.http.errors import ErrorKind
from api.http.form import MEDIA_TYPE as FORM
from api.http.openapi.security import REQUIREMENTS
from api.http.operation import JSON, Operation, ResponseSpec
from api.http.parameters import Parameter
from api.http.request_context import REQUEST_ID
from api.http.responses import POSITION_HEADER, ErrorDocument, encode_json

_EVERY = (errors.INVALID_REQUEST, errors.SERVER_ERROR)
_OF_FORMS = (errors.CONTENT_TOO_LARGE, errors.UNSUPPORTED_MEDIA_TYPE)
_OF_SECURITY: Mapping[str, tuple[ErrorKind, ...]] = {
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
        "description": "The position of the log that this is, or reflects.",
        "schema": {"type": "integer", "minimum": 0},
    },
    REQUEST_ID: {"description": "Leads to the log line of this request.", "schema": {"type": "string"}},
    hdrs.RETRY_AFTER: {"description": "In seconds.", "schema": {"type": "integer"}},
    hdrs.WWW_AUTHENTICATE: {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def describe(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    """The operation; `schemas` has those of its models."""
    form = operation.parameters_in("form")
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": REQUIREMENTS[operation.security],
        "responses": {**_replies(operation, schemas), **_errors(operation, schemas)},
    }
    if operation.description:
        described["description"] = operation.description
    if others := operation.parameters_in("path", "query", "header"):
        described["parameters"] = [_parameter(parameter) for parameter in others]
    if form:
        described["requestBody"] = _body(form, of_client=operation.security == "client")
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


def _body(form: Iterable[Parameter[Any]], *, of_client: bool) -> dict[str, Any]:
    properties = {p.name: {**p.schema, "description": p.description} for p in form}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {**properties, **(_CLIENT_FIELDS if of_client else {})},
        "required": [parameter.name for parameter in form if parameter.required],
    }
    if not of_client:
        schema["additionalProperties"] = False
    return {"required": True, "content": {FORM: {"schema": schema}}}


def _replies(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, responses in operation.responses_by_status.items():
        described: dict[str, Any] = {
            "description": " Or: ".join(reply.description for reply in responses),
            "headers": _headers({REQUEST_ID, *(header for reply in responses for header in reply.headers)}),
        }
        content = {reply.media_type: _content(reply, schemas) for reply in responses if reply.models}
        if content:
            described["content"] = content
        found[str(status)] = described
    return found


def _content(reply: ResponseSpec, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    schemas_of_body = [schemas[model] for model in reply.models]
    schema = schemas_of_body[0] if len(schemas_of_body) == 1 else {"anyOf": schemas_of_body}
    if reply.media_type != JSON:  # many documents in one text: OpenAPI 3.1 has no way to say what each is
        schema = {"type": "string", "x-item": schema}
    content = {"schema": schema}
    if reply.example is None:
        return content
    text = reply.media_type == JSON or isinstance(reply.example, str)
    return content | {"example": reply.example if text else encode_json(reply.example).decode() + "\n"}


def _errors(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    kinds = [*_EVERY, *_OF_SECURITY[operation.security], *operation.errors]
    if operation.parameters_in("form"):
        kinds.extend(_OF_FORMS)
    by_status: dict[int, list[ErrorKind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    taken = operation.responses_by_status
    return {
        str(status): _error(operation, of_status, schemas)
        for status, of_status in sorted(by_status.items())
        if status not in taken
    }


def _error(operation: Operation, kinds: list[ErrorKind], schemas: Mapping[Any, Any]) -> dict[str, Any]:
    with_problems = operation.security == "bearer"
    headers = {REQUEST_ID}
    if kinds[0].status == errors.TEMPORARILY_UNAVAILABLE.status:
        headers.add(hdrs.RETRY_AFTER)
    if with_problems and kinds[0] in _OF_SECURITY["bearer"][:3]:
        headers.add(hdrs.WWW_AUTHENTICATE)
    model = ProblemDocument if with_problems else ErrorDocument
    examples = {
        kind.code: {"value": problem(kind, "r-1") if with_problems else ErrorDocument(kind.code, kind.description)}
        for kind in kinds
    }
    return {
        "description": " ".join(f"`{kind.code}`: {kind.description}" for kind in kinds),
        "headers": _headers(headers),
        "content": {PROBLEM if with_problems else JSON: {"schema": schemas[model], "examples": examples}},
    }


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: _HEADERS[name] for name in sorted(names)}
