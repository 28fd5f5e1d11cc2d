"""The doctor's verdicts, from recorded observations: one healthy server, and what changes when one thing is wrong."""

from __future__ import annotations

import msgspec
import pytest

from sse_widget.diagnosis import software
from sse_widget.diagnosis.chain import placed
from sse_widget.diagnosis.judgement import PROBES, Judgement
from sse_widget.diagnosis.observations import (
    Beats,
    Certificate,
    Cors,
    Dial,
    Drip,
    Failure,
    Head,
    Hop,
    Network,
    Observed,
    Resume,
    Silence,
    Socket,
)
from sse_widget.diagnosis.report import Report
from sse_widget.diagnosis.verdicts import judge
from sse_widget.diagnosis.verdicts.flow import safe_beat_s

URL, PAGE = "https://stream.example", "https://lab.example"
STREAM = (
    ("server", "nginx/1.22.1"),
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache, no-transform"),
)
ALLOWED = (
    ("access-control-allow-origin", PAGE),
    ("access-control-allow-headers", "Authorization, Content-Type, Idempotency-Key"),
    ("access-control-expose-headers", "Retry-After, X-Stream-Id"),
)
STEADY = tuple(0.1 + index / 10 for index in range(20))
AT_ONCE = (2.0,) * 20
CERTIFICATE = Certificate(0.02, "TLSv1.3", "h2", "Some Authority", 60.0)
NETWORK = Network(
    "stream.example",
    443,
    secure=True,
    addresses=("192.0.2.1",),
    dials=(Dial("192.0.2.1", 0.01),),
    certificate=CERTIFICATE,
)


def head(status=200, *headers, method="GET", **more):
    return Head(f"{URL}/api/v1/stream/chat", status, headers or STREAM, method, 0.02, **more)


def drip(method="POST", times=STEADY, *, packed="", compressible=True, **more):
    found = head(200, *STREAM, *((("content-encoding", packed),) if packed else ()), method=method)
    values = {"head": found, "deltas": times, "reads": times, "written_s": 1.9, "ended": True, **more}
    return Drip(method, compressible, **values)


def drips(times=STEADY, **more):
    return (drip("POST", times, **more), drip("GET", times, **more), drip("GET", compressible=False))


HEALTHY = Observed(
    URL,
    NETWORK,
    kind="own",
    answer=head(200, ("server", "nginx/1.22.1")),
    started=head(201, ("content-type", "application/json"), method="POST"),
    drips=drips(),
    heartbeat_s=20.0,
    beats=Beats(0.5, 3.0, 0.5, (0.5, 1.0, 1.5, 2.0, 2.5)),
    silence=Silence(45.0, 45.0, spoke=True, granted_s=300.0, status=200),
    resume=Resume(5, 5, 5, whole=True),
    socket=Socket(head(101), 0.03, 0.01),
    cors=Cors(PAGE, ("content-type", "idempotency-key"), head(204, *ALLOWED), head(200, *STREAM, *ALLOWED)),
)


def but(**changes):
    return msgspec.structs.replace(HEALTHY, **changes)


def wired(**changes):
    return but(network=msgspec.structs.replace(NETWORK, **changes))


def certified(**changes):
    return wired(certificate=msgspec.structs.replace(CERTIFICATE, **changes))


def with_cors(**changes):
    return but(cors=msgspec.structs.replace(HEALTHY.cors, **changes))


def refused(status, *headers, **more):
    return but(started=head(status, *(headers or (("server", "nginx/1.22.1"),)), **more), drips=())


NOT_FOUND = {"code": "not_found", "message": "There is nothing at this path."}
PROBLEM = ("content-type", "application/problem+json")

