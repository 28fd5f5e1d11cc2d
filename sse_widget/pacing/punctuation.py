"""Which grapheme clusters end a sentence or a clause, in Latin, Arabic and CJK text (design.md section 8).

Pure; its twin is js/pacing/punctuation.js.
"""

from __future__ import annotations

from typing import Final

LETTER: Final = 0
CLAUSE: Final = 1
SENTENCE: Final = 2

SENTENCE_ENDS: Final = ".!?؟۔。！？…\n\r"
CLAUSE_ENDS: Final = ",;:،؛，；：、"

_KINDS: Final = dict.fromkeys(SENTENCE_ENDS, SENTENCE) | dict.fromkeys(CLAUSE_ENDS, CLAUSE)


def kind_of(cluster: str) -> int:
    """Return LETTER, CLAUSE or SENTENCE, by the first code point: marks that follow it change nothing."""
    return _KINDS.get(cluster[0], LETTER)
