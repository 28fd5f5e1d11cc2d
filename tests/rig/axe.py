"""What axe-core, the engine of most accessibility checkers, finds in a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SOURCE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """
async ([where, tags]) => {
  const { violations, passes, incomplete } = await axe.run(where, { runOnly: tags, resultTypes: ['violations'] });
  const told = ({ id, help, nodes }) => `${id}: ${help}: ` + nodes.map((node) => [
    node.target.join(' '), node.html.slice(0, 160), ...[...node.any, ...node.all, ...node.none].map((c) => c.message),
  ].join(' | ')).join(' || ');
  return { violations: violations.map(told), passes: passes.map(({ id }) => id), incomplete: incomplete.map(told) };
}
"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2 at level AA, and what axe-core advises beyond it."""


RAN = frozenset({"button-name", "color-contrast", "aria-allowed-attr"})
"""Rules on names, contrast and roles."""


def violations(page: Page, where: str = "body", ran: frozenset[str] = RAN) -> list[str]:
    """Return what is wrong in the elements of a selector; that these rules had something to judge is asserted."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_SOURCE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate(_RUN, [where, TAGS])
    missing = ran - {*found["passes"], *_rules(found)}
    assert not missing, f"axe-core had nothing to judge by {missing}"
    return found["violations"]


def _rules(found: dict[str, Any]) -> set[str]:
    return {told.partition(":")[0] for told in found["violations"]}
