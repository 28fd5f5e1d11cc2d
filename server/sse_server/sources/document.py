"""Seeded Markdown: everything that a model's answer may hold, in English and Arabic, cut into tokens."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

# A model's tokens: a word with the blank before it, or a few marks; harakat stay with their letters.
_TOKEN = re.compile(r"[ \n]*(?:[\w\u064b-\u0655\u0670]+|[^\w\s]{1,3})|\s+")

_CODE = (
    """```python
async def {a}(stream: Stream, limit: int = {n}) -> str:
    # {b} {c}: stop at the limit
    parts = [part async for part in stream.{c}() if part.text]
    return "".join(parts[:limit]) or "{d}"
```""",
    """```js
export function {a}(source, {{ limit = {n} }} = {{}}) {{
  const {b} = source.filter((part) => part.{c} !== null); // {d}
  return {b}.slice(0, limit).join("");
}}
```""",
    """```sh
curl -N 'http://127.0.0.1:8765/api/v1/stream/chat?q={a}+{b}' \\
  -H 'Accept: text/event-stream' | head -n {n}
```""",
)
_MATH = (
    r"$$\bar{x}_{%d} = \frac{1}{n} \sum_{i=1}^{n} x_i^{%d}$$",
    r"$$\int_0^{%d} e^{-\lambda t}\,dt = \frac{1 - e^{-%d\lambda}}{\lambda}$$",
)


class _Author:
    """Writes blocks out of words."""

    def __init__(self, pick: random.Random, latin: Sequence[str], arabic: Sequence[str]) -> None:
        self._pick = pick
        self._latin = latin
        self._arabic = arabic
        self._sections = itertools.count(1)

    def blocks(self) -> Iterator[str]:
        """Yield blocks without end, each kind in turn."""
        kinds: list[Callable[[], str]] = [
            self._heading,
            self._paragraph,
            self._arabic_paragraph,
            self._bullets,
            self._code,
            self._paragraph,
            self._table,
            self._arabic_bullets,
            self._math,
            self._quote,
        ]
        for kind in itertools.cycle(kinds):
            yield f"{kind()}\n\n"

    def _say(self, count: int, words: Sequence[str] = ()) -> str:
        return " ".join(self._pick.choices(words or self._latin, k=count))

    def _number(self) -> int:
        return self._pick.randint(2, 99)

    def _heading(self) -> str:
        return f"## {next(self._sections)}. {self._say(3).title()}"

    def _paragraph(self) -> str:
        return (
            f"{self._say(9).capitalize()}, **{self._say(2)}** {self._say(6)} `{self._say(1)}_{self._say(1)}`. "
            f"{self._say(7).capitalize()} [{self._say(2)}](https://example.org/{self._say(1)}) {self._say(5)} "
            f"*{self._say(1)}*: $x_t = {self._number()}\\alpha + {self._number()}$. {self._say(12).capitalize()}."
        )

    def _arabic_paragraph(self) -> str:
        return (
            f"{self._say(8, self._arabic)}، **{self._say(2, self._arabic)}** {self._say(5, self._arabic)} "
            f"`{self._say(1)}` {self._say(4, self._arabic)}. {self._say(9, self._arabic)} {self._number()}؛ "
            f"{self._say(6, self._arabic)}."
        )

    def _bullets(self) -> str:
        return (
            f"- {self._say(5).capitalize()}\n- **{self._say(1)}**: {self._say(6)}\n  - {self._say(4)}\n"
            f"  - `{self._say(1)}` {self._say(3)}\n- [x] {self._say(4)}\n- [ ] {self._say(5)}"
        )

    def _arabic_bullets(self) -> str:
        return "\n".join(f"{place}. {self._say(6, self._arabic)}." for place in (1, 2, 3))

    def _code(self) -> str:
        a, b, c, d = self._pick.sample(self._latin, 4)
        return self._pick.choice(_CODE).format(a=a, b=b, c=c, d=d, n=self._number())

    def _table(self) -> str:
        head = f"| {self._say(1)} | {self._say(1, self._arabic)} | ms |\n| --- | --- | ---: |"
        rows = (f"| {self._say(2)} | {self._say(2, self._arabic)} | {self._number()} |" for _ in range(4))
        return "\n".join([head, *rows])

    def _math(self) -> str:
        return self._pick.choice(_MATH) % (self._number(), self._number())

    def _quote(self) -> str:
        return f"> {self._say(10).capitalize()}.\n> {self._say(8).capitalize()}."


def document(pick: random.Random, latin: Sequence[str], arabic: Sequence[str]) -> Iterator[str]:
    """Yield the tokens of a document without end; the same `pick` gives the same one."""
    for block in _Author(pick, latin, arabic).blocks():
        yield from _TOKEN.findall(block)
