"""Marks of what happened to a run beside its text: heartbeats, breaks, new connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_widget.plots.rows import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sse_widget.measure.frame import Frame
    from sse_widget.plots.theme import Theme

_TOP = 1.0


def mark_events(axes: Axes, frame: Frame, colours: Theme) -> str:
    """Mark heartbeats (▾), breaks (✕) and further connections (▸) along the top; return what they are, in words."""
    events = events_of(frame)
    shapes = {
        "heartbeat": ("v", colours.faint, 5.0, _TOP),
        "break": ("X", colours.warn, 7.0, _TOP),
        # Above the break: a reader that comes back at once does so at the same time.
        "new connection": (">", colours.ink, 6.0, _TOP + 0.045),
    }
    said = []
    for name, (marker, colour, size, height) in shapes.items():
        at_s = events[name]
        if not at_s:
            continue
        label = f"{name}, {len(at_s)}" if len(at_s) > 1 else name
        axes.plot(
            at_s,
            [height] * len(at_s),
            marker,
            color=colour,
            markeredgecolor=colours.ground,
            markersize=size,
            label=label,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            zorder=5,
        )
        said.append(f"{name} at {', '.join(number(at) for at in at_s[:5])}{' …' if len(at_s) > 5 else ''} s")
    for at in events["break"]:
        axes.axvline(at, color=colours.warn, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0.9)
    return f" Marks: {'; '.join(said)}." if said else ""


def events_of(frame: Frame) -> dict[str, list[float]]:
    """Return the times (s) of heartbeats, of breaks (a reader that waits to connect again), and of later connections.

    A reader that comes back at once, as after a cut by hand, does not wait: there a break is what the new connection
    ends, at the same time.
    """
    found: dict[str, list[float]] = {"heartbeat": [], "break": [], "new connection": []}
    if "kind" not in frame:
        return found
    connected = False
    notes = frame[frame["kind"].isin(("ping", "state"))]
    for kind, state, at_s in zip(notes["kind"], notes["state"], notes["at_s"].astype(float), strict=True):
        if kind == "ping":
            found["heartbeat"].append(at_s)
        elif state == "open":
            if connected:
                found["new connection"].append(at_s)
            connected = True
        elif connected and (state == "waiting" or (state == "connecting" and not _waits(found))):
            found["break"].append(at_s)
    return found


def _waits(found: dict[str, list[float]]) -> bool:
    """Return whether a break is not over."""
    return len(found["break"]) > len(found["new connection"])
