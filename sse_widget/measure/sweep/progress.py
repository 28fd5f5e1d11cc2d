"""A progress bar; the only module that knows tqdm."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
        from tqdm.auto import tqdm  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ImportError("a progress bar needs tqdm: pip install 'sse-widget[measure]', or progress=False") from error
    # tqdm's own disable=None asks isatty() in notebooks, too, and would never show there.
    in_notebook = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
    hidden = wanted is None and not in_notebook and not sys.stderr.isatty()
    with tqdm(total=total, initial=done, unit=" runs", desc="sweep", disable=hidden) as shown:
        yield shown.update
