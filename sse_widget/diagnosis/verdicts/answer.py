"""Verdicts on who answers and how: status, access, content type, headers, compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sse_widget.diagnosis import software
from sse_widget.diagnosis.judgement import Judgement, fault, ok, skipped, warning
from sse_widget.diagnosis.verdicts.network import unprobed
from sse_widget.diagnosis.verdicts.pace import is_held, span_s
from sse_widget.protocol.events import CONTENT_TYPE

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Failure, Head, Observed

# 520 to 530 are Cloudflare's words for an origin that fails.
_DEAD = frozenset({502, 503, 504, *range(520, 531)})
_OUR_OWN = frozenset({"overloaded", "shutdown"})
_LOGIN = ("login", "signin", "sign_in", "sign-in", "oauth", "saml", "/sso")
_HTML = frozenset({"text/html", "application/xhtml+xml"})


def upstream(seen: Observed) -> Judgement:
    """Whether a server answers, and who says so if none does."""
    failure = seen.answer_failure or seen.start_failure or _stream_failure(seen)
    if failure is not None:
        return _unanswered(failure)
    if seen.answer is None:
        return unprobed("upstream", seen)
    refused = next((head for head in (*_stream_heads(seen), seen.answer) if head.status >= 500), None)
    if refused is not None:
        return _failed(refused)
    if seen.looping:
        return skipped("upstream", "unreached")
    # 401 and 403 are answers; `access` speaks of them.
    bad = next((head for head in _stream_heads(seen) if head.status >= 400 and head.status not in {401, 403}), None)
    if bad is not None:
        return _refused(bad)
    head = seen.answer
    if seen.kind == "own":
        return ok("upstream.own", who=software.who(head), took_ms=head.after_s * 1000)
    return ok("upstream.foreign", who=software.who(head), status=head.status)


def _stream_failure(seen: Observed) -> Failure | None:
    """Why no stream at all could be opened; one that only keeps us waiting is `buffering`'s matter."""
    if not seen.drips or any(drip.head is not None for drip in seen.drips):
        return None
    return next((drip.failure for drip in seen.drips if drip.failure and drip.failure.kind != "timeout"), None)


def _unanswered(failure: Failure) -> Judgement:
    kind = {"timeout": "silent", "cut": "cut", "protocol": "garbled"}.get(failure.kind, "failed")
    return fault(f"upstream.{kind}", "dead", after_s=failure.after_s, detail=failure.detail)


def _failed(head: Head) -> Judgement:
    who = software.who(head)
    if head.code in _OUR_OWN:
        return fault("upstream.busy", status=head.status, message=head.message)
    if head.status in _DEAD:
        return fault("upstream.dead", "dead", status=head.status, who=who)
    return fault("upstream.error", status=head.status, who=who, message=head.message)


def _refused(head: Head) -> Judgement:
    who = software.who(head)
    if head.status == 429:
        return warning("upstream.limited", who=who, retry_after=head.get("retry-after") or "?")
    if head.status == 404 and who == software.OWN and "/runs/" in head.url:
        return fault("upstream.scattered", url=head.url)
    if head.status == 404:
        return fault("upstream.missing", url=head.url, who=who)
    return fault("upstream.refused", status=head.status, who=who, message=head.message or head.code)


def access(seen: Observed) -> Judgement:
    """Whether this caller may ask."""
    heads = (*_stream_heads(seen), *([seen.answer] if seen.answer is not None else []))
    login = next((hop.location for hop in seen.redirects if _is_login(hop.location)), "")
    if login and seen.kind != "own":
        return fault("access.login", location=login.partition("?")[0])
    refused = next((head for head in heads if head.status in {401, 403, 407}), None)
    if refused is not None:
        return _denied(refused, has_token=seen.has_token)
    if not any(head.status < 300 for head in _stream_heads(seen)):
        return unprobed("access", seen)
    return ok("access.token") if seen.has_token else ok("access.open")


def _denied(head: Head, *, has_token: bool) -> Judgement:
    code = "forbidden" if head.status == 403 else "rejected" if has_token else "needed"
    code = "barred" if code == "forbidden" and not head.message else code
    return fault(f"access.{code}", status=head.status, who=software.who(head), message=head.message, method=head.method)


def _is_login(location: str) -> bool:
    path = location.lower()
    return any(word in path for word in _LOGIN)


def content_type(seen: Observed) -> Judgement:
    """`Content-Type: text/event-stream`, without which EventSource and our readers refuse the answer."""
    heads = _opened(seen)
    if not heads:
        return unprobed("content_type", seen)
    wrong = next((head for head in heads if head.media_type != CONTENT_TYPE), None)
    if wrong is None:
        return ok("content_type.good", got=heads[0].get("content-type"))
    if wrong.media_type in _HTML:
        return fault("content_type.page", got=wrong.media_type, who=software.who(wrong), url=wrong.url)
    return fault("content_type.wrong", "content_type", got=wrong.get("content-type") or "-", who=software.who(wrong))


def headers(seen: Observed) -> Judgement:
    """Headers that keep caches and transforming hops away from the stream."""
    heads = _opened(seen)
    if not heads or heads[0].media_type in _HTML:
        return unprobed("headers", seen)
    head = heads[0]
    said = head.get("cache-control")
    if _from_cache(head):
        return fault("headers.cached", "cache", mark=_from_cache(head), who=software.who(head))
    if "no-transform" not in said.lower():
        return warning("headers.transform" if seen.kind == "own" else "headers.no_transform", got=said or "-")
    if seen.kind == "own" and not head.get("x-accel-buffering"):
        return ok("headers.taken", got=said)
    return ok("headers.good", got=said)


def _from_cache(head: Head) -> str:
    """Return the header line that shows it, empty when none does."""
    for name in ("x-cache", "cf-cache-status", "x-proxy-cache"):
        if "hit" in head.get(name).lower():
            return f"{name}: {head.get(name)}"
    return f"age: {head.get('age')}" if head.get("age") not in {"", "0"} else ""


def hops(seen: Observed) -> Judgement:
    """Who stands on the way and names itself."""
    if not seen.heads:
        return unprobed("hops", seen)
    lines = software.traces(seen.heads)
    found = software.proxies(seen.heads)
    if found:
        return ok("hops.some", found=", ".join(found), lines="; ".join(lines))
    return ok("hops.none", lines="; ".join(lines) or "-")


def compression(seen: Observed) -> Judgement:
    """A compressed stream waits for its compressor, unless that flushes after each event."""
    drips = [drip for drip in seen.drips if drip.compressible and drip.head is not None and drip.head.status == 200]
    if not drips:
        return unprobed("compression", seen)
    packed = [drip for drip in drips if drip.head is not None and drip.head.get("content-encoding")]
    if not packed:
        return ok("compression.none")
    held = next((drip for drip in packed if is_held(drip)), None)
    shown = held or packed[0]
    figures: dict[str, Any] = {
        "encoding": shown.head.get("content-encoding") if shown.head is not None else "",
        "who": software.who(shown.head) if shown.head is not None else "",
        "span_s": span_s(shown),
        "written_s": shown.written_s,
    }
    if held is not None:
        return fault("compression.holds", "compression", **figures)
    return warning("compression.flows", "compression", **figures)


def _stream_heads(seen: Observed) -> list[Head]:
    """Return the heads of what should stream or start a stream; ours may answer health where nothing else passes."""
    heads = [seen.started, *(drip.head for drip in seen.drips)]
    return [head for head in heads if head is not None]


def _opened(seen: Observed) -> list[Head]:
    return [drip.head for drip in seen.drips if drip.head is not None and drip.head.status == 200]
