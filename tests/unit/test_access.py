"""Every route says who may use it, for each of its methods, or nothing starts."""

from __future__ import annotations

from typing import ClassVar

import pytest
from tornado.web import RequestHandler, StaticFileHandler

from sse_server.app import ROUTES, Server
from sse_server.config import Config
from sse_server.counters import Counters
from sse_server.guards.access import DECISIONS, UndecidedRouteError, decision
from sse_server.handlers.base import Route
from sse_server.handlers.intake import Application, methods_of
from sse_server.handlers.stalls import Stalls


class Undecided(Route):
    async def get(self):
        pass


class Mistyped(Undecided):
    access = "raed"


class HalfDecided(Undecided):
    access: ClassVar = {"GET": "read"}

    async def post(self):
        pass


class Foreign(RequestHandler):
    def get(self):
        pass


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (Undecided, "Undecided at /new does not say who may use it by GET"),
        (Mistyped, "says 'raed', which is no decision by GET"),
        (HalfDecided, "HalfDecided at /new does not say who may use it by POST"),
        (Foreign, "Foreign at /new does not say"),
        (StaticFileHandler, "by GET"),
    ],
)
def test_a_route_that_decides_nothing_keeps_the_server_from_starting(monkeypatch, route, says):
    with pytest.raises(UndecidedRouteError, match=says):
        Application([(r"/new", route, {})], Stalls(1.0, Counters()))
    monkeypatch.setattr("sse_server.app.ROUTES", [*ROUTES, (r"/new", route)])
    with pytest.raises(UndecidedRouteError, match=says):
        Server(Config(model="synthetic:")).application()


def test_a_route_that_decides_starts():
    class Decided(HalfDecided):
        access: ClassVar = {"GET": "read", "POST": "start"}

    Application([(r"/new", Decided, {})], Stalls(1.0, Counters()))


def test_every_route_of_the_server_has_decided():
    for path, route in ROUTES:
        methods = [method for method in methods_of(route) if method != "OPTIONS"]
        assert methods, path
        assert all(decision(route.access, method) in DECISIONS for method in methods)
