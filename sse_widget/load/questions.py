"""What is asked: a file's lines, or a few questions in English and Arabic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

QUESTIONS = (
    "What is a stream of server-sent events, in three sentences?",
    "ما هو البث المتدفق للنص؟ أجب في ثلاث جمل.",
    "Write a short paragraph about the sea at night.",
    "اكتب فقرة قصيرة عن البحر في الليل.",
    "List five uses of a hash function, one line each.",
    "اذكر خمس نصائح للقراءة السريعة، كل واحدة في سطر.",
    "Explain to a child why the sky is blue.",
    "اشرح لطفل لماذا السماء زرقاء.",
)
"""Half English, half Arabic, for answers of some hundred characters."""


def questions_of(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the lines of a UTF-8 file that are not blank. Raises OSError, or ValueError when there are none."""
    try:
        lines = Path(path).read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error
    questions = tuple(line.strip() for line in lines if line.strip())
    if not questions:
        raise ValueError(f"{path} has no question; write one a line")
    return questions
