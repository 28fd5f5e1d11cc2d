"""Any iterator in a widget.

answer = await sw.show(client.chat.completions.create(model="…", messages=[…], stream=True))
"""

from __future__ import annotations

from typing import Any, overload

from IPython import get_ipython
from IPython.display import display

from sse_widget.shown import Shown
from sse_widget.widget import StreamWidget
from sse_widget.writer import Writer

_OF_RUN = frozenset({"model", "max_tokens"})


@overload
def show(
    source: None = None, *, question: str = "", url: str | None = None, token: str | None = None, **options: Any
) -> Writer: ...
@overload
def show(
    source: object, *, question: str = "", url: str | None = None, token: str | None = None, **options: Any
) -> Shown: ...
def show(
    source: object = None, *, question: str = "", url: str | None = None, token: str | None = None, **options: Any
) -> Shown | Writer:
    """Display a widget that shows what an iterator yields, and return at once; `await` or `.wait()` gives the Answer.

    `source` is an iterator, iterable or generator, synchronous or not, a context manager or an awaitable of one, of
    str or of chunks of OpenAI (chat.completions, responses), Anthropic (text_stream, events) or LangChain; also a
    TextIteratorStreamer of transformers. Without one, the text is written: `with sw.show() as out: out.write("…")`.
    Raises TypeError when it is nothing of the kind; a chunk that is not known ends the text as an error. RuntimeError
    when 24 texts are being written already, and none of them was closed.

    Who iterates: a synchronous source is read by a thread of its own, in a copy of the caller's context, so it may
    block, and goes on while other cells run; nothing else may iterate it. An asynchronous one is read on the event
    loop that runs where `show` is called, because clients of SDKs are bound to theirs: in Jupyter and in coroutines it
    goes on whenever that loop is free, so `await` it, or return from the cell; a cell that blocks holds it up, and
    `wait()` refuses there. In a script without a loop it is read on a loop in the background: call `wait()`, since
    the end of the script is the end of everything. Tokens go to the server over HTTP, none over the kernel's own
    channels; 32 iterators are read at once, further ones wait for their turn.

    `question` stands above the text. `options` are `model`, a label; `max_tokens`, after which it stops; and traits of
    StreamWidget, as the knobs `chunk_tokens=1` or `preset="raw"`, or `lang="ar"`. `url` and `token` name a server as
    in StreamWidget. Where no IPython runs, nothing is displayed.

    >>> shown = sw.show(word + " " for word in "one two three".split())   # doctest: +SKIP
    >>> shown.wait()   # doctest: +SKIP
    'one two three '
    """
    unknown = sorted(options.keys() - _OF_RUN - set(StreamWidget.class_trait_names()))
    if unknown:
        raise TypeError(
            f"sw.show knows no option {', '.join(unknown)}: it takes model, max_tokens and traits of StreamWidget"
        )
    shown = Writer(question) if source is None else Shown(source, question)
    asked = {name: options.pop(name) for name in _OF_RUN & options.keys()}
    params = {name: value for name, value in asked.items() if value not in (None, "")}
    widget = _ShowWidget(url=url, token=token, **{"ask_box": False, "question": question, **options})
    shown.begin(widget, {**widget.params, **params})
    if get_ipython() is not None:
        display(widget)  # type: ignore[no-untyped-call]
    return shown


class _ShowWidget(StreamWidget):
    """Its run begins at once, so there is nothing to have ready for a first question."""

    async def _warm_up(self) -> None:
        pass