# what was seen, the verdict on one probe, its code
CASES = [
    (HEALTHY, "ok", "name.found"),
    (wired(host="192.0.2.1"), "ok", "name.number"),
    (wired(dials=(), name_failure=Failure("name", "Name or service not known")), "fault", "name.unknown"),
    (wired(through="HTTPS_PROXY", dials=(), certificate=None), "skipped", "skipped.proxy"),
    (HEALTHY, "ok", "connection.made"),
    (wired(dials=(Dial("192.0.2.1", 0.0, Failure("refused")),), certificate=None), "fault", "connection.refused"),
    (wired(dials=(Dial("192.0.2.1", 6.0, Failure("timeout")),), certificate=None), "fault", "connection.timeout"),
    (
        wired(dials=(Dial("192.0.2.1", 0.0, Failure("other", "No route")),), certificate=None),
        "fault",
        "connection.failed",
    ),
    (
        wired(dials=(Dial("2001:db8::1", 6.0, Failure("timeout")), Dial("192.0.2.1", 0.01))),
        "warning",
        "connection.partly",
    ),
    (HEALTHY, "ok", "encryption.good"),
    (wired(secure=False), "warning", "encryption.plain"),
    (wired(secure=False, host="127.0.0.1"), "ok", "encryption.here"),
    (certified(days_left=3.0), "warning", "encryption.soon"),
    (certified(error_code=10, failure=Failure("tls", "certificate has expired")), "fault", "encryption.expired"),
    (certified(error_code=9, failure=Failure("tls", "not yet valid")), "fault", "encryption.not_yet"),
    (certified(error_code=62, failure=Failure("tls", "Hostname mismatch")), "fault", "encryption.wrong_name"),
    (certified(error_code=18, failure=Failure("tls", "self-signed certificate")), "fault", "encryption.untrusted"),
    (certified(plain=True, failure=Failure("tls", "wrong version number")), "fault", "encryption.none"),
    (certified(failure=Failure("tls", "handshake failure")), "fault", "encryption.failed"),
    (HEALTHY, "ok", "redirects.none"),
    (but(redirects=(Hop("http://a.example/", 301, "https://a.example/"),)), "warning", "redirects.some"),
    (but(redirects=(Hop("https://a.example/", 302, "http://a.example/"),)), "fault", "redirects.downgrade"),
    (but(redirects=(Hop("https://a.example/", 302, ""),)), "fault", "redirects.lost"),
    (but(redirects=(Hop("https://a.example/", 301, "https://a.example/"),), looping=True), "fault", "redirects.loop"),
    (HEALTHY, "ok", "upstream.own"),
    (but(kind="foreign"), "ok", "upstream.foreign"),
    (but(answer=head(502, ("server", "nginx/1.22.1")), kind=None, drips=()), "fault", "upstream.dead"),
    (but(answer=head(522, ("server", "cloudflare")), kind=None, drips=()), "fault", "upstream.dead"),
    (refused(503, PROBLEM, code="overloaded", message="busy"), "fault", "upstream.busy"),
    (refused(500), "fault", "upstream.error"),
    (refused(404, PROBLEM, **NOT_FOUND), "fault", "upstream.missing"),
    (
        but(drips=(drip(), Drip("GET", True, head=Head(f"{URL}/runs/1", 404, (PROBLEM,), **NOT_FOUND)))),
        "fault",
        "upstream.scattered",
    ),
    (refused(429, ("retry-after", "30")), "warning", "upstream.limited"),
    (refused(400, PROBLEM, code="invalid_request", message="no"), "fault", "upstream.refused"),
    (but(answer=None, answer_failure=Failure("timeout", "", 15.0), drips=()), "fault", "upstream.silent"),
    (but(answer=None, answer_failure=Failure("cut", "Server disconnected"), drips=()), "fault", "upstream.cut"),
    (but(answer=None, answer_failure=Failure("protocol", "illegal line"), drips=()), "fault", "upstream.garbled"),
    (but(answer=None, answer_failure=Failure("other", "?"), drips=()), "fault", "upstream.failed"),
    (but(drips=(Drip("POST", compressible=True, failure=Failure("cut", "reset")),)), "fault", "upstream.cut"),
    (HEALTHY, "ok", "access.open"),
    (but(has_token=True), "ok", "access.token"),
    (refused(401), "fault", "access.needed"),
    (msgspec.structs.replace(refused(401), has_token=True), "fault", "access.rejected"),
    (refused(403, PROBLEM, code="forbidden", message="Host"), "fault", "access.forbidden"),
    (refused(403), "fault", "access.barred"),
    (
        but(kind="foreign", redirects=(Hop("https://a.example/", 302, "https://a.example/hub/login"),)),
        "fault",
        "access.login",
    ),
    (HEALTHY, "ok", "content_type.good"),
    (but(drips=(Drip("GET", True, head=head(200, ("content-type", "text/plain"))),)), "fault", "content_type.wrong"),
    (but(drips=(Drip("GET", True, head=head(200, ("content-type", "text/html"))),)), "fault", "content_type.page"),
    (HEALTHY, "ok", "headers.taken"),
    (but(drips=(Drip("GET", True, head=head(200, *STREAM, ("x-accel-buffering", "no"))),)), "ok", "headers.good"),
    (but(drips=(Drip("GET", True, head=head(200, STREAM[1])),)), "warning", "headers.transform"),
    (but(kind="foreign", drips=(Drip("GET", True, head=head(200, STREAM[1])),)), "warning", "headers.no_transform"),
    (but(drips=(Drip("GET", True, head=head(200, *STREAM, ("age", "31"))),)), "fault", "headers.cached"),
    (but(drips=(Drip("GET", True, head=head(200, *STREAM, ("cf-cache-status", "HIT"))),)), "fault", "headers.cached"),
    (HEALTHY, "ok", "hops.some"),
    (HEALTHY, "ok", "compression.none"),
    (but(drips=drips(packed="gzip")), "warning", "compression.flows"),
    (but(drips=(drip(times=AT_ONCE, packed="br", deltas=()),)), "fault", "compression.holds"),
    (HEALTHY, "ok", "buffering.none"),
    (but(drips=drips(AT_ONCE, packed="gzip")), "ok", "buffering.none"),
    (but(drips=(drip("POST", AT_ONCE), drip("GET", AT_ONCE))), "fault", "buffering.held"),
    (but(drips=(drip("POST"), drip("GET", AT_ONCE))), "fault", "buffering.one"),
    (but(drips=(drip("POST", (0.1, 0.2, 1.5, 1.6, 2.0)),)), "warning", "buffering.bursts"),
    (but(drips=(drip("POST", STEADY[:5], ended=False, failure=Failure("cut", "x", 0.6)),)), "fault", "buffering.torn"),
    (but(drips=(Drip("POST", True, failure=Failure("timeout", "", 20.0)),)), "fault", "buffering.nothing"),
    (but(drips=(drip("POST", (), reads=()),)), "skipped", "skipped.nothing"),
    (but(kind="foreign", drips=(drip(times=STEADY, written_s=0.0),)), "ok", "buffering.spread"),
    (but(kind="foreign", drips=(drip(times=AT_ONCE, written_s=0.0),)), "warning", "buffering.at_once"),
    (but(kind="foreign", drips=(drip(times=(1.0, 2.0), written_s=0.0),)), "skipped", "skipped.few"),
    (HEALTHY, "ok", "heartbeat.good"),
    (but(beats=Beats(0.5, 3.0, 0.5)), "fault", "heartbeat.none"),
    (but(beats=Beats(0.5, 3.0, 0.5, (0.5, 3.0))), "warning", "heartbeat.late"),
    (but(beats=Beats(0.5, 3.0, 0.5), drips=(drip(times=AT_ONCE),)), "skipped", "skipped.held"),
    (but(beats=Beats(0.5, 3.0, 20.0)), "skipped", "skipped.query"),
    (but(beats=Beats(0.5, 3.0, status=404)), "skipped", "skipped.unreached"),
    (but(silence=Silence(45.0, 0.1, status=404, failure=Failure("cut"))), "skipped", "skipped.unreached"),
    (but(silence=Silence(45.0, 30.0, status=504, failure=Failure("cut"))), "warning", "idle.tight"),
    (but(resume=Resume(0, failure=Failure("other"))), "skipped", "skipped.nothing"),
    (but(kind="foreign"), "skipped", "skipped.foreign"),
    (HEALTHY, "ok", "idle.lived"),
    (but(silence=None, idle_off=True), "skipped", "skipped.off"),
    (but(silence=Silence(45.0, 30.0, failure=Failure("cut")), heartbeat_s=60.0), "fault", "idle.cut"),
    (but(silence=Silence(45.0, 30.0, failure=Failure("cut")), heartbeat_s=20.0), "warning", "idle.tight"),
    (but(silence=Silence(90.0, 60.0, failure=Failure("cut")), heartbeat_s=20.0), "ok", "idle.covered"),
    (but(silence=Silence(45.0, 51.0, failure=Failure("timeout"))), "fault", "idle.lost"),
    (but(silence=Silence(45.0, 45.0, spoke=True, granted_s=20.0)), "skipped", "skipped.query"),
    (HEALTHY, "ok", "resume.good"),
    (but(resume=Resume(5, 0, 5, whole=True)), "fault", "resume.stripped"),
    (but(resume=Resume(5, 5, 0, whole=True)), "fault", "resume.query"),
    (but(resume=Resume(5, 0, 0)), "fault", "resume.failed"),
    (but(resume=Resume(5, 5, 5)), "fault", "resume.torn"),
    (HEALTHY, "ok", "cors.good"),
    (but(cors=None), "skipped", "skipped.no_origin"),
    (with_cors(origin=URL), "ok", "cors.same"),
    (with_cors(failure=Failure("cut", "reset")), "fault", "cors.failed"),
    (with_cors(preflight=head(403, PROBLEM, code="forbidden")), "fault", "cors.refused"),
    (with_cors(preflight=head(405, *ALLOWED)), "fault", "cors.preflight"),
    (with_cors(preflight=head(204, ALLOWED[0])), "fault", "cors.headers"),
    (with_cors(simple=head(200, ALLOWED[0], ("access-control-allow-origin", "*"))), "fault", "cors.twice"),
    (with_cors(simple=head(200, ("access-control-allow-origin", "https://other.example"))), "fault", "cors.refused"),
    (with_cors(simple=head(200, ALLOWED[0])), "warning", "cors.hidden"),
    (HEALTHY, "ok", "websocket.good"),
    (but(socket=Socket(head(200, ("server", "nginx/1.22.1")))), "fault", "websocket.blocked"),
    (but(socket=Socket(head(426, PROBLEM, code="upgrade_required"))), "fault", "websocket.stripped"),
    (but(socket=Socket(head(403, PROBLEM, code="forbidden")), cors=None), "fault", "websocket.refused"),
    (
        msgspec.structs.replace(
            with_cors(preflight=head(403, PROBLEM, code="forbidden")),
            socket=Socket(head(403, PROBLEM, code="forbidden")),
        ),
        "skipped",
        "skipped.cors",
    ),
    (but(socket=Socket(head(404, PROBLEM, **NOT_FOUND))), "skipped", "skipped.absent"),
    (but(socket=Socket(head(101), 0.03)), "fault", "websocket.mute"),
    (but(socket=Socket(failure=Failure("cut", "closed"))), "fault", "websocket.cut"),
    (HEALTHY, "ok", "connections.many"),
    (certified(alpn="http/1.1"), "ok", "connections.shared"),
    (msgspec.structs.replace(certified(alpn=""), socket=None), "warning", "connections.six"),
    (msgspec.structs.replace(wired(secure=False, certificate=None), socket=None), "ok", "connections.plain"),
    (but(in_notebook=True), "skipped", "skipped.page"),
    (but(beats=None, interrupted=True), "skipped", "skipped.interrupted"),
    (refused(502), "skipped", "skipped.unreached"),
]


