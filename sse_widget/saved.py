"""What a notebook keeps of an answer when no widget can be shown: on GitHub, in nbconvert, or without its kernel.

It is an output of its own under the widget's. A live view hides it (js/view/saved.js); where JupyterLab has lost the
model, its own styles hide JupyterLab's "model not found". Hosts that strip styles show no widget either.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_STYLE = """<style>
.jp-OutputArea-child:has(+ .jp-OutputArea-child > * > .{name}):not(:has(.jp-OutputArea-output *)) {{ display: none }}
.{name} .ssew-late {{ animation: ssew-late 1s step-end backwards }}
@keyframes ssew-late {{ from {{ visibility: hidden }} }}
</style>"""

_UNTYPESET = "mathjax_ignore tex2jax_ignore"
"""The text stands as it came. MathJax 3 and 2 would find formulas in it, also where a live view hides it: in JupyterLab
that is a task of 150 ms at the end of a long answer."""

_NOTES = {
    "en": {
        "idle": "Nothing was asked here yet. Run this cell to ask.",
        "streaming": "The answer was still being written when this was saved.",
        "stopped": "Stopped before its end.",
        "interrupted": "Interrupted: the end is missing.",
        "gap": "A part of the answer was lost.",
        "error": "The answer ended with an error.",
    },
    "ar": {
        "idle": "لم يُسأل شيء هنا بعد. شغّل هذه الخلية لتسأل.",
        "streaming": "كانت الإجابة لا تزال تُكتب عند الحفظ.",
        "stopped": "أُوقفت قبل نهايتها.",
        "interrupted": "انقطع البث، فالنهاية ناقصة.",
        "gap": "ضاع جزء من الإجابة.",
        "error": "انتهت الإجابة بخطأ.",
    },
}


@dataclass(frozen=True, slots=True)
class Saved:
    """The question, the answer and how it ended, of the widget whose live views know it by `saved_id`."""

    saved_id: str
    question: str
    text: str
    status: str
    error: str = ""
    lang: str = ""

    @property
    def html(self) -> str:
        """HTML that needs no script; everything is escaped."""
        name = f"ssew-saved-{self.saved_id}"
        question = escape(self.question)
        asked = f'<p dir="auto" style="white-space: pre-wrap"><strong>{question}</strong></p>' if question else ""
        return (
            f'<div class="ssew-saved {name} {_UNTYPESET}" style="max-width: 46rem">{_STYLE.format(name=name)}'
            f"{asked}{_lines(self.text)}{self._note}</div>"
        )

    @property
    def plain(self) -> str:
        """Question and answer, for terminals."""
        return f"{self.question}\n\n{self.text}" if self.question and self.text else self.text

    @property
    def _note(self) -> str:
        """How it stands, unless it is done; shown late, so that it does not flash by before a live view is there."""
        notes = _NOTES["ar" if self.lang.lower().partition("-")[0] == "ar" else "en"]
        note = self.error or notes.get(self.status, "")
        return f'<p dir="auto" class="ssew-late"><em>{escape(note)}</em></p>' if note else ""


def _lines(text: str) -> str:
    if not text:
        return ""
    lines = (f'<div dir="auto">{escape(line) or "<br>"}</div>' for line in text.split("\n"))
    return f'<div style="white-space: pre-wrap">{"".join(lines)}</div>'
