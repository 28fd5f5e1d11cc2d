"""Characters as readers count them."""

from __future__ import annotations

import regex

_CLUSTER = regex.compile(r"\X")


def segment(text: str) -> list[str]:
    """Split a text into its extended grapheme clusters (UAX 29)."""
    clusters: list[str] = _CLUSTER.findall(text)
    return clusters
