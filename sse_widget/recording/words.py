"""What `sse-widget record` and `replay` say, in English and Arabic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.diagnosis.words.language import Words, preferred_lang, say

if TYPE_CHECKING:
    import argparse

    from sse_widget.cassette import Cassette
    from sse_widget.diagnosis.judgement import Figure
    from sse_widget.diagnosis.words.language import Lang
    from sse_widget.recording.recording import Progress

ENDINGS = {
    "ended": Words("the stream ended", "انتهى البث"),
    "cut": Words("the connection broke", "انقطع الاتصال"),
    "left": Words("the recording was ended before the stream", "أُنهي التسجيل قبل انتهاء البث"),
}
NOT_WHOLE = Words("the recording is not whole", "التسجيل غير مكتمل")
WAITING = Words("waiting for the answer: {seconds:.1f} s", "بانتظار الجواب: {seconds:.1f} ث")
SO_FAR = Words(
    "{bytes} bytes, {events} events, {seconds:.1f} s", "البايتات: {bytes}، الأحداث: {events}، {seconds:.1f} ث"
)
PLAYED = Words(
    "{name}: {seconds:.1f} s, {bytes} bytes, {ending}; Ctrl+C ends the server",
    "{name}: {seconds:.1f} ث، البايتات: {bytes}، {ending}؛ Ctrl+C ينهي الخادم",
)
NO_HEADER = Words("a header is written 'Name: value'; got {name}", "تُكتب الترويسة هكذا: 'Name: value'؛ والمعطى {name}")
NO_JSON = Words("--body is no JSON: {detail}", "قيمة --body ليست JSON: {detail}")
NO_SECONDS = Words("--limit-s must be a number of seconds above 0", "يجب أن يكون --limit-s عدد ثوانٍ أكبر من 0")
NO_SPEED = Words(
    "--speed must be a number from 0 (flat out) to {most:.0f}",
    "يجب أن يكون --speed عددًا من 0 (بلا انتظار) إلى {most:.0f}",
)


def add_language(parser: argparse.ArgumentParser) -> None:
    """Declare the flag that `lang_of` reads."""
    parser.add_argument("--lang", choices=("en", "ar"), default="", help="language (default: that of the locale)")


def lang_of(options: argparse.Namespace) -> Lang:
    """Return the language that was asked for, or that of the locale."""
    return preferred_lang(options.lang)


def progress_line(progress: Progress, lang: Lang) -> str:
    """Return how far a recording has come."""
    words = SO_FAR if progress.bytes or progress.how else WAITING
    figures = {"bytes": progress.bytes, "events": progress.events, "seconds": progress.elapsed_s}
    return say(words, figures, lang)


def played_line(name: str, cassette: Cassette, lang: Lang) -> str:
    """Return what is going to be played."""
    ending = NOT_WHOLE if cassette.end is None else ENDINGS[cassette.end.end]
    figures: dict[str, Figure] = {
        "name": name,
        "seconds": cassette.duration_s,
        "bytes": len(cassette.data),
        "ending": ending.plain(lang),
    }
    return say(PLAYED, figures, lang)
