"""Verdicts on time: buffering, heartbeats, silence, resuming."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sse_widget.diagnosis import software
from sse_widget.diagnosis.judgement import Judgement, fault, ok, skipped, warning
from sse_widget.diagnosis.verdicts.network import unprobed
from sse_widget.diagnosis.verdicts.pace import is_held, is_packed, longest_gap_s, span_s, times

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Drip, Observed, Silence

BURST_S = 0.7
"""A gap as long as this, between deltas that were written every 0.1 s, is a burst."""

LATE_BEATS = 3.0
"""A heartbeat is late when it takes so many times its cadence."""

ROOM = 2.0
"""An idle timeout leaves room when it is so many times the heartbeat."""

_AT_ONCE_S = 0.05
_FEW = 5


def buffering(seen: Observed) -> Judgement:
    """A timed drip: deltas must arrive over the time that the server took to write them, by GET and by POST."""
    drips = [drip for drip in seen.drips if drip.head is not None and drip.head.status == 200]
    failed = next((drip for drip in seen.drips if drip.head is None and drip.failure is not None), None)
    if not drips:
        if failed is None or failed.failure is None or failed.failure.kind != "timeout":
            return unprobed("buffering", seen)
        return fault("buffering.nothing", "buffering", method=failed.method, waited_s=failed.failure.after_s, who="")
    # What a compressor holds back is its own finding.
    plain = [drip for drip in drips if not is_packed(drip)] or drips
    if not any(times(drip) for drip in plain):
        return skipped("buffering", "nothing")
    if seen.kind != "own":
        return _of_foreign(plain)
    torn = next((drip for drip in plain if not drip.ended and drip.failure and drip.failure.kind == "cut"), None)
    if torn is not None and torn.failure is not None:
        return fault(
            "buffering.torn", "idle", method=torn.method, after_s=torn.failure.after_s, detail=torn.failure.detail
        )
    held = [drip for drip in plain if is_held(drip)]
    if held:
        return _held(held, {drip.method for drip in plain} - {drip.method for drip in held})
    return _flowing(plain)


def _held(held: list[Drip], flowing: set[str]) -> Judgement:
    drip = held[0]
    code = "buffering.one" if flowing else "buffering.held"
    return fault(
        code,
        "buffering",
        count=len(drip.deltas),
        span_s=span_s(drip),
        written_s=drip.written_s,
        first_s=times(drip)[0],
        method=drip.method,
        other=", ".join(sorted(flowing)),
        who="" if drip.head is None else software.who(drip.head),
    )


def _flowing(drips: list[Drip]) -> Judgement:
    slow = max(drips, key=longest_gap_s)
    if longest_gap_s(slow) > BURST_S:
        return warning("buffering.bursts", "buffering", gap_s=longest_gap_s(slow), method=slow.method)
    drip = min(drips, key=span_s)
    methods = ", ".join(sorted({drip.method for drip in drips}))
    return ok("buffering.none", count=len(drip.deltas), span_s=span_s(drip), written_s=drip.written_s, methods=methods)


def _of_foreign(drips: list[Drip]) -> Judgement:
    """Of a server that is not ours nobody says when it wrote, so only the pattern speaks."""
    drip = max(drips, key=lambda drip: len(times(drip)))
    found = times(drip)
    if len(found) < _FEW:
        return skipped("buffering", "few", count=len(found))
    if len(drip.deltas) >= _FEW and span_s(drip) < _AT_ONCE_S and found[0] > 1.0:
        return warning("buffering.at_once", "buffering", count=len(found), first_s=found[0])
    return ok("buffering.spread", count=len(found), span_s=span_s(drip), gap_s=longest_gap_s(drip))


def heartbeat(seen: Observed) -> Judgement:
    """Pings of a quiet stream, at the cadence that was asked for."""
    if seen.kind in {"openai", "foreign"}:
        return skipped("heartbeat", "foreign")
    beats = seen.beats
    if beats is None or beats.status >= 400:
        return unprobed("heartbeat", seen)
    if beats.granted_s and beats.granted_s != beats.every_s:
        return skipped("heartbeat", "query")
    if not beats.pings:
        if _is_blocked(seen):
            return skipped("heartbeat", "held")
        return fault("heartbeat.none", "buffering", watched_s=beats.watched_s, every_s=beats.every_s)
    gap_s = max(later - earlier for earlier, later in pairwise((0.0, *beats.pings, beats.watched_s)))
    if gap_s > LATE_BEATS * beats.every_s + 0.5:
        if _is_blocked(seen):
            return skipped("heartbeat", "held")
        return warning("heartbeat.late", gap_s=gap_s, every_s=beats.every_s)
    return ok("heartbeat.good", count=len(beats.pings), watched_s=beats.watched_s, every_s=beats.every_s)


def idle(seen: Observed) -> Judgement:
    """How long a connection lives on which nothing is written."""
    if seen.kind in {"openai", "foreign"}:
        return skipped("idle", "foreign")
    silence = seen.silence
    if seen.idle_off:
        return skipped("idle", "off")
    if silence is None or 400 <= silence.status < 500:
        return unprobed("idle", seen)
    if silence.granted_s and silence.granted_s < silence.asked_s:
        return skipped("idle", "query")
    if silence.spoke:
        return ok("idle.lived", asked_s=silence.asked_s)
    if silence.failure is not None and silence.failure.kind == "timeout":
        return fault("idle.lost", "idle", asked_s=silence.asked_s)
    return _cut(silence, seen.heartbeat_s)


def _cut(silence: Silence, beat_s: float) -> Judgement:
    lived_s = silence.lived_s
    figures = {
        "lived_s": lived_s,
        "heartbeat_s": beat_s,
        "status": silence.status or "-",
        "safe_s": safe_beat_s(lived_s),
    }
    if beat_s >= lived_s or beat_s <= 0:
        return fault("idle.cut", "idle", **figures)
    if beat_s * ROOM > lived_s:
        return warning("idle.tight", "idle", **figures)
    return ok("idle.covered", **figures)


def safe_beat_s(lived_s: float) -> float:
    """Return a heartbeat that keeps a connection with this idle timeout open, also when one beat is late."""
    beat_s = lived_s / (ROOM + 0.5)
    return float(int(beat_s)) if beat_s >= 1 else max(0.05, round(beat_s, 2))


def resume(seen: Observed) -> Judgement:
    """A stream that was cut must go on where it was: by the Last-Event-ID header, and by `?after=`."""
    if seen.kind in {"openai", "foreign"}:
        return skipped("resume", "foreign")
    found = seen.resume
    if found is None:
        return unprobed("resume", seen)
    if not found.after:
        return skipped("resume", "nothing")
    figures: dict[str, Any] = {
        "after": found.after,
        "by_header": _place(found.by_header),
        "by_query": _place(found.by_query),
    }
    header, query = found.by_header == found.after, found.by_query == found.after
    if header and query:
        return ok("resume.good", **figures) if found.whole else fault("resume.torn", **figures)
    if query:
        return fault("resume.stripped", "resume", **figures)
    if header:
        return fault("resume.query", **figures)
    detail = "" if found.failure is None else found.failure.detail
    return fault("resume.failed", "resume", detail=detail, **figures)


def _place(seq: int | None) -> int | str:
    return "-" if seq is None else seq


def _is_blocked(seen: Observed) -> bool:
    """Whether what holds the stream back would hold the pings back, too."""
    return any(is_held(drip) for drip in seen.drips)
