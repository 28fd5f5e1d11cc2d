"""Who may use a route: each one says so for each of its methods, or the server does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Access = str | Mapping[str, str]

OPEN: Final = "open"
"""Everyone, from everywhere: it tells nothing that is anyone's secret, and changes nothing."""

PAGE: Final = "page"
"""Everyone but foreign pages: no credentials, for they are only asked for here."""

FRAMES: Final = "frames"
"""Everyone but foreign pages may connect; what they may do is decided for each frame."""

RIGHTS: Final = frozenset({"start", "read", "stop", "tune", "push"})
"""What a principal may do; a route that names one asks for it before its method runs."""

DECISIONS = RIGHTS | {OPEN, PAGE, FRAMES}
_HARMLESS = frozenset({"HEAD", "OPTIONS"})


class UndecidedRouteError(TypeError):
    """A route does not say who may use it."""


def decision(access: Access, method: str) -> str:
    """Return what a request of this method needs; empty for a method that nothing is said of."""
    return access if isinstance(access, str) else access.get(method, "")


def check_decisions(routes: Iterable[tuple[str, type[Any], Iterable[str]]]) -> None:
    """Raise UndecidedRouteError unless each of (path, route, methods) has an `access` that speaks of all methods."""
    for path, route, methods in routes:
        access = getattr(route, "access", "")
        for method in methods:
            said = decision(access, method)
            if said not in DECISIONS and not (method in _HARMLESS and not said):
                known = ", ".join(sorted(DECISIONS))
                problem = f"says {said!r}, which is no decision" if said else "does not say who may use it"
                raise UndecidedRouteError(
                    f"{route.__name__} at {path} {problem} by {method}. Give the class `access`, one for all its "
                    f"methods or a mapping of them: {known}."
                )
