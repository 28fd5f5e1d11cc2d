"""From what was seen to what it means: pure, so that every verdict can be tested from a recorded observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.diagnosis.verdicts import answer, flow, network, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from sse_widget.diagnosis.judgement import Judgement
    from sse_widget.diagnosis.observations import Observed

_ALL: tuple[Callable[[Observed], Judgement | None], ...] = (
    network.name,
    network.connection,
    network.encryption,
    network.redirects,
    answer.upstream,
    answer.access,
    answer.content_type,
    answer.headers,
    answer.hops,
    answer.compression,
    flow.buffering,
    flow.heartbeat,
    flow.idle,
    flow.resume,
    page.cors,
    page.websocket,
    page.connections,
    page.browser,
)


def judge(seen: Observed) -> tuple[Judgement, ...]:
    """Return a judgement for each probe, in the order of PROBES."""
    found = (verdict(seen) for verdict in _ALL)
    return tuple(judgement for judgement in found if judgement is not None)
