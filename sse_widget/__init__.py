"""Streamed LLM answers in notebooks: a widget, a client, and the errors both raise.

Names load when they are first used, so that importing `sse_widget.protocol` never loads anywidget.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sse_widget import plots as plots
    from sse_widget.answer import Answer as Answer
    from sse_widget.cassette import Cassette as Cassette
    from sse_widget.client import StreamClient as StreamClient
    from sse_widget.diagnosis import doctor as doctor
    from sse_widget.display import show as show
    from sse_widget.errors import CassetteError as CassetteError
    from sse_widget.errors import ConnectError as ConnectError
    from sse_widget.errors import IdleTimeout as IdleTimeout
    from sse_widget.errors import InvalidPlan as InvalidPlan
    from sse_widget.errors import LimitExceeded as LimitExceeded
    from sse_widget.errors import LogTrimmed as LogTrimmed
    from sse_widget.errors import PayloadError as PayloadError
    from sse_widget.errors import RemoteError as RemoteError
    from sse_widget.errors import SSEWidgetError as SSEWidgetError
    from sse_widget.errors import Stopped as Stopped
    from sse_widget.errors import WrongContentType as WrongContentType
    from sse_widget.hosting import serve as serve
    from sse_widget.load import bench as bench
    from sse_widget.magic import load_ipython_extension as load_ipython_extension
    from sse_widget.measure.recommend import recommend as recommend
    from sse_widget.measure.sweep import sweep as sweep
    from sse_widget.measure.sweep.table import summary as summary
    from sse_widget.protocol.faults import FaultPlan as FaultPlan
    from sse_widget.recording import record as record
    from sse_widget.shown import Shown as Shown
    from sse_widget.widget import StreamWidget as StreamWidget
    from sse_widget.writer import Writer as Writer

__version__ = "0.1.0"

_MODULES = {
    "Answer": "answer",
    "Cassette": "cassette",
    "CassetteError": "errors",
    "ConnectError": "errors",
    "FaultPlan": "protocol.faults",
    "IdleTimeout": "errors",
    "InvalidPlan": "errors",
    "LimitExceeded": "errors",
    "LogTrimmed": "errors",
    "PayloadError": "errors",
    "RemoteError": "errors",
    "SSEWidgetError": "errors",
    "Shown": "shown",
    "Stopped": "errors",
    "StreamClient": "client",
    "StreamWidget": "widget",
    "Writer": "writer",
    "WrongContentType": "errors",
    "bench": "load",
    "doctor": "diagnosis",
    "load_ipython_extension": "magic",
    "recommend": "measure.recommend",
    "record": "recording",
    "serve": "hosting",
    "show": "display",
    "summary": "measure.sweep.table",
    "sweep": "measure.sweep",
}


_PACKAGES = ("plots",)


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_PACKAGES})
