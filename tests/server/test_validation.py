"""Bad input: each its status, its code and a message in the reader's language; the server goes on after each."""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress

import pytest

from rig.serving import CHAT, RUNS
from sse_server.errors import preferred_lang
from sse_widget.protocol.sse import Parser

ARABIC = re.compile("[\u0600-\u06ff]")
LONG = "س" * 10_001


def body(**fields):
    return {"content": json.dumps(fields).encode()}


def raw(content):
    return {"content": content}


def query(text):
    return {"method": "GET", "url": f"{CHAT}?{text}"}


# name: request, status, code, what the English message names
BAD = {
    "no body": (raw(b""), 400, "question_required", '"q"'),
    "a blank body": (raw(b" \n\t "), 400, "question_required", '"q"'),
    "an empty object": (body(), 400, "question_required", '"q"'),
    "an empty question": (body(q=""), 400, "question_required", '"q"'),
    "a blank question": (body(q=" \t\n\u00a0\u3000"), 400, "question_required", '"q"'),
    "an empty question by its other name": (body(question=""), 400, "question_required", '"q"'),
    "no messages": (body(messages=[]), 400, "question_required", '"q"'),
    "a blank last message": (body(messages=[{"role": "user", "content": " "}]), 400, "question_required", '"q"'),
    "GET without a question": (query(""), 400, "question_required", '"q"'),
    "GET with an empty question": (query("q="), 400, "question_required", '"q"'),
    "GET with a blank question": (query("q=+%20%0A"), 400, "question_required", '"q"'),
    "a null question": (body(q=None), 400, "invalid_request", '"q" must be a text; got null'),
    "a number as question": (body(q=5), 400, "invalid_request", '"q" must be a text; got 5'),
    "zero as question": (body(q=0), 400, "invalid_request", '"q" must be a text; got 0'),
    "false as question": (body(q=False), 400, "invalid_request", '"q" must be a text; got false'),
    "a list as question": (body(q=["hi"]), 400, "invalid_request", '"q" must be a text; got a JSON array'),
    "an object as question": (body(q={"a": 1}), 400, "invalid_request", "got a JSON object"),
    "messages that are no list": (body(messages="hi"), 400, "invalid_request", '"messages"'),
    "a message without content": (body(messages=[{"role": "user"}]), 400, "invalid_request", "content"),
    "a message of a strange role": (body(messages=[{"role": "root", "content": "x"}]), 400, "invalid_request", "role"),
    "10,001 characters": (body(q=LONG), 413, "question_too_long", "10001 characters; at most 10000"),
    "10,001 characters by GET": (query("q=" + "x" * 10_001), 413, "question_too_long", "10001"),
    "10,001 characters in an earlier message": (
        body(messages=[{"role": "user", "content": LONG}, {"role": "user", "content": "hi"}]),
        413,
        "question_too_long",
        "10001",
    ),
    "a body just too large": (raw(b'{"q":"' + b"x" * (1 << 20) + b'"}'), 413, "question_too_long", "1048576 bytes"),
    "a body of 9 MiB": (raw(b"x" * (9 << 20)), 413, "question_too_long", "1048576 bytes"),
    "a body that is no JSON": (raw(b"q=hi"), 400, "invalid_request", "JSON"),
    "half a JSON": (raw(b'{"q": "hi"'), 400, "invalid_request", "JSON"),
    "two JSON": (raw(b'{"q": "hi"}{"q": "hi"}'), 400, "invalid_request", "JSON"),
    "a JSON list": (raw(b'["hi"]'), 400, "invalid_request", "it is a JSON array, not an object"),
    "a JSON text": (raw(b'"hi"'), 400, "invalid_request", "it is a JSON string, not an object"),
    "a JSON null": (raw(b"null"), 400, "invalid_request", "it is a JSON null, not an object"),
    "a JSON true": (raw(b"true"), 400, "invalid_request", "it is a JSON boolean, not an object"),
    "deep nesting": (raw(b'{"q":' + b"[" * 200_000), 400, "invalid_request", "JSON"),
    "closed deep nesting": (raw(b'{"q":' + b"[" * 90_000 + b"]" * 90_000 + b"}"), 400, "invalid_request", "JSON"),
    "nesting that a decoder takes": (raw(b'{"q":' + b"[" * 400 + b"]" * 400 + b"}"), 400, "invalid_request", "array"),
    "NaN": (raw(b'{"q":"hi","temperature":NaN}'), 400, "invalid_request", "JSON"),
    "Infinity": (raw(b'{"q":"hi","temperature":-Infinity}'), 400, "invalid_request", "JSON"),
    "an overflowing number": (raw(b'{"q":"hi","temperature":1e999}'), 400, "invalid_request", "JSON"),
    "a number of 400 digits": (raw(b'{"q":"hi","delay_ms":' + b"9" * 400 + b"}"), 400, "invalid_request", "delay_ms"),
    "a whole number of 400 digits": (
        raw(b'{"q":"hi","max_tokens":-' + b"9" * 400 + b"}"),
        400,
        "invalid_request",
        "max_tokens",
    ),
    "a number of 9,000 digits": (raw(b'{"q":"hi","seed":' + b"9" * 9000 + b"}"), 400, "invalid_request", ""),
    "a byte order mark": (raw(b'\xef\xbb\xbf{"q":"hi"}'), 400, "invalid_request", "JSON"),
    "UTF-16": (raw('{"q":"hi"}'.encode("utf-16")), 400, "invalid_request", "UTF-8"),
    "invalid UTF-8": (raw(b'{"q":"\xff\xfe"}'), 400, "invalid_request", "The request body is not valid UTF-8"),
    "cut UTF-8": (raw('{"q":"س'.encode()[:-1]), 400, "invalid_request", "The request body is not valid UTF-8"),
    "overlong UTF-8": (raw(b'{"q":"\xc0\xaf"}'), 400, "invalid_request", "The request body is not valid UTF-8"),
    "an encoded surrogate": (raw(b'{"q":"\xed\xa0\x80"}'), 400, "invalid_request", "The request body is not valid"),
    "a lone surrogate": (raw(b'{"q":"hi \\ud83d"}'), 400, "invalid_request", "JSON"),
    "a surrogate in a name": (raw(b'{"q":"hi","\\ude00":1}'), 400, "invalid_request", "JSON"),
    "NUL in the question": (body(q="a\0b"), 400, "invalid_request", "The question is not valid"),
    "NUL in the question by GET": (query("q=a%00b"), 400, "invalid_request", "The question is not valid"),
    "invalid UTF-8 in the query": (query("q=%ff%fe"), 400, "invalid_request", 'The parameter "q" is not valid UTF-8'),
    "cut UTF-8 in the query": (query("q=%d8"), 400, "invalid_request", 'The parameter "q" is not valid UTF-8'),
    "invalid UTF-8 in another parameter": (query("q=hi&model=%ff"), 400, "invalid_request", '"model"'),
    "an unknown parameter": (body(q="hi", temprature=1), 400, "invalid_request", 'no parameter "temprature"'),
    "an unknown parameter by GET": (query("q=hi&speed=9"), 400, "invalid_request", 'no parameter "speed"'),
    "an Arabic parameter": (query("q=hi&%D8%B3=9"), 400, "invalid_request", 'no parameter "س"'),
    "an empty name": (body(**{"q": "hi", "": 1}), 400, "invalid_request", 'no parameter ""'),
    "a name of a format": (body(**{"q": "hi", "{code.__class__}": 1}), 400, "invalid_request", "{code.__class__}"),
    "a very long name": (body(**{"q": "hi", "x" * 100_000: 1}), 400, "invalid_request", "x" * 60 + '"'),
    "an unknown model": (body(q="hi", model="gpt-9"), 400, "invalid_request", '"gpt-9" is not offered here'),
    "a model's path": (body(q="hi", model="/etc/passwd.gguf"), 400, "invalid_request", "is not offered here"),
    "a model that is a number": (body(q="hi", model=4), 400, "invalid_request", '"model" must be the name of a model'),
    "a model without end": (
        body(q="hi", model="m" * 501),
        400,
        "invalid_request",
        '"model" must be the name',
    ),
    "a model that is false": (body(q="hi", model=False), 400, "invalid_request", '"model" must be the name'),
    "a model that is an empty list": (body(q="hi", model=[]), 400, "invalid_request", '"model" must be the name'),
    "an unknown knob of the synthetic model": (
        body(q="hi", model="synthetic:speed=5"),
        400,
        "invalid_request",
        'no parameter "speed". Known ones: tokens, rate',
    ),
    "no synthetic tokens": (
        body(q="hi", model="synthetic:tokens=0"),
        400,
        "invalid_request",
        '"synthetic:tokens" must be a whole number from 1 to 100000; got "0"',
    ),
    "half a synthetic token": (body(q="hi", model="synthetic:tokens=1.5"), 400, "invalid_request", "synthetic:tokens"),
    "too many synthetic tokens": (body(q="hi", model="synthetic:tokens=100001"), 400, "invalid_request", "100000"),
    "a synthetic rate of nan": (body(q="hi", model="synthetic:rate=nan"), 400, "invalid_request", "synthetic:rate"),
    "a negative synthetic rate": (body(q="hi", model="synthetic:rate=-1"), 400, "invalid_request", "synthetic:rate"),
    "a synthetic jitter of 2": (body(q="hi", model="synthetic:jitter=2"), 400, "invalid_request", "from 0 to 1"),
    "an unknown synthetic lang": (body(q="hi", model="synthetic:lang=tlh"), 400, "invalid_request", "one of en, ar"),
    "a synthetic value without its name": (body(q="hi", model="synthetic:5"), 400, "invalid_request", '"5"'),
    "a synthetic seed of 5000 digits": (body(q="hi", model="synthetic:seed=" + "9" * 5000), 400, "invalid_request", ""),
    "no chunk": (body(q="hi", chunk_tokens=0), 400, "invalid_request", "a whole number from 1 to 1000; got 0"),
    "half a chunk": (body(q="hi", chunk_tokens=1.5), 400, "invalid_request", "chunk_tokens"),
    "a chunk of true": (body(q="hi", chunk_tokens=True), 400, "invalid_request", "got true"),
    "a chunk in words": (query("q=hi&chunk_tokens=six"), 400, "invalid_request", 'got "six"'),
    "an empty chunk": (query("q=hi&chunk_tokens="), 400, "invalid_request", 'got ""'),
    "an underlined chunk": (query("q=hi&chunk_tokens=1_0"), 400, "invalid_request", 'got "1_0"'),
    "a delay of nan": (query("q=hi&delay_ms=nan"), 400, "invalid_request", "delay_ms"),
    "a delay of inf": (query("q=hi&delay_ms=inf"), 400, "invalid_request", "delay_ms"),
    "a negative delay": (body(q="hi", delay_ms=-1), 400, "invalid_request", "a number from 0 to 60000; got -1"),
    "a null delay": (body(q="hi", delay_ms=None), 400, "invalid_request", "got null"),
    "a flag of maybe": (body(q="hi", flush_on_punctuation="maybe"), 400, "invalid_request", "true or false"),
    "a flag of 2": (body(q="hi", flush_on_punctuation=2), 400, "invalid_request", "true or false; got 2"),
    "hot": (body(q="hi", temperature=2.1), 400, "invalid_request", "a number from 0 to 2; got 2.1"),
    "a negative seed": (body(q="hi", seed=-1), 400, "invalid_request", "from 0 to 4294967295; got -1"),
    "no tokens": (body(q="hi", max_tokens=0), 400, "invalid_request", "max_tokens"),
    "a heartbeat of nothing": (query("q=hi&heartbeat_s=0"), 400, "invalid_request", "a number from 0.05 to 300"),
    "snapshot of maybe": (query("q=hi&snapshot=maybe"), 400, "invalid_request", "true or false"),
    "once of a list": (body(q="hi", once=[1]), 400, "invalid_request", "true or false; got a JSON array"),
    "a conversation with blanks": (body(q="hi", conversation_id="a b"), 400, "invalid_request", "conversation_id"),
    "a conversation with a line": (body(q="hi", conversation_id="a\n"), 400, "invalid_request", "conversation_id"),
    "a conversation that is a number": (body(q="hi", conversation_id=1), 400, "invalid_request", "got 1"),
    "a long conversation": (body(q="hi", conversation_id="a" * 65), 400, "invalid_request", "1 to 64"),
    "a key with CR and LF": (body(q="hi", key="a\r\nX-Evil: 1"), 400, "invalid_request", '"key"'),
    "a key with CR and LF by GET": (query("q=hi&key=a%0d%0aX-Evil:+1"), 400, "invalid_request", '"key"'),
    "a key that is a number": (body(q="hi", key=5), 400, "invalid_request", '"key"'),
    "a key of false": (body(q="hi", key=False), 400, "invalid_request", '"key"'),
    "a long key": (body(q="hi", key="k" * 201), 400, "invalid_request", "1 to 200 visible ASCII"),
    "an Arabic key": (body(q="hi", key="مفتاح"), 400, "invalid_request", "1 to 200 visible ASCII"),
    "a non-ASCII key header": (
        {**body(q="hi"), "headers": {"Idempotency-Key": b"\xff\xfe"}},
        400,
        "invalid_request",
        "1 to 200 visible ASCII",
    ),
    "a non-ASCII Last-Event-ID": (
        {**body(q="hi"), "headers": {"Last-Event-ID": b"\xff\xfe"}},
        400,
        "invalid_request",
        "last event id",
    ),
    "a broken form": (
        {**raw(b"x"), "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        400,
        "invalid_request",
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_refused_in_words(serve, error_of, name):
    request, status, code, says = BAD[name]
    served = await serve()
    wanted = {"method": "POST", "url": CHAT, **request}
    own = wanted.pop("headers", {})

    english = await served.client.request(**wanted, headers=own)
    assert english.headers["content-type"] == "text/event-stream; charset=utf-8"
    got = error_of(english)
    assert got[:2] == (status, code)
    assert says in got[2]
    assert len(got[2]) < 600
    assert json.loads(Parser().feed(english.content)[0].data)["retryable"] is False
    assert "x-evil" not in english.headers

    problem = await served.client.request(**wanted, headers={**own, "Accept": "application/json"})
    assert problem.headers["content-type"] == "application/problem+json"
    assert error_of(problem) == got

    arabic = await served.client.request(**wanted, headers={**own, "Accept-Language": "ar-SA, en;q=0.5"})
    assert error_of(arabic)[:2] == (status, code)
    assert len(ARABIC.findall(error_of(arabic)[2])) > 10

    good = await served.client.post(CHAT, json={"q": "still there?"})
    assert Parser().feed(good.content)[-1].event == "done"
    assert served.server.services.runs.running == 0


GOOD = {
    "10,000 characters": body(q="س" * 10_000),
    "duplicated parameters, of which the last counts": query("q=&q=hi&chunk_tokens=x&chunk_tokens=3"),
    "raw UTF-8 in the query": query("q=hi&conversation_id=c-1"),
    "text of all kinds": body(q="'; DROP TABLE runs; -- <script>alert(1)</script> \u2028 \u202e 👩‍👩‍👧‍👦 \x07"),
    "its other name": body(question="hi"),
    "messages": body(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]),
    "numbers as text": query("q=hi&chunk_tokens=3&chunk_ms=10.5&delay_ms=0&temperature=1e0&seed=5&max_tokens=4"),
    "flags in every spelling": query("q=hi&flush_on_punctuation=Off&snapshot=no&once=0"),
    "a whole number with a point": raw(b'{"q":"hi","chunk_tokens":6.0}'),
    "the same name twice": raw(b'{"q":"","q":"hi"}'),
    "the parameters of whoever carries the request": query("q=hi&_=1700000000&token=x&_xsrf=y"),
    "a form's content type": {**body(q="a=b&c"), "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    "an empty key": body(q="hi", key=""),
    "an empty model": body(q="hi", model=""),
}


@pytest.mark.parametrize("name", GOOD)
async def test_odd_but_good_input_is_answered(serve, name):
    served = await serve()
    answer = await served.client.request(**{"method": "POST", "url": CHAT, **GOOD[name]})
    assert answer.status_code == 200, answer.text
    assert Parser().feed(answer.content)[-1].event == "done"


async def test_the_longest_question_fits_into_a_url(serve):
    served = await serve()
    for count, status in ((10_000, 200), (10_001, 413)):
        wire = await served.wire()
        await wire.ask("GET", f"{CHAT}?q={'%F0%9F%99%82' * count}", Connection="close")
        assert (await wire.head())[0] == status
        assert Parser().feed(await wire.rest())
        await wire.cut()


async def test_the_question_reaches_the_model_as_it_was_sent(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    text = 'ما هو\u2028البث؟ 👩‍👩‍👧‍👦 \\ " \x07 é'
    for request in ({"json": {"q": text, "model": "gated"}}, {"params": {"q": text, "model": "gated"}}):
        source.finish()
        await served.events("POST" if "json" in request else "GET", CHAT, **request)
    assert [[m.content for m in request.messages] for request in source.requests] == [[text], [text]]


async def test_options_of_the_model_reach_it(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    source.finish()
    await served.events("POST", CHAT, json={"q": "hi", "model": "gated", "max_tokens": 7, "temperature": 0, "seed": 3})
    (request,) = source.requests
    assert (request.max_tokens, request.temperature, request.seed) == (7, 0, 3)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "CONNECT", "BREW", "get"])
async def test_other_methods_are_refused(serve, method):
    served = await serve()
    wire = await served.wire()
    await wire.ask(method, CHAT + "?q=hi", Connection="close", Accept_Language="ar")
    status, headers = await wire.head()
    assert status == 405
    assert headers["allow"] == "GET, POST, OPTIONS"
    if method != "HEAD":
        problem = json.loads(await wire.rest())
        assert problem["code"] == "invalid_request"
        assert ARABIC.search(problem["detail"])
    await wire.cut()


@pytest.mark.parametrize("path", ["/api/v1/stream/chats", "/api/v1/", "/api/v2/stream/chat", "/api/v1/stream/chat/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_routes_are_not_found(serve, error_of, method, path):
    served = await serve()
    answer = await served.client.request(method, path, headers={"Accept-Language": "ar"})
    assert error_of(answer)[:2] == (404, "not_found")
    assert ARABIC.search(error_of(answer)[2])
    assert "/api/v1/stream/chat" in error_of(await served.client.request(method, path))[2]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /api/v1/stream/chat?q=hi HTTP/1.1\r\n\r\n",
        b"GET /api/v1/stream/chat?q=hi HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/v1/stream/chat?q=hi HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Header: 1\r\n\r\n",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/v1/stream/chat?" + b"a&" * 2000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        bytes(range(256)) * 4 + b"\r\n\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
async def test_what_is_no_http_ends_its_connection_only(serve, request_bytes):
    served = await serve()
    wire = await served.wire()
    await wire.send(request_bytes)
    with suppress(ConnectionResetError):
        answer = await wire.rest()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    await wire.cut()
    assert (await served.client.post(CHAT, json={"q": "hi"})).status_code == 200


async def test_a_chunked_body_is_read_like_any_other(serve, error_of):
    served = await serve()

    async def pieces():
        for piece in (b'{"q"', b': "hi"', b"}"):
            yield piece

    async def endless():
        for _ in range(40):
            yield b"x" * (256 << 10)

    answer = await served.client.post(CHAT, content=pieces())
    assert Parser().feed(answer.content)[-1].event == "done"
    assert error_of(await served.client.post(CHAT, content=endless()))[:2] == (413, "question_too_long")


async def test_a_large_body_takes_no_memory(serve, tracked_memory):
    served = await serve()
    piece = b"x" * (1 << 20)

    async def pieces():
        for _ in range(48):
            yield piece

    with tracked_memory() as grown:
        assert (await served.client.post(CHAT, content=pieces())).status_code == 413
    assert grown.peak_bytes < 24 << 20


async def test_no_question_is_logged(serve, caplog):
    caplog.set_level(logging.DEBUG)
    served = await serve()
    for request in (
        query("q=SECRET&ticket=%ff"),
        query("q=SECRET&speed=1"),
        query("q=SECRET"),
        {"method": "PUT", "url": CHAT + "?q=SECRET"},
        body(q="SECRET"),
        {**raw(b"SECRET"), "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
    ):
        await served.client.request(**{"method": "POST", "url": CHAT, **request})
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    ours = [f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in records]
    assert any(CHAT in line for line in ours)
    assert not [line for line in ours if "SECRET" in line]


async def test_a_bug_is_answered_and_logged_without_the_question(serve, error_of, monkeypatch, complaints):
    served = await serve()

    def broken(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(served.log, "create", broken)
    answer = await served.client.get(CHAT, params={"q": "SECRET"}, headers={"Accept-Language": "ar"})
    assert error_of(answer)[:2] == (500, "internal")
    assert ARABIC.search(error_of(answer)[2])
    assert len(complaints) == 1
    assert "ZeroDivisionError" in complaints[0]
    assert "SECRET" not in complaints[0]
    complaints.clear()


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"),
        ("ar", "ar"),
        ("AR-sa", "ar"),
        ("en-GB,ar;q=0.9", "en"),
        ("ar;q=0.5, en;q=0.9", "en"),
        ("ar;q=0.9 , en;q=0.5", "ar"),
        ("fr, ar;q=0.1", "ar"),
        ("fr, de", "en"),
        ("*", "en"),
        ("ar;q=0", "en"),
        ("ar;q=0, en;q=0", "en"),
        ("ar;q=nonsense, en;q=0.2", "en"),
        ("ar; q=0.8, en; q=0.7", "ar"),
        ("ar;Q=0.1, en;Q=0.7", "en"),
        ("arz", "en"),
        (",,;;,", "en"),
        ("ar;q=nan", "en"),
        ("\xff\xfe", "en"),
    ],
)
def test_the_language_is_the_one_that_weighs_most(header, lang):
    assert preferred_lang(header) == lang


@pytest.mark.parametrize("path", [CHAT + "?q=%ff", "/api/v1/stream/runs/%ff", "/api/v1/stream/runs/" + "0" * 32])
async def test_refusals_are_never_kept_by_caches(serve, path):
    answer = await (await serve()).client.get(path)
    assert answer.status_code in {400, 404}
    assert answer.headers["cache-control"] == "no-store"
    assert "Accept-Language" in answer.headers["vary"]


TUNING = {
    "unknown knob": ({"speed": 5}, "speed"),
    "a parameter of the question": ({"q": "hi"}, '"q"'),
    "a parameter of the connection": ({"heartbeat_s": 5}, "heartbeat_s"),
    "out of range": ({"delay_ms": 60_001}, "delay_ms"),
    "of another type": ({"chunk_tokens": "lots"}, "chunk_tokens"),
}


@pytest.mark.parametrize("name", TUNING)
async def test_bad_tuning_is_refused(serve, gated, error_of, name):
    served = await serve(sources={"gated": gated()})
    stream_id = await served.start(model="gated")
    fields, says = TUNING[name]
    answer = await served.client.patch(RUNS + stream_id, json=fields)
    assert answer.headers["content-type"] == "application/problem+json"
    assert error_of(answer)[:2] == (400, "invalid_request")
    assert says in error_of(answer)[2]
