"""Attacks, written out over real sockets: one for each thing that the guards promise."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import re
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tornado.httpclient import HTTPClientError

from rig.serving import CHAT, PATIENCE_S, RUNS
from rig.talking import Talk
from sse_server.guards.sessions import COOKIE_LIFETIME_S, LINK_LIFETIME_S
from sse_widget.protocol.sse import Parser

ALICE, BOB = {"Authorization": "Bearer token-of-alice"}, {"Authorization": "Bearer token-of-bob"}
TOKENS = "alice token-of-alice\nbob token-of-bob"
SOCKET = "/api/v1/stream/ws"
SESSION = "/api/v1/session"


async def opened(served, **headers):
    """Ask for a WebSocket as a browser does; return (status, headers)."""
    key = base64.b64encode(b"sixteen bytes ok").decode()
    lines = [f"GET {SOCKET} HTTP/1.1", f"Host: 127.0.0.1:{served.port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    wire = await served.wire()
    await wire.send("\r\n".join([*lines, "", ""]).encode())
    answer = await wire.head()
    await wire.cut()
    return answer


async def once(served, method, target, body=b"", **headers):
    """Ask on a bare connection of its own; return (status, headers, all that came after the head)."""
    wire = await served.wire()
    await wire.ask(method, target, body, **{"Connection": "close", **headers})
    status, head = await wire.head()
    rest = await wire.rest()
    await wire.cut()
    return status, head, rest


# --- a principal reaches its own streams only, and cannot tell others' from none


async def test_anothers_stream_looks_as_if_it_never_was(serve):
    served = await serve(tokens=TOKENS)
    created = await served.client.post(CHAT, json={"q": "hi"}, headers={**ALICE, "Accept": "application/json"})
    stream_id = created.json()["stream_id"]
    await served.until_ended(stream_id)
    nothing = "0" * 32
    for method, path, options in [
        ("GET", RUNS + "{}", {}),
        ("GET", RUNS + "{}?once=1", {}),
        ("GET", RUNS + "{}?snapshot=1", {}),
        ("GET", RUNS + "{}?after=99999", {}),
        ("DELETE", RUNS + "{}", {}),
        ("PATCH", RUNS + "{}", {"json": {"delay_ms": 1}}),
        ("POST", RUNS + "{}/tokens", {"json": {"seq": 1}}),
        ("POST", RUNS + "{}/spans", {"json": {"reader": "reader-1"}}),
        ("GET", RUNS + "{}/spans", {}),
        ("GET", CHAT, {"last": "{}:1"}),
        ("POST", CHAT, {"last": "{}:99999", "json": {"q": "hi"}}),
    ]:
        answers = []
        for asked in (stream_id, nothing):
            last = options.get("last", "").format(asked)
            headers = {**BOB, **({"Last-Event-ID": last} if last else {})}
            body = {name: value for name, value in options.items() if name != "last"}
            answer = await served.client.request(method, path.format(asked), headers=headers, **body)
            head = {name: value for name, value in answer.headers.items() if name != "date"}
            answers.append((answer.status_code, head, answer.content))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] == 404
        assert "x-stream-id" not in answers[0][1]
    assert (await served.client.get(RUNS + stream_id, headers=ALICE)).status_code == 200


async def test_an_expired_stream_is_remembered_to_its_owner_alone(serve):
    served = await serve(tokens=TOKENS, expire_s=0.001)
    created = await served.client.post(CHAT, json={"q": "hi"}, headers={**ALICE, "Accept": "application/json"})
    stream_id = created.json()["stream_id"]
    await served.until_ended(stream_id)
    async with asyncio.timeout(PATIENCE_S):
        while (await served.client.get(RUNS + stream_id, headers=ALICE)).status_code != 410:
            await served.log.expire()
    answer = await served.client.get(RUNS + stream_id, headers=BOB)
    never = await served.client.get(RUNS + "0" * 32, headers=BOB)
    assert (answer.status_code, answer.content) == (404, never.content)


async def test_anothers_key_finds_nothing(serve):
    served = await serve(tokens=TOKENS)
    ids = set()
    for who in (ALICE, BOB, ALICE):
        headers = {**who, "Accept": "application/json", "Idempotency-Key": "the same key"}
        answer = await served.client.post(CHAT, json={"q": "hi"}, headers={**headers, "Idempotency-Key": "same"})
        ids.add(answer.json()["stream_id"])
    assert len(ids) == 2
    assert served.server.services.runs.started == 2


# --- JSON Web Tokens


def part(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_only_the_issuers_web_tokens_open(serve, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "issuer.pem"
    path.write_bytes(pem)
    served = await serve(jwt_key_file=str(path), tokens=TOKENS)
    good = {"sub": "carol", "exp": int(time.time()) + 600}
    confused = f"{part({'alg': 'HS256'})}.{part(good)}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, confused.encode(), "sha256")).rstrip(b"=").decode()
    attacks = {
        "none": f"{part({'alg': 'none'})}.{part(good)}.",
        "expired": jwt.encode({**good, "exp": int(time.time()) - 3600}, key, "ES256"),
        "endless": jwt.encode({"sub": "carol"}, key, "ES256"),
        "wrong key": jwt.encode(good, other, "ES256"),
        "key confusion": f"{confused}.{mac}",
    }
    for name, token in attacks.items():
        status, head, rest = await once(served, "GET", CHAT + "?q=hi", Authorization=f"Bearer {token}")
        assert (status, head["www-authenticate"]) == (401, "Bearer"), name
        assert Parser().feed(rest)[0].event == "error"
    token = jwt.encode(good, key, "ES256")
    carol = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    created = await served.client.post(CHAT, json={"q": "hi"}, headers=carol)
    assert created.status_code == 201
    info = await served.log.info(created.json()["stream_id"])
    assert info.meta.owner == "jwt:carol"
    assert (await served.client.get(RUNS + info.stream_id, headers=ALICE)).status_code == 404
    # A name of the token file is no subject's: the issuer cannot become alice.
    alias = jwt.encode({**good, "sub": "alice"}, key, "ES256")
    mine = await served.client.post(CHAT, json={"q": "hi"}, headers={**ALICE, "Accept": "application/json"})
    stolen = {"Authorization": f"Bearer {alias}"}
    assert (await served.client.get(RUNS + mine.json()["stream_id"], headers=stolen)).status_code == 404
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("sse_server", "tornado"))
    )
    assert "ExpiredSignatureError" in said
    assert not [token for token in (*attacks.values(), token, "token-of-alice") if token in said]


async def test_a_socket_ends_with_what_opened_it(serve, tmp_path, monkeypatch):
    key_file = tmp_path / "secret"
    key_file.write_bytes(b"k" * 32)
    served = await serve(jwt_key_file=str(key_file), tokens=TOKENS)
    monkeypatch.setattr("sse_server.guards.jwt.LEEWAY_S", 0)
    monkeypatch.setattr("sse_server.guards.sessions.COOKIE_LIFETIME_S", 2)
    sessions = served.server.services.sessions
    cookie = sessions.exchange(sessions.link("alice"))
    token = jwt.encode({"sub": "carol", "exp": int(time.time()) + 2}, b"k" * 32, "HS256")
    page = {"Cookie": f"sse_widget_{served.port}={cookie}", "Origin": served.url}
    opened = [await Talk.open(served.url + SOCKET, **one) for one in ({"Authorization": f"Bearer {token}"}, page)]
    for talk in opened:
        asked = {"q": "hi", "model": "synthetic:tokens=1,rate=0"}
        assert (await talk.ask("start", "a", body=asked))["event"] == "hello"
    for talk in opened:
        assert await talk.closed() == 1001
        await talk.close()
    with pytest.raises(HTTPClientError) as refused:
        await Talk.open(served.url + SOCKET, Authorization=f"Bearer {token}")
    assert refused.value.code == 401
    lasting = await Talk.open(served.url + SOCKET, **ALICE)
    assert (await lasting.ask("ping", "p"))["event"] == "ok"
    await lasting.close()


# --- pages of other origins, other names of this machine


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost"])
async def test_a_foreign_page_gets_no_websocket(serve, origin):
    served = await serve()
    status, head = await opened(served, Origin=origin)
    assert status == 403
    assert "sec-websocket-accept" not in head
    assert (await opened(served, Origin=served.url))[0] == 101


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.1", "0"])
async def test_a_name_rebound_to_this_machine_opens_nothing(serve, gated, host):
    """DNS rebinding: the page's own name now leads here, so that to its browser it is one origin with us."""
    source = gated()
    served = await serve(sources={"gated": source})
    for method, target, body in [
        ("GET", f"{CHAT}?q=hi&model=gated", b""),
        ("POST", CHAT, b'{"q": "hi", "model": "gated"}'),
        ("GET", SOCKET, b""),
        ("POST", SESSION, b'{"link": "x"}'),
    ]:
        wire = await served.wire()
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}:{served.port}", f"Origin: http://{host}:{served.port}"]
        lines += ["Sec-Fetch-Site: same-origin", f"Content-Length: {len(body)}", "Connection: close", "", ""]
        await wire.send("\r\n".join(lines).encode() + body)
        status, head = await wire.head()
        assert status == 403
        assert "access-control-allow-origin" not in head
        await wire.cut()
    assert source.asked == 0


