"""The server's own log: one line an event, nothing in it that could be a question or a secret."""

from __future__ import annotations

import io
import json
import logging

import pytest

from sse_server.journal import JsonLines, TextLines, WithoutQueries
from sse_server.observer import Aliases


def written(formatter, message, *args, fields=None, error=None):
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    handler.addFilter(WithoutQueries())
    record = logging.LogRecord("sse_server.test", logging.INFO, "file.py", 1, message, args, error)
    if fields is not None:
        record.fields = fields
    handler.handle(record)
    return out.getvalue()


def test_a_json_line_has_what_machines_look_for():
    line = json.loads(written(JsonLines(), "run %s", "ended", fields={"stream_id": "ab", "code": "", "tokens": None}))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "logger": "sse_server.test", "event": "run ended", "stream_id": "ab"}


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2K"])
def test_nothing_that_is_logged_begins_a_line_of_its_own(formatter, end):
    forged = f"x{end}2026-01-01 INFO sse_server: forged"
    out = written(formatter, "said %s", forged, fields={"code": forged})
    assert out.endswith("\n")
    assert len(out.splitlines()) == 1
    assert "\x1b" not in out


def test_an_exception_stays_in_its_json_line():
    error = ValueError("no")
    out = written(JsonLines(), "failed", error=(ValueError, error, None))
    assert len(out.splitlines()) == 1
    assert json.loads(out)["exception"] == "ValueError: no"


def test_query_strings_of_libraries_are_not_written():
    out = written(TextLines(), "403 GET %s (127.0.0.1): not in the folder", "/x?q=secret&ticket=abc")
    assert "secret" not in out
    assert "abc" not in out
    assert "GET /x?… (127.0.0.1)" in out


def test_an_alias_tells_principals_apart_and_names_none():
    aliases = Aliases(b"one")
    assert aliases.alias("ada") == aliases.alias("ada") != aliases.alias("bob")
    assert len(aliases.alias("ada")) == 12
    assert aliases.alias("ada") != Aliases(b"another").alias("ada")
    assert aliases.alias(None) == aliases.alias("") == ""
