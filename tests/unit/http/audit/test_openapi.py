"""The OpenAPI document equals the routes and declarations."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from memory_service import MAIN, assert_error, serve

from api.http import errors
from api.http.app import create_app
from api.http.audit import parameters
from api.http.audit.documents import EventDocument
from api.http.errors import ErrorKind
from api.http.operation import Parameter
from ledger.domain.events import EVENT_TYPES

PLACE = "/ms-auth-server/openapi.json"


@pytest.fixture
async def document(http):
    return await (await http.get(PLACE)).json()


def operations(document) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for entry in value.values():
            yield from references(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry)


async def test_document_is_public_and_cacheable(http):
    response = await http.get(PLACE)
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert "max-age" in response.headers["Cache-Control"]
    assert (await http.head(PLACE)).status == 200
    await assert_error(await http.post(PLACE), 405, "invalid_request")


async def test_document_describes_exactly_the_routes_of_its_issuer(service, document):
    routed = {
        (resource.canonical, route.method)
        for resource in create_app(service).router.resources()
        for route in resource
        if route.method != "*" and "/other" not in resource.canonical
    }
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert described == routed
    assert len(routed) > 25


async def test_document_differs_when_issuer_differs(http, document):
    others = await (await http.get("/other/openapi.json")).json()
    assert "/other/audit/tokens" in others["paths"]
    assert not [path for path in document["paths"] if "/other" in path]
    assert MAIN in document["info"]["description"]
    assert document["servers"] == [{"url": "http://localhost:8085"}]


async def test_document_has_the_same_endpoints_when_issuer_is_at_the_root(aiohttp_client, document):
    http = (await serve(aiohttp_client, "https://id.example")).http
    root = await (await http.get("/openapi.json")).json()
    assert root["servers"] == [{"url": "https://id.example"}]
    assert {path.replace("/ms-auth-server", "") for path in document["paths"]} == set(root["paths"])


async def test_operation_ids_are_unique(document):
    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names)


async def test_references_resolve(document):
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = set(references(document))
    assert found <= there
    assert len(found) > 10


async def test_event_schemas_have_no_withheld_fields(document):
    schemas = document["components"]["schemas"]
    shown = {reference.rpartition("/")[2] for reference in references(schemas[EventDocument.__name__]["properties"])}
    assert shown == {event_type.__name__ for event_type in EVENT_TYPES}
    properties = {name for schema in schemas.values() for name in schema.get("properties", {})}
    assert not properties & {"digest", "hash"}


async def test_parameters_equal_their_declarations(document):
    declared = [value for value in vars(parameters).values() if isinstance(value, Parameter)]
    described = [parameter for operation in operations(document) for parameter in operation.get("parameters", [])]
    for parameter in declared:
        if parameter.location != "form":
            assert any(
                (found["name"], found["in"], found["description"])
                == (parameter.name, parameter.location, parameter.description)
                and found["schema"] == json.loads(json.dumps(parameter.schema))
                for found in described
            ), parameter.name


async def test_document_has_every_error_of_the_catalogue(document):
    described = {
        (int(status), code)
        for operation in operations(document)
        for status, response in operation["responses"].items()
        for content in response.get("content", {}).values()
        for code in content.get("examples", {})
    }
    catalogue = {(kind.status, kind.code) for kind in vars(errors).values() if isinstance(kind, ErrorKind)}
    # The document cannot describe paths and methods that do not exist.
    assert catalogue - described == {(404, "not_found"), (405, "invalid_request")}


async def test_operations_declare_their_authentication(document):
    for path, item in document["paths"].items():
        for operation in item.values():
            schemes = {name for requirement in operation["security"] for name in requirement}
            if "/audit/" in path:
                assert schemes == {"bearer"}
                assert {"401", "403"} <= operation["responses"].keys()
            elif "/oauth2/" in path:
                assert schemes == {"client_secret_basic"}
                assert "client_secret" in json.dumps(operation["requestBody"])
            else:
                assert schemes == set()
