"""The parameters of virtual runs, and every combination of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sse_widget.measure.virtual.network import Network
from sse_widget.measure.virtual.page import Page
from sse_widget.measure.virtual.reading import Reconnection
from sse_widget.measure.virtual.run import Setting
from sse_widget.pacing.chunker import Knobs
from sse_widget.pacing.pace import PacerOptions
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Value = float | bool | str
    Values = float | bool | Iterable[float | bool]
    Fault = FaultPlan | str | None
    Faults = Fault | Iterable[Fault] | Mapping[str, Fault]
    Key = tuple[Value, ...]

FAULT: Final = "fault"
NO_FAULT: Final = "none"
"""What the column `fault` says of runs without a plan."""

# What comes first changes most slowly: runs that follow each other share all stages up to the first that differs.
_BEFORE_SEED: Final = {"knobs": Knobs, "network": Network, "reconnection": Reconnection}
_AFTER_SEED: Final = {"pace": PacerOptions, "page": Page}
_PARTS: Final = _BEFORE_SEED | _AFTER_SEED

PARAMETERS: Final = {name: part for part, kind in _PARTS.items() for name in kind.__struct_fields__}
"""The parameters that can be crossed, and the part of a virtual run's setting in which each is described."""

KNOBS: Final = tuple(name for name, part in PARAMETERS.items() if part in {"knobs", "pace"})
"""Those that whoever shows an answer can choose; the others say what network, screen and faults are like."""


class Case(msgspec.Struct, frozen=True):
    """One run of a sweep: the tokens by their name, the values that are crossed, and what follows from them."""

    stream: str
    seed: int
    values: dict[str, Value]
    setting: Setting

    @property
    def key(self) -> Key:
        """What tells it from every other run of its sweep."""
        return (self.stream, self.seed, *self.values.values())


class Cross(msgspec.Struct, frozen=True):
    """The values of each parameter that was named, in the order in which they were named, and the fault plans."""

    lists: dict[str, list[float | bool]]
    faults: dict[str, FaultPlan | None] | None

    @classmethod
    def of(cls, parameters: Mapping[str, Values], faults: Faults) -> Cross:
        """Check what was given; raises TypeError for an unknown parameter, InvalidPlan for a plan that is none."""
        lists = {name: _listed(name, values) for name, values in parameters.items()}
        return cls(lists, None if faults is None else _plans(faults))

    @property
    def names(self) -> list[str]:
        """The columns that tell a run from others of its stream and seed."""
        return [*self.lists, *([] if self.faults is None else [FAULT])]

    def cases(self, streams: Iterable[str], seeds: Sequence[int]) -> Iterator[Case]:
        """Yield all of them: streams, then knobs, network, reconnection, faults, seeds, pace and page."""
        outer = {name: values for name, values in self.lists.items() if PARAMETERS[name] in _BEFORE_SEED}
        inner = {name: values for name, values in self.lists.items() if PARAMETERS[name] in _AFTER_SEED}
        plans = (self.faults or {NO_FAULT: None}).items()
        for stream, before, (label, plan), seed, after in product(
            streams, _combined(outer), plans, seeds, _combined(inner)
        ):
            values: dict[str, Value] = {name: (before | after)[name] for name in self.lists}
            if self.faults is not None:
                values[FAULT] = label
            yield Case(stream, seed, values, setting_of(before | after, plan))


def setting_of(values: Mapping[str, float | bool], fault: FaultPlan | None = None) -> Setting:
    """Return the setting with these values of `PARAMETERS`; raises ValueError for one that is out of range."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
    for name, value in values.items():
        parts[PARAMETERS[name]][name] = value
    return Setting(**{part: kind(**parts[part]) for part, kind in _PARTS.items()}, fault=fault)


def _listed(name: str, values: Values) -> list[float | bool]:
    if name not in PARAMETERS:
        raise TypeError(f"there is no parameter {name!r} to sweep; there are {', '.join([*PARAMETERS, FAULT])}")
    return list(values) if isinstance(values, Iterable) else [values]


def _plans(faults: Faults) -> dict[str, FaultPlan | None]:
    if isinstance(faults, Mapping):
        return {str(name): _plan(fault) for name, fault in faults.items()}
    several = [faults] if faults is None or isinstance(faults, FaultPlan | str) else faults
    plans = map(_plan, several)
    return {NO_FAULT if plan is None else plan.dump(): plan for plan in plans}


def _plan(fault: Fault) -> FaultPlan | None:
    return FaultPlan.parse(fault) if isinstance(fault, str) else fault


def _combined(lists: Mapping[str, list[float | bool]]) -> list[dict[str, float | bool]]:
    # Knobs before network and pace before page, whatever the order in which they were named.
    names = sorted(lists, key=list(PARAMETERS).index)
    return [dict(zip(names, values, strict=True)) for values in product(*(lists[name] for name in names))]
