"""What a notebook keeps of an answer: escaped, in words of both languages, and found by its own widget alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_widget import saved
from sse_widget.saved import Saved

ARABIC = re.compile("[\u0600-\u06ff]")


def form(**values):
    return Saved(**{"saved_id": "0a1b", "question": "", "text": "", "status": "done", **values})


@given(question=st.text(), text=st.text(), error=st.text())
def test_nothing_of_an_answer_becomes_markup(question, text, error):
    """What is said cannot open a tag: those that are there are the ones of an answer without any."""
    page = form(question=question, text=text, error=error).html
    tags = set(re.findall(r"<[^>]*>", page.partition("</style>")[2]))
    harmless = form(question="q", text="t\n\nt", error="e").html.partition("</style>")[2]
    assert tags <= set(re.findall(r"<[^>]*>", harmless))


@pytest.mark.parametrize("status", saved._NOTES["en"])
def test_how_it_ended_is_said_in_both_languages(status):
    english, arabic = (form(status=status, lang=lang).html for lang in ("", "ar-EG"))
    assert saved._NOTES["en"][status] in english
    assert saved._NOTES["ar"][status] in arabic
    assert ARABIC.search(saved._NOTES["ar"][status])
    assert saved._NOTES["en"][status].isascii()


def test_an_answer_that_is_whole_needs_no_note():
    assert "<em>" not in form(text="whole").html
    assert "<em>gone</em>" in form(text="half", status="error", error="gone").html


def test_a_terminal_sees_question_and_answer():
    assert form(question="q", text="a").plain == "q\n\na"
    assert form(text="a").plain == "a"
    assert form(question="q").plain == ""
