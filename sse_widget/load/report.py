"""What a load has shown: every request, the figures of all, and under what conditions."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sse_widget import __version__
from sse_widget.load.plan import Plan
from sse_widget.load.sample import Sample
from sse_widget.load.summary import Summary

if TYPE_CHECKING:
    from sse_widget.measure.frame import Frame

FORMAT = 1


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the load fell on; `params` went with every question. No token, no query of the URL."""

    url: str
    kind: str
    model: str = ""
    params: dict[str, Any] = {}
    questions: tuple[str, ...] = ()


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What the load came from."""

    sse_widget: str
    python: str
    system: str
    machine: str
    cores: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A load that was put on. On a terminal and in a notebook it shows itself as a table.

    `summary` has the figures of all requests, `samples` each request, `gaps_ms` times between deliveries. Files:
    `save("run.json")`, which `Report.load` reads again, and `save("run.html")`, a page of its own with plots.
    """

    created: str
    subject: Subject
    plan: Plan
    environment: Environment
    summary: Summary
    interrupted: bool = False
    samples: tuple[Sample, ...] = ()
    gaps_ms: tuple[float, ...] = ()
    format: int = FORMAT

    def frame(self) -> Frame:
        """Return one row a request: the fields of `Sample`, then those of its `Metrics`. Needs pandas."""
        from sse_widget.load.frame import frame_of  # noqa: PLC0415 - needs pandas

        return frame_of(self.samples)

    def save(self, path: str | os.PathLike[str], *, lang: str = "en") -> None:
        """Write the report, as JSON or as a page in that language (en, ar), as the file's name ends.

        A page needs matplotlib for its plots. Raises ValueError for another ending.
        """
        file = Path(path)
        if file.suffix == ".json":
            file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        elif file.suffix in {".html", ".htm"}:
            from sse_widget.load.page import page  # noqa: PLC0415 - needs matplotlib

            file.write_text(page(self, lang), "utf-8")
        else:
            raise ValueError(f"a report is saved as .json or .html; got {file.name!r}")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Report:
        """Read a report that was saved as JSON. Raises OSError, or ValueError when it is none."""
        try:
            return msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path} is no report of a load: {error}") from error

    def __repr__(self) -> str:
        summary = self.summary
        return f"<Report: {summary.done} of {summary.requests} requests to {self.subject.url} done, {self.created}>"

    def __str__(self) -> str:
        from sse_widget.load.table import render  # noqa: PLC0415 - who saves only need not load it

        return render(self)

    def _repr_html_(self) -> str:
        from sse_widget.load.page import fragment  # noqa: PLC0415 - the same

        return fragment(self)


def environment() -> Environment:
    """Return what this process runs on; nothing that names the machine."""
    return Environment(
        sse_widget=__version__,
        python=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
    )
