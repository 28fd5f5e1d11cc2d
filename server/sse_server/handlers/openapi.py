"""`/api/v1/openapi.json`: every route of this server, by OpenAPI 3.1. A test holds it against `app.ROUTES`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sse_server import __version__
from sse_server.handlers.base import JSON, PROBLEM, Route
from sse_server.handlers.schemas import (
    CONNECTION_FIELDS,
    EVENT_ID,
    KEY,
    QUESTION,
    RUN_FIELDS,
    STREAM_ID,
    Schema,
    refer,
    schemas,
)
from sse_widget.protocol.events import CONTENT_TYPE

VERSION = "3.1.0"
# OpenAPI 3.1 has no word for a sequence of events: as its tools take it, the schema is that of each one.
_STREAM: Schema = {CONTENT_TYPE: {"schema": refer("StreamEvent")}}
_CHUNKS: Schema = {CONTENT_TYPE: {"schema": refer("ChunkEvent")}}
_PLAYED: Schema = {CONTENT_TYPE: {"schema": {"type": "object"}}}
_PROBLEM: Schema = {PROBLEM: {"schema": refer("Problem")}}
_FAILED: Schema = {JSON: {"schema": refer("Failed")}}
_TEXT: Schema = {"type": "string"}


def _asked(name: str, schema: Schema, where: str = "query", **more: object) -> Schema:
    return {"name": name, "in": where, "schema": schema, **more}


def _queries(fields: Schema) -> list[Schema]:
    return [_asked(name, {"type": "string"} if name == "fault" else schema) for name, schema in fields.items()]


_ID = _asked("stream_id", {"type": "string", "pattern": STREAM_ID}, "path", required=True)
_NAME = _asked("name", _TEXT, "path", required=True)
_PLACE = _asked("Last-Event-ID", {"type": "string", "pattern": EVENT_ID}, "header")
_KEYED = _asked("Idempotency-Key", {"type": "string", "pattern": KEY}, "header")
_LANGUAGE = _asked("Accept-Language", {"type": "string", "examples": ["ar"]}, "header")
_TURN = _asked("X-SSE-Reconnect", {"type": "string", "examples": ["connection=2, reason=ended"]}, "header")
_LEAVING = _asked("X-On-Leave", {"const": "stop"}, "header")
_SPEED = _asked("speed", {"type": "number", "minimum": 0, "maximum": 1000, "examples": [0]})
_WAIT = _asked("wait_s", {"type": "number", "minimum": 0, "maximum": 30, "examples": [0]})
_FAULT = _asked("fault", _TEXT)


def _json(name: str, description: str = "") -> Schema:
    return {"description": description or name, "content": {JSON: {"schema": refer(name)}}}


def _body(name: str, *, required: bool = True) -> Schema:
    return {"required": required, "content": {JSON: {"schema": refer(name)}}}


def _operation(
    summary: str,
    answers: dict[int, Schema],
    refusals: tuple[int, ...],
    *,
    form: Schema = _PROBLEM,
    **more: Any,
) -> Schema:
    """Return an operation. Each may also be refused as a bad request, for want of credentials, or of rights."""
    refused = {
        str(status): {"description": HTTPStatus(status).phrase, "content": form}
        for status in sorted({400, 401, 403, 405, *refusals})
    }
    told = {str(status): answer for status, answer in answers.items()}
    parameters = [*more.pop("parameters", ()), _LANGUAGE]
    return {"summary": summary, "parameters": parameters, "responses": {**told, **refused}, **more}


_STREAMED: Schema = {
    "description": "hello, then the events of the run",
    "content": {**_STREAM, JSON: {"schema": refer("Frames")}},
    "headers": {"X-Stream-Id": {"schema": {"type": "string", "pattern": STREAM_ID}}},
}
_OVER: Schema = {"description": "the stream has ended and was read to its end"}
_EITHER: Schema = {**_STREAM, **_PROBLEM}
_QUESTIONS = [_asked("q", QUESTION), _asked("question", QUESTION), *_queries({**RUN_FIELDS, **CONNECTION_FIELDS})]
_START = [_PLACE, _KEYED, _TURN]
_RUN_GONE = (404, 410, 503)
_COMPLETION: Schema = {
    "description": "the completion, or its chunks",
    "content": {JSON: {"schema": refer("ChatCompletion")}, **_CHUNKS},
    "headers": {"X-Stream-Id": {"schema": {"type": "string", "pattern": STREAM_ID}}},
}

_FIGURES: Schema = {"text/plain": {"schema": _TEXT}, "application/openmetrics-text": {"schema": _TEXT}}
_METRICS = _operation("Figures for Prometheus", {200: {"description": "the figures", "content": _FIGURES}}, ())

PATHS: dict[str, dict[str, Schema]] = {
    "/api/v1/stream/chat": {
        "get": _operation(
            "Ask by a URL, and read the answer",
            {200: _STREAMED, 204: _OVER},
            (404, 410, 413, 429, 503),
            form=_EITHER,
            parameters=[*_QUESTIONS, *_START],
        ),
        "post": _operation(
            "Ask, and read the answer; with Accept: application/json, only start the run",
            {200: _STREAMED, 201: _json("Created"), 204: _OVER},
            (404, 410, 413, 429, 503),
            form=_EITHER,
            parameters=_START,
            requestBody=_body("ChatRequest"),
        ),
    },
    "/api/v1/stream/runs": {
        "post": _operation(
            "Start a run whose text is pushed from outside",
            {201: _json("Created")},
            (413, 429, 503),
            parameters=[_KEYED],
            requestBody=_body("PushedRunRequest", required=False),
        ),
    },
    "/api/v1/stream/runs/{stream_id}": {
        "get": _operation(
            "Read a run",
            {200: _STREAMED, 204: _OVER},
            _RUN_GONE,
            parameters=[_ID, *_queries(CONNECTION_FIELDS), _PLACE, _TURN],
        ),
        "delete": _operation("Stop the model", {202: _json("Ordered")}, _RUN_GONE, parameters=[_ID]),
        "patch": _operation(
            "Change the knobs of a running answer",
            {202: _json("Ordered")},
            (*_RUN_GONE, 413),
            parameters=[_ID],
            requestBody=_body("Knobs"),
        ),
    },
    "/api/v1/stream/runs/{stream_id}/tokens": {
        "post": _operation(
            "Push the next tokens of a run",
            {200: _json("Receipt")},
            (*_RUN_GONE, 409, 413),
            parameters=[_ID],
            requestBody=_body("TokenBatch"),
        ),
    },
    "/api/v1/stream/runs/{stream_id}/spans": {
        "get": _operation("What pages saw of a run", {200: _json("RunSpans")}, _RUN_GONE, parameters=[_ID, _WAIT]),
        "post": _operation(
            "Say what a page saw of a run",
            {204: {"description": "taken"}},
            (*_RUN_GONE, 409, 413),
            parameters=[_ID],
            requestBody=_body("Spans"),
        ),
    },
    "/api/v1/stream/ws": {
        "get": _operation(
            "Many streams on one WebSocket, as JSON text frames",
            {101: {"description": "the protocol is switched"}},
            (426,),
        ),
    },
    "/api/v1/stream/cassettes": {"get": _operation("The recordings", {200: _json("Cassettes")}, ())},
    "/api/v1/stream/cassettes/{name}": {
        "get": _operation(
            "Play a recording, byte for byte",
            {200: {"description": "the recorded bytes", "content": _PLAYED}},
            (404, 500),
            form=_EITHER,
            parameters=[_NAME, _SPEED, _FAULT, _TURN],
        ),
    },
    "/api/v1/stream/health": {"get": _operation("Figures of this process", {200: _json("Health")}, (), security=[])},
    "/api/v1/stream/ready": {
        "get": _operation(
            "Whether this server should get requests",
            {200: _json("Readiness"), 503: _json("Readiness", "what is wrong")},
            (),
            security=[],
        ),
    },
    "/api/v1/stream/metrics": {"get": _METRICS},
    "/metrics": {"get": _METRICS},
    "/api/v1/clock": {"get": _operation("The server's clock, in ns", {200: _json("Clock")}, ())},
    "/api/v1/openapi.json": {
        "get": _operation(
            "This document", {200: {"description": "OpenAPI", "content": {JSON: {"schema": {"type": "object"}}}}}, ()
        )
    },
    "/v1/chat/completions": {
        "post": _operation(
            "Ask as OpenAI's clients do",
            {200: _COMPLETION},
            (404, 410, 413, 429, 500, 502, 503, 504),
            form=_FAILED,
            parameters=[_KEYED, _LEAVING],
            requestBody=_body("CompletionRequest"),
        ),
    },
    "/v1/models": {"get": _operation("Models to choose from", {200: _json("Models")}, (), form=_FAILED)},
    "/v1/models/{name}": {
        "get": _operation("One model", {200: _json("Model")}, (404,), form=_FAILED, parameters=[_NAME]),
    },
    "/static/{name}": {
        "get": _operation(
            "A part of the widget's code",
            {200: {"description": "JavaScript", "content": {"text/javascript": {"schema": _TEXT}}}},
            (404,),
            form={**_PROBLEM, "text/html": {"schema": _TEXT}},
            parameters=[_asked("name", {"type": "string", "pattern": r"^part-[a-z]+\.js$"}, "path", required=True)],
            security=[],
        ),
    },
}


def document(prefix: str) -> Schema:
    """Return the whole document; `prefix` is the path in front of the routes."""
    return {
        "openapi": VERSION,
        "info": {"title": "sse-server", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": prefix or "/"}],
        "security": [{"token": []}, {"ticket": []}, {}],
        "paths": PATHS,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
            },
        },
    }


class DocumentHandler(Route):
    """The document. It tells nothing of this server that its documentation does not."""

    access = "read"

    async def get(self) -> None:
        """Answer with it."""
        self.send_json(document(self.services.prefix))