# --- a cookie is sent by the browser whoever asks


def own(served):
    """What the browser adds when the server's own page asks."""
    return {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def guarded(serve):
    """A server with tokens, and a page's cookie."""
    served = await serve(tokens=TOKENS)
    link = (await served.client.post(f"{SESSION}/link", headers=ALICE)).json()["url"]
    assert link.startswith(f"{served.url}/#link="), "in the fragment, which no log has"
    served.link = link.partition("#link=")[2]
    answer = await served.client.post(SESSION, json={"link": served.link}, headers=own(served))
    assert answer.status_code == 204
    served.client.cookies.clear()
    served.set_cookie = answer.headers["set-cookie"]
    served.cookie = {"Cookie": served.set_cookie.partition(";")[0]}
    return served


async def test_the_page_works_with_its_cookie(guarded):
    assert re.search("; HttpOnly", guarded.set_cookie)
    assert re.search("; SameSite=Strict", guarded.set_cookie)
    assert "Secure" not in guarded.set_cookie, "it comes over http"
    page = {**guarded.cookie, **own(guarded)}
    answer = await guarded.client.post(CHAT, json={"q": "hi"}, headers=page)
    assert Parser().feed(answer.content)[-1].event == "done"
    stream_id = answer.headers["x-stream-id"]
    assert (await guarded.log.info(stream_id)).meta.owner == "alice"
    # Over plain http browsers send no Sec-Fetch-Site, and no Origin with a GET.
    assert (await guarded.client.get(RUNS + stream_id, headers=guarded.cookie)).status_code == 200
    for method, options in (("PATCH", {"json": {"delay_ms": 1}}), ("DELETE", {})):
        plain = {**guarded.cookie, "Origin": guarded.url}
        assert (await guarded.client.request(method, RUNS + stream_id, headers=plain, **options)).status_code == 202
    assert (await opened(guarded, **guarded.cookie, Origin=guarded.url))[0] == 101


async def test_a_cookie_that_a_foreign_page_sends_along_does_nothing(guarded, error_of):
    """Another port of this host is the same site: SameSite does not keep its requests out."""
    stream_id = (await guarded.client.post(CHAT, json={"q": "hi"}, headers={**guarded.cookie, **own(guarded)})).headers[
        "x-stream-id"
    ]
    started = guarded.server.services.runs.started
    foreign = [
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {},
    ]
    for headers in foreign:
        for method, path, options in [
            ("POST", CHAT, {"content": b'{"q": "hi"}', "headers": {"Content-Type": "text/plain"}}),
            ("GET", CHAT, {"params": {"q": "hi"}}),
            ("DELETE", RUNS + stream_id, {}),
            ("PATCH", RUNS + stream_id, {"json": {"delay_ms": 1}}),
            ("POST", RUNS.rstrip("/"), {"json": {}}),
            ("POST", f"{SESSION}/link", {}),
        ]:
            sent = {**guarded.cookie, **headers, **options.pop("headers", {})}
            answer = await guarded.client.request(method, path, headers=sent, **options)
            assert error_of(answer)[:2] == (403, "forbidden"), (headers, method, path)
            assert "access-control-allow-origin" not in answer.headers
    assert guarded.server.services.runs.started == started


async def test_a_listed_origin_does_not_borrow_the_cookie(serve, error_of):
    """It may ask with a token of its own; the cookie belongs to the server's page."""
    served = await serve(tokens=TOKENS, allow_origin=("http://localhost:*",))
    link = served.server.services.sessions.link("alice")
    answer = await served.client.post(SESSION, json={"link": link}, headers=own(served))
    served.client.cookies.clear()
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    headers = {**cookie, "Origin": "http://localhost:3000", "Sec-Fetch-Site": "cross-site"}
    assert error_of(await served.client.post(CHAT, json={"q": "hi"}, headers=headers))[:2] == (401, "unauthorized")
    assert (await served.client.post(CHAT, json={"q": "hi"}, headers={**headers, **ALICE})).status_code == 200


async def test_a_link_works_once_and_not_for_long(guarded, error_of, monkeypatch):
    sessions = guarded.server.services.sessions

    async def status_of(link, **headers):
        return (
            await guarded.client.post(SESSION, json={"link": link}, headers={**own(guarded), **headers})
        ).status_code

    again = await guarded.client.post(SESSION, json={"link": guarded.link}, headers=own(guarded))
    assert error_of(again)[:2] == (401, "unauthorized")
    assert "set-cookie" not in again.headers
    assert "has been used" in error_of(again)[2]
    fresh = sessions.link("alice")
    for forged in ("", ".", "x.y", fresh[:-1], fresh.swapcase(), 7, None, ["x"], guarded.set_cookie, "\ud800"[:0]):
        assert await status_of(forged) == 401
    cookie = guarded.cookie["Cookie"].partition("=")[2]
    assert await status_of(cookie) == 401, "a cookie is no link"
    name = guarded.cookie["Cookie"].partition("=")[0]
    linked = {"Cookie": f"{name}={fresh}", **own(guarded)}
    assert (await guarded.client.get("/api/v1/clock", headers=linked)).status_code == 401, "a link is no cookie"
    assert await status_of(fresh, Origin="https://evil.example") == 403, "nobody signs our page in as himself"
    assert await status_of(fresh) == 204
    guarded.client.cookies.clear()
    now = [time.time()]
    monkeypatch.setattr(sessions, "_wall", lambda: now[0])
    late = sessions.link("alice")
    now[0] += LINK_LIFETIME_S + 1
    assert await status_of(late) == 401
    page = {**guarded.cookie, **own(guarded)}
    assert (await guarded.client.get("/api/v1/clock", headers=page)).status_code == 200
    now[0] += COOKIE_LIFETIME_S
    assert (await guarded.client.get("/api/v1/clock", headers=page)).status_code == 401


async def test_a_ticket_is_no_cookie_and_signs_nothing_in(guarded, error_of):
    ticket = guarded.server.services.tickets.issue("0" * 32)
    answer = await guarded.client.post(f"{SESSION}/link", headers={"Authorization": f"Ticket {ticket}"})
    assert error_of(answer)[:2] == (403, "forbidden")
    name = guarded.cookie["Cookie"].partition("=")[0]
    page = {"Cookie": f"{name}={ticket}", **own(guarded)}
    assert (await guarded.client.get("/api/v1/clock", headers=page)).status_code == 401


async def test_signing_out_takes_the_cookie_back(guarded):
    link = guarded.server.services.sessions.link("alice")
    browser = guarded.client  # it keeps cookies, as browsers do
    statuses = [
        (await browser.request(method, path, headers=own(guarded), json=body)).status_code
        for method, path, body in [
            ("POST", SESSION, {"link": link}),
            ("GET", "/api/v1/clock", None),
            ("DELETE", SESSION, None),
            ("GET", "/api/v1/clock", None),
        ]
    ]
    assert statuses == [204, 200, 204, 401]


async def test_a_copied_cookie_is_signed_out_too(guarded):
    page = {**guarded.cookie, **own(guarded)}
    sessions = guarded.server.services.sessions
    other = sessions.exchange(sessions.link("alice"))
    for forged in ({}, {"Cookie": guarded.cookie["Cookie"][:-1]}):
        assert (await guarded.client.delete(SESSION, headers={**own(guarded), **forged})).status_code == 204
    assert (await guarded.client.get("/api/v1/clock", headers=page)).status_code == 200
    assert (await guarded.client.delete(SESSION, headers=page)).status_code == 204
    assert (await guarded.client.get("/api/v1/clock", headers=page)).status_code == 401
    elsewhere = {"Cookie": f"sse_widget_{guarded.port}={other}", **own(guarded)}
    assert (await guarded.client.get("/api/v1/clock", headers=elsewhere)).status_code == 200, "another browser of hers"


async def test_a_changed_token_ends_its_links_and_cookies_alone(serve, tmp_path):
    """Also where a secret file would let them outlive a restart."""
    (tmp_path / "secret").write_bytes(b"s" * 32)
    before, after = [
        await serve(tokens=tokens, secret_file=str(tmp_path / "secret"))
        for tokens in (TOKENS, TOKENS.replace("token-of-alice", "new-token-of-alice"))
    ]
    issued, held = before.server.services.sessions, after.server.services.sessions
    statuses = {}
    for name in ("alice", "bob"):
        cookie = issued.exchange(issued.link(name))
        page = {"Cookie": f"sse_widget_{after.port}={cookie}", **own(after)}
        statuses[name] = (await after.client.get("/api/v1/clock", headers=page)).status_code
        assert (held.exchange(issued.link(name)) is None) == (name == "alice")
    assert statuses == {"alice": 401, "bob": 200}


async def test_behind_tls_the_cookie_stays_on_tls(serve):
    served = await serve(tokens=TOKENS, trusted_proxy=("127.0.0.1",))
    link = served.server.services.sessions.link("alice")
    secure = served.url.replace("http:", "https:")
    headers = {"X-Forwarded-Proto": "https", "Origin": secure}
    answer = await served.client.post(SESSION, json={"link": link}, headers=headers)
    assert answer.status_code == 204
    assert "; Secure" in answer.headers["set-cookie"]


# --- the rate limit, and who is counted


async def asked(served, **options):
    return await served.client.post(CHAT, json={"q": "hi"}, **options)


async def test_the_limit_is_each_principals_own(serve, error_of):
    served = await serve(tokens=TOKENS, rate_limit="2/hour")
    for who in (ALICE, BOB):
        assert [(await asked(served, headers=who)).status_code for _ in range(3)] == [200, 200, 429]
    refused = await asked(served, headers={**ALICE, "Accept-Language": "ar", "X-Forwarded-For": "198.51.100.1"})
    assert error_of(refused)[:2] == (429, "rate_limited")
    assert 3500 < int(refused.headers["retry-after"]) <= 3601
    assert "2 كل ساعة" in error_of(refused)[2]
    assert served.server.services.runs.started == 4


async def test_who_waits_as_told_is_let_in(serve):
    served = await serve(rate_limit="1/second")
    answers = [await asked(served) for _ in range(5)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    await asyncio.sleep(int(refused.headers["retry-after"]))
    assert (await asked(served)).status_code == 200


async def test_resuming_and_repeating_cost_nothing(serve):
    served = await serve(rate_limit="1/hour")
    first = await asked(served, headers={"Idempotency-Key": "one"})
    stream_id = first.headers["x-stream-id"]
    assert (await asked(served)).status_code == 429
    for _ in range(5):
        again = await asked(served, headers={"Idempotency-Key": "one"})
        assert (again.status_code, again.headers["x-stream-id"]) == (200, stream_id)
        resumed = await served.client.get(RUNS + stream_id, headers={"Last-Event-ID": f"{stream_id}:1"})
        assert resumed.status_code == 200
        assert (await asked(served, headers={"Last-Event-ID": f"{stream_id}:1"})).status_code == 200
    assert served.server.services.runs.started == 1


async def test_what_was_refused_has_left_nothing(serve):
    """The key of a refused question starts its run when there is room again, and no run is half there."""
    served = await serve(tokens=TOKENS, rate_limit="1/hour")
    assert (await asked(served, headers=ALICE)).status_code == 200
    refused = await asked(served, headers={**ALICE, "Idempotency-Key": "later"})
    assert refused.status_code == 429
    assert "x-stream-id" not in refused.headers
    pushed = await served.client.post(RUNS.rstrip("/"), json={}, headers=ALICE)
    assert pushed.status_code == 429
    assert served.server.services.runs.running == 0


async def test_a_forged_forwarded_address_buys_nothing(serve):
    served = await serve(rate_limit="1/hour")
    statuses = []
    for forged in ("198.51.100.1", "198.51.100.2, 10.0.0.1", "::1", "127.0.0.1"):
        status, _, _ = await once(
            served, "GET", CHAT + "?q=hi", X_Forwarded_For=forged, X_Real_Ip=forged, Forwarded=f"for={forged}"
        )
        statuses.append(status)
    assert statuses == [200, 429, 429, 429]


async def test_behind_a_trusted_proxy_each_client_is_counted(serve):
    served = await serve(rate_limit="1/hour", trusted_proxy=("127.0.0.0/8",))

    async def through_proxy(said):
        return (await once(served, "GET", CHAT + "?q=hi", X_Forwarded_For=said))[0]

    assert await through_proxy("198.51.100.1") == 200
    assert await through_proxy("198.51.100.2") == 200
    assert await through_proxy("198.51.100.1") == 429
    # What the client itself had put there stands in front of what the proxy appended.
    assert await through_proxy("203.0.113.99, 198.51.100.1") == 429
    assert await through_proxy("127.0.0.9, 198.51.100.1") == 429


# --- newlines and other controls in every field

BREAK = "x\r\nX-Evil: 1\r\n\r\nevent: done\ndata: {}\nid: evil\n\n"


async def test_a_newline_in_any_field_forges_nothing(serve):
    served = await serve(allow_faults=True)
    stream_id = await served.start()
    await served.until_ended(stream_id)
    requests = [
        ("POST", CHAT, {"json": {"q": "hi", name: BREAK}})
        for name in (
            "model",
            "conversation_id",
            "key",
            "ticket",
            "token",
            "chunk_tokens",
            "seed",
            "fault",
            "after",
            BREAK,
        )
    ]
    requests += [
        ("POST", CHAT, {"json": {"q": BREAK}}),
        ("POST", CHAT, {"json": {"messages": [{"role": BREAK, "content": BREAK}]}}),
        ("GET", CHAT, {"params": {"q": BREAK, "model": BREAK}}),
        ("GET", CHAT, {"params": {"q": BREAK}}),
        ("GET", CHAT, {"params": {"q": "hi", "conversation_id": BREAK}}),
        ("GET", CHAT, {"params": {"q": "hi", "key": BREAK}}),
        ("GET", f"{RUNS}{stream_id}%0d%0aX-Evil:%201", {}),
        ("GET", f"{RUNS}%0aevent:%20done%0a%0a", {}),
        ("GET", f"{RUNS}{stream_id}", {"params": {"after": BREAK, "ticket": BREAK}}),
        ("PATCH", f"{RUNS}{stream_id}", {"json": {BREAK: BREAK, "delay_ms": BREAK}}),
        ("POST", f"{RUNS}{stream_id}/spans", {"json": {"reader": BREAK, "from": 0, "rows": []}}),
        ("GET", "/api/v1/stream/cassettes/%0d%0aX-Evil:%201", {}),
        ("POST", SESSION, {"json": {"link": BREAK}}),
    ]
    for method, path, options in requests:
        answer = await served.client.request(method, path, **options)
        assert answer.status_code < 500, (method, path, options)
        assert "x-evil" not in answer.headers
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            events = Parser().feed(answer.content)
            assert all(event.id == "" or re.fullmatch("[0-9a-f]{32}:[0-9]+", event.id) for event in events)
            assert [event.event for event in events].count("done") <= 1
            assert all(json.loads(event.data) != {} for event in events)


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\0", b"\x0b", b"\x85"])
@pytest.mark.parametrize(
    "name", ["Last-Event-ID", "Idempotency-Key", "X-SSE-Reconnect", "Origin", "Authorization", "Cookie"]
)
async def test_a_bare_newline_in_a_header_forges_nothing(serve, name, ending):
    served = await serve()
    wire = await served.wire()
    head = f"GET {CHAT}?q=hi HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{name}: x".encode()
    await wire.send(head + ending + b"X-Evil: 1" + ending + b"event: done" + b"\r\n\r\n")
    answer = await wire.rest()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"X-Evil" not in head
    assert b"event" not in head.lower().replace(b"text/event-stream", b"")
    assert b" 500 " not in head[:20]
    assert not re.search(rb"(^|[\r\n])X-Evil", body)
    await wire.cut()


async def test_what_a_model_or_a_producer_says_is_data(serve, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    source.say(BREAK, "\nevent: error\n\n", "\r", "\u2028\0")
    source.finish()
    events = await served.events("POST", CHAT, json={"q": "hi", "model": "gated", "chunk_tokens": 1})
    assert [event.event for event in events] == ["hello", "start", *["delta"] * (len(events) - 4), "metadata", "done"]
    text = "".join(json.loads(event.data)["text"] for event in events if event.event == "delta")
    assert text == BREAK + "\nevent: error\n\n" + "\r" + "\u2028\0"
    pushed = (await served.client.post(RUNS.rstrip("/"), json={"model": BREAK})).json()["stream_id"]
    batch = {"seq": 1, "tokens": [BREAK], "error": BREAK}
    assert (await served.client.post(f"{RUNS}{pushed}/tokens", json=batch)).status_code == 200
    events = await served.events("GET", RUNS + pushed)
    assert {event.event for event in events} <= {"hello", "start", "delta", "error", "metadata"}
    assert json.loads(events[0].data)["model"] == BREAK


# --- too much, too slow


async def test_more_than_a_server_takes_is_refused(serve, error_of):
    served = await serve()
    large = await served.client.post(CHAT, content=b'{"q": "' + b"x" * (2 << 20) + b'"}')
    assert error_of(large)[:2] == (413, "question_too_long")
    wire = await served.wire()
    try:
        await wire.send(b"GET /api/v1/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        for number in range(40):
            await wire.send(b"X-%d: " % number + b"x" * 8192 + b"\r\n")
        assert not re.match(rb"HTTP/1.1 2", await wire.rest())
    except ConnectionError:
        pass
    await wire.cut()
    declared = await served.wire()
    await declared.send(f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
    assert not re.match(rb"HTTP/1.1 2", await declared.rest())
    await declared.cut()


@pytest.mark.parametrize(
    "opening",
    [
        b"GET /api/v1/clock HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{",
        b"POST /api/v1/stream/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"",
    ],
    ids=["head", "body", "chunks", "silence"],
)
async def test_who_sends_byte_by_byte_is_left(serve, opening):
    """Slowloris: each byte comes in time, and the request never ends."""
    served = await serve(idle_timeout_s=0.3, body_timeout_s=0.3)
    wire = await served.wire()
    await wire.send(opening)
    sent = 0

    async def drip():
        nonlocal sent
        while True:
            await asyncio.sleep(0.02)
            await wire.send(b"1\r\nx\r\n" if b"chunked" in opening else b"x")
            sent += 1

    dripping = asyncio.create_task(drip()) if opening else None
    try:
        answer = await wire.rest()
    except ConnectionError:
        answer = b""
    finally:
        if dripping is not None:
            dripping.cancel()
            await asyncio.wait({dripping})
    assert answer == b""
    assert sent > 0 or not opening
    assert (await served.client.get("/api/v1/clock")).status_code == 200
    await wire.cut()


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file that no socket's buffers hold; the bundles are such plain answers too."""
    content = bytes(32 << 20)
    (tmp_path / "part-large.js").write_bytes(content)
    monkeypatch.setattr("sse_server.app.static_folder", lambda: tmp_path)
    return content


@pytest.mark.parametrize("path", ["/part-large.js", "/static/part-large.js"])
async def test_who_takes_no_byte_of_an_answer_is_left(serve, large, path):
    served = await serve(send_timeout_s=0.2)
    wire = await served.wire()
    wire.reader._limit = 1024  # it stops reading from the socket once this much is held
    await wire.ask("GET", path)
    await served.until(lambda: served.server.services.counters.slow_readers == 1)
    assert len(await wire.rest()) < len(large)
    await wire.cut()


async def test_who_takes_an_answer_slowly_gets_all_of_it(serve, large):
    """What counts is that bytes are taken: the whole takes far longer than the limit."""
    served = await serve(send_timeout_s=0.5)
    wire = await served.wire()
    await wire.ask("GET", "/static/part-large.js")
    assert (await wire.head())[0] == 200
    for _ in range(16):
        assert len(await wire.read(len(large) // 16)) == len(large) // 16
        await asyncio.sleep(0.05)  # the reader's own slowness
    assert served.server.services.counters.slow_readers == 0
    await wire.cut()


async def test_a_stream_outlives_the_limits_of_a_request(serve, gated):
    """They bound how long a request may be sent, not how long it is answered."""
    source = gated()
    served = await serve(sources={"gated": source}, idle_timeout_s=0.2, body_timeout_s=0.2, heartbeat_s=0.1)
    async with served.reading("POST", CHAT, json={"q": "hi", "model": "gated"}) as reply:
        for _ in range(5):
            await reply.until("ping")
        source.say("late")
        source.finish()
        assert (await reply.rest())[-1].event == "done"


# --- what is written down


async def test_no_secret_and_no_question_is_logged(guarded, caplog):
    caplog.set_level(logging.DEBUG)
    page = {**guarded.cookie, **own(guarded)}
    ticket = guarded.server.services.tickets.issue("0" * 32)
    link = guarded.server.services.sessions.link("alice")
    await guarded.client.post(
        CHAT, json={"q": "QUESTION", "conversation_id": "c"}, headers={**page, "Idempotency-Key": "KEY"}
    )
    await guarded.client.get(CHAT, params={"q": "QUESTION", "key": "KEY"}, headers=ALICE)
    await guarded.client.get(RUNS + "0" * 32, params={"ticket": ticket})
    await guarded.client.post(SESSION, json={"link": link}, headers=own(guarded))
    await guarded.client.get("/api/v1/clock", headers={"Authorization": "Bearer WRONG"})
    for broken in (
        b"GET /?q=QUESTION HTTP/9\r\n\r\n",
        b"GET /api/v1/clock HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: WRONG\r\nBad Header: QUESTION\r\n\r\n",
        b"POST /api/v1/stream/chat?q=QUESTION HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: QUESTION\r\n\r\n",
    ):
        wire = await guarded.wire()
        await wire.send(broken)
        await wire.rest()
        await wire.cut()
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    said = "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in ours)
    assert CHAT in said
    cookie = guarded.cookie["Cookie"].partition("=")[2]
    for secret in ("QUESTION", "KEY", "WRONG", "token-of", ticket, link, cookie, guarded.link):
        assert secret not in said