@pytest.mark.parametrize(("seen", "verdict", "code"), CASES, ids=[f"{i}-{case[2]}" for i, case in enumerate(CASES)])
def test_a_verdict(seen, verdict, code):
    assert (verdict, code) in {(judgement.verdict, judgement.code) for judgement in judge(seen)}


def test_a_healthy_server_has_a_finding_for_every_probe_and_no_fault():
    found = judge(HEALTHY)
    assert [judgement.probe for judgement in found] == [probe for probe in PROBES if probe != "browser"]
    assert {judgement.verdict for judgement in found} == {"ok"}


def test_nothing_seen_is_nothing_judged():
    assert {judgement.verdict for judgement in judge(Observed(URL))} == {"skipped"}


def test_a_compressor_and_a_buffer_are_two_faults_when_the_plain_stream_is_held_too():
    seen = but(drips=(drip(times=AT_ONCE, packed="gzip"), drip("GET", AT_ONCE, compressible=False)))
    faults = [judgement.probe for judgement in judge(seen) if judgement.verdict == "fault"]
    assert faults == ["compression", "buffering"]


def test_the_culprit_is_the_first_fault_else_the_first_warning():
    both = judge(but(drips=drips(AT_ONCE)[:2], resume=Resume(5, 0, 5)))
    assert Report(URL, both).culprit.probe == "buffering"
    warned = Report(URL, judge(certified(days_left=2.0)))
    assert warned.culprit.probe == "encryption"
    assert warned.ok
    assert Report(URL, judge(HEALTHY)).culprit is None


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (HEALTHY, 0),
        (certified(days_left=2.0), 0),
        (but(resume=Resume(5, 0, 5)), 1),
        (refused(503, PROBLEM, code="overloaded", message="busy"), 1),
        (wired(dials=(), name_failure=Failure("name")), 3),
        (but(answer=head(502), kind=None, drips=(), started=None), 3),
    ],
)
def test_the_exit_status(seen, status):
    assert Report(URL, judge(seen)).exit_code == status


