"""Every message exists in both languages, with the same places to fill in."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from sse_server import errors
from sse_server.errors import MESSAGES, ServerError, Words
from sse_server.guards import auth, pushing, validation

PARTS = {
    f"{module.__name__}.{name}": value
    for module in (auth, pushing, validation)
    for name, value in vars(module).items()
    if isinstance(value, Words)
}
ARABIC = re.compile("[\u0600-\u06ff]")


def places(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_is_there_in_both_languages_with_the_same_places(key):
    words = MESSAGES[key]
    assert places(words.en) == places(words.ar)
    assert words.en.isascii()
    assert ARABIC.search(words.ar)


@pytest.mark.parametrize("key", MESSAGES)
def test_brackets_of_latin_text_do_not_turn_round_in_arabic(key):
    """Brackets at its edge take the direction of what surrounds them, unless a mark (U+200E) says which."""
    for span in re.findall("[!-~\u200e][ -~\u200e]*", MESSAGES[key].ar):
        if "<" in span or ">" in span:
            assert span.count("\u200e") == 2, span


@pytest.mark.parametrize("key", MESSAGES)
def test_a_message_can_be_said_whatever_fills_it(key):
    values = dict.fromkeys(places(MESSAGES[key].en), "{name} %s {0.__class__} \ud800")
    error = ServerError(key, **values)
    for lang in ("en", "ar"):
        said = error.say(lang)
        assert "\ud800" not in said
        assert error.event(lang).message == said
    assert 400 <= error.status < 600
    assert error.code == errors.CODES.get(key, key)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_message_is_there_in_both_languages(name):
    assert ARABIC.search(PARTS[name].ar) or PARTS[name].ar != PARTS[name].en
