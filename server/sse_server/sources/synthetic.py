"""Seeded text at a chosen rate: a source whose every run is the same, for tests, demonstrations and measuring.

Written as `synthetic:tokens=250,rate=50,lang=en,seed=1,jitter=0.2,ttft_ms=0`. `rate` is tokens a second, 0 is flat
out; `jitter` spreads each gap evenly by that share. With `burst=N` so many tokens come at once, at the same rate; with
`stall_every=N,stall_ms=M` the model is silent for so long after every so many tokens. The text depends on `tokens`,
`lang` and `seed` alone; the lang `markdown` is a document with code, tables, math and both directions.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING

import msgspec

from sse_server.errors import ServerError, Words, number_words
from sse_server.sources.base import ChatRequest, Token
from sse_server.sources.document import document

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

_PROSE = {
    "en": """a stream carries each word as soon as it exists and the reader sees it grow line by line while the
        model still thinks about what comes next so patience turns into attention""",
    "ar": """البثّ يحمل كلَّ كلمةٍ فورَ ولادتها فيرى القارئ النصَّ ينمو سطرًا بعد سطرٍ بينما النموذج ما زال يفكّر
        في ما يأتي لذلك يتحوّل الانتظار إلى انتباه""",
    "zh": """流 把 每个 词 立刻 送到 读者 眼前 文字 一行 一行 地 生长 模型 还在 思考 下一句 等待 变成 专注""",
    "emoji": """👋 👩‍👩‍👧‍👦 🇸🇦 👍🏽 🧑‍🚀 ❤️‍🔥 🏳️‍🌈 🤝🏿 🐈‍⬛ 1️⃣ é ñ क्षि 🙂""",
}
WORDS = {lang: prose.split() for lang, prose in _PROSE.items()}
_STOPS = {"en": (".", ","), "ar": (".", "،"), "zh": ("。", "，"), "emoji": ("!", ",")}
_LANGS = (*WORDS, "mixed", "markdown")
_BREATHE_EVERY = 64
_SHOWN = 60


class SyntheticParams(msgspec.Struct, frozen=True):
    """Bounded parameters of the seeded text; `rate` in tokens/s, `ttft_ms` before the first token; 0 never stalls."""

    tokens: int = 250
    rate: float = 50.0
    lang: str = "en"
    seed: int = 1
    jitter: float = 0.2
    ttft_ms: float = 0.0
    burst: int = 1
    stall_every: int = 0
    stall_ms: float = 0.0


_BOUNDS = {
    "tokens": (1, 100_000),
    "rate": (0, 100_000),
    "seed": (0, 2**63),
    "jitter": (0, 1),
    "ttft_ms": (0, 600_000),
    "burst": (1, 100_000),
    "stall_every": (0, 100_000),
    "stall_ms": (0, 600_000),
}
_WHOLE = frozenset({"tokens", "seed", "burst", "stall_every"})


def parse_params(text: str) -> SyntheticParams:
    """Read `tokens=250,rate=50,…`; raises ServerError that names what is wrong."""
    values: dict[str, object] = {}
    for part in filter(None, text.split(",")):
        name, _, raw = part.partition("=")
        if name == "lang":
            if raw not in _LANGS:
                known = ", ".join(_LANGS)
                raise _refusal(name, Words(f"one of {known}", f"واحدًا من {known}"), raw)
            values[name] = raw
        elif name in _BOUNDS:
            values[name] = _number(name, raw)
        else:
            raise ServerError("unknown_parameter", name=name[:_SHOWN], known=", ".join([*_BOUNDS, "lang"]))
    return msgspec.convert(values, SyntheticParams)


def _number(name: str, raw: str) -> float:
    low, high = _BOUNDS[name]
    whole = name in _WHOLE
    try:
        value = int(raw) if whole else float(raw)
    except ValueError:
        value = float("nan")
    # int() and float() read 1_000 as well.
    if "_" in raw or not low <= value <= high:
        raise _refusal(name, number_words(low, high, whole=whole), raw)
    return value


def check_caps(params: SyntheticParams, most_tokens: int, longest_s: float) -> None:
    """Refuse more tokens or a longer time than the server allows; the time is that of all gaps, without jitter."""
    if params.tokens > most_tokens:
        raise _refusal("tokens", number_words(1, most_tokens, whole=True), str(params.tokens))
    stalls = params.tokens // params.stall_every if params.stall_every else 0
    whole_s = params.ttft_ms / 1000 + stalls * params.stall_ms / 1000
    whole_s += params.tokens / params.rate if params.rate else 0.0
    if whole_s > longest_s:
        want = Words(
            f"such that the whole takes at most {longest_s:g} s", f"بحيث لا يستغرق الكل أكثر من {longest_s:g} ثانية"
        )
        raise _refusal("rate", want, f"{params.rate:g}")


def _refusal(name: str, want: Words, got: str) -> ServerError:
    return ServerError("bad_parameter", name=f"synthetic:{name}", want=want, got=f'"{got[:_SHOWN]}"')


def words(params: SyntheticParams) -> Iterator[str]:
    """Yield the tokens of the text, blanks and punctuation with their word."""
    pick = random.Random(f"{params.lang}:{params.seed}")  # noqa: S311 - repeatable text, no secret
    if params.lang == "markdown":
        yield from itertools.islice(document(pick, WORDS["en"], WORDS["ar"]), params.tokens)
        return
    langs = list(WORDS) if params.lang == "mixed" else [params.lang]
    lang = langs[0]
    for index in range(params.tokens):
        if index % 12 == 0:
            lang = pick.choice(langs)
        full_stop, comma = _STOPS[lang]
        end = full_stop if index % 12 == 11 else comma if index % 12 == 5 else ""
        gap = "\n\n" if index % 48 == 47 else "" if lang == "zh" else " "
        yield f"{pick.choice(WORDS[lang])}{end}{gap}"


def _gaps_s(params: SyntheticParams) -> Iterator[float]:
    """Yield the seconds from each token to the next."""
    pick = random.Random(params.seed)  # noqa: S311 - repeatable gaps, no secret
    waited_s = 0.0
    for count in itertools.count(1):
        if params.rate:
            waited_s += (1.0 + params.jitter * (2.0 * pick.random() - 1.0)) / params.rate
        if params.stall_every and count % params.stall_every == 0:
            waited_s += params.stall_ms / 1000.0
        if count % params.burst:
            yield 0.0
        else:
            yield waited_s
            waited_s = 0.0


class SyntheticSource:
    """See the module."""

    def __init__(self, params: SyntheticParams) -> None:
        self._params = params

    async def tokens(self, request: ChatRequest) -> AsyncGenerator[Token, None]:
        """Yield the seeded tokens on time: a late one does not move the later ones."""
        params = self._params
        gaps = _gaps_s(params)
        loop = asyncio.get_running_loop()
        due = loop.time() + params.ttft_ms / 1000.0
        limit = request.max_tokens or params.tokens
        for index, word in enumerate(words(params)):
            if index >= limit:
                yield Token("", "length")
                return
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            elif index % _BREATHE_EVERY == _BREATHE_EVERY - 1:
                await asyncio.sleep(0)
            yield Token(word)
            due += next(gaps)
        yield Token("", "stop")

    async def close(self) -> None:
        """Nothing is held."""
