"""The description of the routes: it names each of them and no other, and what it refers to is there."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from sse_server.app import ROUTES
from sse_server.handlers.intake import methods_of
from sse_server.handlers.openapi import PATHS, document

_SILENT = {"OPTIONS", "HEAD"}


def shape(path):
    """Return a path with a hole for each of its parameters, whatever they are called."""
    return re.sub(r"\{[a-z_]+\}", "{}", re.sub(r"\([^)]*\)", "{}", path)).replace("\\", "")


def test_every_route_and_method_is_described_and_nothing_else():
    routes = {(shape(path), name) for path, route in ROUTES for name in methods_of(route) if name not in _SILENT}
    described = {(shape(path), name.upper()) for path, methods in PATHS.items() for name in methods}
    assert described == routes


def test_what_is_referred_to_is_there():
    text = json.dumps(document(""))
    schemas = document("")["components"]["schemas"]
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert referred <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_parameters_of_each_path_are_described():
    for path, methods in PATHS.items():
        for operation in methods.values():
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


@pytest.mark.parametrize("name", ["/api/v1/openapi.json"])
async def test_the_document_is_served(serve, name):
    served = await serve()
    answer = await served.client.get(name)
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["paths"].keys() == PATHS.keys()
