"""Words in English and Arabic, and how figures are put into them."""

from __future__ import annotations

import os
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sse_widget.diagnosis.judgement import Figure

Lang = Literal["en", "ar"]


class Words(msgspec.Struct, frozen=True):
    """A text in both languages, with `{name}` places for figures."""

    en: str
    ar: str

    def plain(self, lang: Lang) -> str:
        """Return the words as they stand."""
        return self.ar if lang == "ar" else self.en


class Case(msgspec.Struct, frozen=True):
    """What is said of one code: what was seen, and what to do about it (None: nothing)."""

    seen: Words
    remedy: Words | None = None


UNNAMED = Words("something that does not name itself", "طرف لا يعرّف بنفسه")


class _Said(Formatter):
    def __init__(self, wrap: Callable[[str], str]) -> None:
        self._wrap = wrap

    def format_field(self, value: Any, format_spec: str) -> str:
        # A figure that could not be taken stands as text, and text has no decimals.
        spec = "" if isinstance(value, str) else format_spec
        return self._wrap(cast("str", super().format_field(value, spec)))


def as_is(text: str) -> str:
    """Return the text."""
    return text


def say(
    words: Words,
    figures: Mapping[str, Figure],
    lang: Lang,
    *,
    wrap: Callable[[str], str] = as_is,
    literal: Callable[[str], str] = as_is,
) -> str:
    """Return the words with the figures in their places.

    `wrap` is applied to each figure (as HTML needs it), `literal` to the words around them.
    """
    known = {name: (value or UNNAMED.plain(lang)) if name == "who" else value for name, value in figures.items()}
    formatter = _Said(wrap)
    parts = []
    for text, name, spec, _ in formatter.parse(words.plain(lang)):
        parts.append(literal(text))
        if name is not None:
            parts.append(formatter.format_field(known[name], spec or ""))
    return "".join(parts)


def preferred_lang(lang: str = "", environment: Mapping[str, str] = os.environ) -> Lang:
    """Return the supported language of a tag, or, for an empty one, of the locale that the environment names."""
    tag = lang or next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "ar" if tag.lower().replace("_", "-").partition("-")[0].partition(".")[0] == "ar" else "en"
