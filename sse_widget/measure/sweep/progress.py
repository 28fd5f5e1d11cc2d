"""How far a sweep is."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sse_widget.measure.bar import bar_on, in_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def bar(total: int, done: int, *, wanted: bool | None) -> Iterator[Callable[[int], object]]:
    """Yield what takes how many runs more are done, of a total of which some were done before.

    None wants a bar where somebody can see it move: in a notebook, or on a terminal. Raises ImportError when one is
    shown and tqdm is not installed.
    """
    if wanted is False or total == done:
        yield lambda _runs: None
        return
    try:
        # tqdm's own disable=None asks isatty() in notebooks, too, and would never show there.
        hidden = wanted is None and not in_notebook() and not sys.stderr.isatty()
        moving = bar_on(sys.stderr, total=total, initial=done, unit=" runs", desc="sweep", disable=hidden)
    except ImportError as error:
        raise ImportError("a progress bar needs tqdm: pip install 'sse-widget[measure]', or progress=False") from error
    with moving as shown:
        yield shown.update
