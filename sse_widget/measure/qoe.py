"""Quality of experience of a streamed text after Andes: was there always something to read? Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sse_widget.measure.spans import Moment

READING_CHARS_PER_S = {"en": 21.0, "ar": 17.2, "zh": 8.3}
"""Silent reading, in characters with spaces a second.

English and Arabic: 236 and 181 words a minute, of Brysbaert (2019), "How many words do we read per minute?", J. Memory
and Language 109, as packages that use it list them by language (its abstract says 238 for English non-fiction); times
the characters of a word and its space, 987 / 228 + 1 = 5.33 for English and 863 / 184 + 1 = 5.69 for the mean of 17
languages, of Trauzettel-Klosinski and Dietz (2012), IReST, doi:10.1167/iovs.11-8284. Andes' mean reader, 4.8 tokens a
second of 1.3 tokens a word, comes to 19.7 English characters a second. Chinese: 500 characters a minute, as Medium
reckons reading time.
"""


class Reader(msgspec.Struct, frozen=True):
    """What a reader expects: so many characters a second (English), the first of them after `ttft_s` (1 s, as Andes).

    Raises ValueError for a speed that is not above 0 or a wait below 0.
    """

    chars_per_s: float = READING_CHARS_PER_S["en"]
    ttft_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.chars_per_s > 0 or not self.ttft_s >= 0:
            raise ValueError("a reader reads more than 0 characters a second and expects the first after 0 s or more")


def qoe_of(moments: Iterable[Moment], asked_s: float, reader: Reader) -> float | None:
    """Return 1 - S_delay / S_whole, between 0 and 1: 1 where no character came later than the reader could read it.

    Character i of n is expected at e_i = ttft + (i - 1) / speed after the question, and read at
    a_i = max(d_i, a_(i-1) + 1 / speed), where it appeared at d_i, but never before e_i. S_delay = sum of (a_i - e_i) is
    the area between the two curves, S_whole = sum of a_i that area and the one beside it, from the question on. So what
    comes early gains nothing, and a delay delays all that follows. None without characters.

    Source: Andes (arXiv 2404.16283v2), section 3.1, equations 1 to 3, which count tokens; here it is characters, which
    is what a reader reads. The equations were read in a public extract of the paper, not in the paper itself. The
    authors' published code differs: it takes areas up to the last token, from the expected TTFT on.
    """
    # a_i - e_i: a character inherits the delay of the one before it.
    delay_s = delayed_s = 0.0
    read = 0
    begun_s = asked_s + reader.ttft_s
    for moment in moments:
        chars = moment.chars
        if not chars:
            continue
        first_s = moment.first_s - begun_s - read / reader.chars_per_s
        read += chars
        last_s = moment.last_s - begun_s - (read - 1) / reader.chars_per_s
        delay_s = max(delay_s, first_s)
        if last_s <= delay_s or chars == 1:
            delayed_s += chars * delay_s
        else:
            delayed_s += _growing_s(first_s, last_s, chars, delay_s)
            delay_s = last_s
    if read == 0:
        return None
    whole_s = read * (_expected_s(reader, 0) + _expected_s(reader, read - 1)) / 2 + delayed_s
    return 1.0 - delayed_s / whole_s if whole_s > 0 else 1.0


def _expected_s(reader: Reader, place: int) -> float:
    return reader.ttft_s + place / reader.chars_per_s


def _growing_s(first_s: float, last_s: float, chars: int, delay_s: float) -> float:
    """Return the sum of the delays of characters that appear evenly, later and later, none before `delay_s`."""
    step_s = (last_s - first_s) / (chars - 1)
    on_time = min(chars - 1, int((delay_s - first_s) / step_s) + 1)
    late = chars - on_time
    # Of the others, each is a step later than the one before: half of the first and the last, times their number.
    return on_time * delay_s + late * (first_s + on_time * step_s + last_s) / 2
