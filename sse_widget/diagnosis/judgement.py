"""What was concluded of one probe, without words: the same in every language."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "fault", "skipped"]
Figure = str | float | int
NO_VALUE = "-"
"""The figure of something that was not there."""

PROBES = (
    "name",
    "connection",
    "encryption",
    "redirects",
    "upstream",
    "access",
    "content_type",
    "headers",
    "hops",
    "compression",
    "buffering",
    "heartbeat",
    "idle",
    "resume",
    "cors",
    "websocket",
    "connections",
    "browser",
)
"""In the order of a report. What stands earlier may cause what stands later, so the first fault is the culprit."""

NO_WAY = frozenset({"name", "connection", "encryption"})
NO_SERVER = frozenset(f"upstream.{case}" for case in ("dead", "silent", "cut", "garbled", "failed"))
"""Probes and codes whose fault means that no server was reached at all."""


class Judgement(msgspec.Struct, frozen=True):
    """One probe's verdict. `code` names the case, `figures` what was measured, `topic` the remedy's configuration.

    With `hop`, the fault stands between two addresses of a chain: (where it is seen, the next one where it is not);
    the second is empty when the last address, the server itself, has it too.
    """

    probe: str
    verdict: Verdict
    code: str
    figures: dict[str, Figure] = {}
    topic: str = ""
    hop: tuple[str, str] | None = None


def ok(code: str, **figures: Figure) -> Judgement:
    """Nothing is wrong."""
    return _judgement("ok", code, figures)


def warning(code: str, topic: str = "", **figures: Figure) -> Judgement:
    """It works, but may not always."""
    return _judgement("warning", code, figures, topic)


def fault(code: str, topic: str = "", **figures: Figure) -> Judgement:
    """It does not work."""
    return _judgement("fault", code, figures, topic)


def skipped(probe: str, reason: str, **figures: Figure) -> Judgement:
    """Not probed; `reason` is the part of the code after the dot."""
    return Judgement(probe, "skipped", f"skipped.{reason}", figures)


def _judgement(verdict: Verdict, code: str, figures: dict[str, Figure], topic: str = "") -> Judgement:
    return Judgement(code.partition(".")[0], verdict, code, figures, topic)
