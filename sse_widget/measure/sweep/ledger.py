"""What a sweep has found so far, in a Parquet file that an interrupted one goes on from."""

from __future__ import annotations

import json
import os
import time
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sse_widget.measure.sweep.cross import FAULT, setting_of
from sse_widget.measure.sweep.table import pandas, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sse_widget.measure.frame import Frame
    from sse_widget.measure.sweep.cross import Cross, Key
    from sse_widget.measure.sweep.gauge import Gauge
    from sse_widget.measure.virtual.serving import Tokens

_SAVE_EVERY_S: Final = 5.0
_SAVING_SHARE: Final = 0.05
_ATTRIBUTE: Final = "sse_widget_sweep"
_FORMAT: Final = 1
_GROWING: Final = frozenset({"streams", FAULT})
_REMEDY: Final = "give another name, or delete it"


class Ledger:
    """The rows of one sweep, by what tells runs apart. `path` is None when they are kept in memory alone."""

    def __init__(self, path: str | os.PathLike[str] | None, identity: dict[str, Any]) -> None:
        self.rows: dict[Key, Sequence[Any]] = {}
        self._path = None if path is None else Path(path)
        self._identity = identity
        self._saved = 0
        self._save_at_s = time.monotonic() + _SAVE_EVERY_S
        pandas()  # who lacks it is told before anything runs
        if self._path is not None and self._path.exists():
            self._load(self._path)

    def add(self, keys: Iterable[Key], figures: Iterable[Sequence[Any]]) -> None:
        """Take what was found."""
        self.rows.update(zip(keys, figures, strict=True))

    def table(self, keys: Iterable[Key]) -> Frame:
        """Return the rows of these runs that are here, in their order."""
        return self._table({key: self.rows[key] for key in keys if key in self.rows})

    def save(self) -> None:
        """Write the file anew beside the old one and put it into its place, so that there is always a whole one."""
        if self._path is None or self._saved == len(self.rows):
            return
        table = self._table(self.rows)
        table.attrs[_ATTRIBUTE] = json.dumps(self._identity)
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                table.to_parquet(file, engine="pyarrow", index=False)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        self._saved = len(self.rows)

    def save_now_and_then(self) -> None:
        """Save, every 5 s at most, and never for more than a twentieth of the time."""
        began_s = time.monotonic()
        if began_s >= self._save_at_s:
            self.save()
            took_s = time.monotonic() - began_s
            self._save_at_s = began_s + max(_SAVE_EVERY_S, took_s / _SAVING_SHARE)

    def _table(self, rows: Mapping[Key, Sequence[Any]]) -> Frame:
        return table_of(rows, self._identity["parameters"], self._identity["figures"])

    def _load(self, path: Path) -> None:
        try:
            table = pandas().read_parquet(path, engine="pyarrow")
        except ValueError as error:  # pyarrow's own are such
            raise ValueError(f"{path} is no Parquet file, and is left as it is: {error}") from error
        said = table.attrs.get(_ATTRIBUTE)
        if said is None:
            raise ValueError(f"{path} is no file of a sweep, and is left as it is; give another name")
        self._check(path, json.loads(said))
        figures = self._identity["figures"]
        keys = table[["stream", "seed", *self._identity["parameters"]]]
        values = table[figures].astype(object).where(table[figures].notna(), None)
        self.add(keys.itertuples(index=False, name=None), values.itertuples(index=False, name=None))
        self._saved = len(self.rows)

    def _check(self, path: Path, theirs: dict[str, Any]) -> None:
        for name, mine in self._identity.items():
            held = theirs.get(name)
            if name in _GROWING and isinstance(held, dict):
                changed = [key for key in held.keys() & mine.keys() if held[key] != mine[key]]
                if changed:
                    raise ValueError(f"{path} holds another sweep, of another {changed[0]!r}; {_REMEDY}")
                self._identity[name] = held | mine
            elif held != mine:
                raise ValueError(f"{path} holds another sweep: its {name} are {held!r}, not {mine!r}; {_REMEDY}")


def identity_of(streams: Mapping[str, Tokens], cross: Cross, gauge: Gauge) -> dict[str, Any]:
    """Return what the rows of one file have in common: what was swept, how it was measured, and by what."""
    plans = {label: plan.dump() for label, plan in (cross.faults or {}).items() if plan is not None}
    return {
        "format": _FORMAT,
        "version": version("sse-widget"),
        "parameters": cross.names,
        **gauge.identity,
        "defaults": json.loads(msgspec.json.encode(setting_of({}))),
        # Of the same name must be the same; a call that names further ones adds to the file.
        "streams": {name: zlib.crc32(msgspec.msgpack.encode(tokens)) for name, tokens in streams.items()},
        FAULT: plans,
    }