def test_an_interrupted_examination_has_a_status_of_its_own_unless_a_fault_was_found():
    assert Report(URL, judge(but(beats=None, interrupted=True)), complete=False).exit_code == 130
    assert Report(URL, judge(but(resume=Resume(5, 0, 5), interrupted=True)), complete=False).exit_code == 1


@pytest.mark.parametrize("lived_s", [1.0, 5.0, 30.0, 60.0, 100.0])
def test_the_heartbeat_that_is_proposed_fits_twice_into_the_time_out(lived_s):
    assert 0 < 2 * safe_beat_s(lived_s) < lived_s


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("server", "nginx/1.22.1")], ("nginx",)),
        ([("server", "cloudflare"), ("cf-ray", "8a1")], ("Cloudflare",)),
        ([("via", "1.1 Caddy")], ("Caddy",)),
        ([("via", "1.1 varnish, 1.1 abc.cloudfront.net (CloudFront)"), ("server", "x")], ("CloudFront", "Varnish")),
        ([("server", "awselb/2.0")], ("ALB",)),
        ([("server", "TornadoServer/6.5"), ("x-envoy-upstream-service-time", "3")], ("Envoy",)),
        ([("server", "TornadoServer/6.5")], ()),
    ],
)
def test_hops_are_known_by_what_they_write(headers, found):
    assert software.proxies([head(200, *headers)]) == found


def test_a_refusal_in_our_words_is_ours_whatever_the_proxy_signs():
    signed = head(403, ("server", "nginx/1.22.1"), PROBLEM, code="forbidden")
    assert software.who(signed) == "sse-widget"
    assert software.who(msgspec.structs.replace(signed, code="")) == "nginx/1.22.1"


def test_a_fault_is_placed_between_the_hop_that_shows_it_and_the_next_that_does_not():
    bad = (Judgement("buffering", "fault", "buffering.held"), Judgement("resume", "ok", "resume.good"))
    good = (Judgement("buffering", "ok", "buffering.none"), Judgement("resume", "ok", "resume.good"))
    assert [found.hop for found in placed(("a", bad), [("b", good), ("c", good)])] == [("a", "b"), None]
    assert placed(("a", bad), [("b", bad), ("c", good)])[0].hop == ("b", "c")
    assert placed(("a", bad), [("b", bad), ("c", bad)])[0].hop == ("c", "")
    assert placed(("a", bad), [])[0].hop is None
