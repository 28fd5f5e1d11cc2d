"""Words in English and Arabic, and how figures are put into them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Literal

import msgspec

from sse_widget.diagnosis.judgement import NO_VALUE, Figure

Lang = Literal["en", "ar"]


class Words(msgspec.Struct, frozen=True):
    """A text in both languages, with `{name}` places for figures; what is typed or sent stands in backticks."""

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
NOTHING = Words("(none)", "(لا شيء)")
_CODE = re.compile("`([^`]*)`")
# What came over the wire must not move the cursor of a terminal or turn the direction of what follows.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LEFT_TO_RIGHT = "\u200e"
_formatter = Formatter()


class Style(msgspec.Struct, frozen=True):
    """How words become a text: what is done to the words, to each figure in them, and to what stands in backticks."""

    literal: Callable[[str], str]
    figure: Callable[[str], str]
    code: Callable[[str], str]


def say(words: Words, figures: Mapping[str, Figure], lang: Lang, style: Style | None = None) -> str:
    """Return the words with the figures in their places, as plain text unless a style is given."""
    chosen = style or _PLAIN[lang]
    parts = []
    for text, name, spec, _ in _formatter.parse(words.plain(lang)):
        parts.append(chosen.literal(text))
        if name is not None:
            parts.append(chosen.figure(_shown(name, figures[name], spec or "", lang)))
    return _CODE.sub(lambda found: chosen.code(found[1]), "".join(parts))


def _shown(name: str, figure: Figure, spec: str, lang: Lang) -> str:
    if figure == "" and name == "who":
        return UNNAMED.plain(lang)
    if figure == NO_VALUE:
        return NOTHING.plain(lang)
    # A figure that could not be taken stands as text, and text has no decimals.
    text = figure if isinstance(figure, str) else format(figure, spec)
    return _UNSAFE.sub(" ", text).replace("`", "'")


def _as_is(text: str) -> str:
    return text


_PLAIN: dict[Lang, Style] = {
    "en": Style(_as_is, _as_is, "`{}`".format),
    # Flags begin with signs that have no direction; the marks keep them where they belong.
    "ar": Style(_as_is, _as_is, f"{_LEFT_TO_RIGHT}`{{}}`{_LEFT_TO_RIGHT}".format),
}


def preferred_lang(lang: str = "", environment: Mapping[str, str] = os.environ) -> Lang:
    """Return the supported language of a tag, or, for an empty one, of the locale that the environment names."""
    tag = lang or next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "ar" if tag.lower().replace("_", "-").partition("-")[0].partition(".")[0] == "ar" else "en"
