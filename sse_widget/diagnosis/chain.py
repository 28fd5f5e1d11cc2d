"""Where in a chain of addresses a fault comes in: seen at one, and not at the next one behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sse_widget.diagnosis.judgement import Judgement

_BAD = frozenset({"fault", "warning"})


def placed(
    outer: tuple[str, tuple[Judgement, ...]], behind: Sequence[tuple[str, tuple[Judgement, ...]]]
) -> tuple[Judgement, ...]:
    """Return the judgements of the outer address, each fault with the two addresses that it stands between.

    `behind` are (url, judgements) from the outside to the server. Without any, nothing is said of places.
    """
    if not behind:
        return outer[1]
    return tuple(
        msgspec.structs.replace(judgement, hop=_place(judgement, outer[0], behind))
        if judgement.verdict in _BAD
        else judgement
        for judgement in outer[1]
    )


def _place(judgement: Judgement, url: str, behind: Sequence[tuple[str, tuple[Judgement, ...]]]) -> tuple[str, str]:
    for inner, judgements in behind:
        verdict = next((other.verdict for other in judgements if other.probe == judgement.probe), "skipped")
        if verdict not in _BAD:
            return url, inner
        url = inner
    return url, ""
