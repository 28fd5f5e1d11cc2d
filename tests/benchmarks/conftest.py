"""The browser's fixtures, for the measures that need one."""

from rig.browser import chromium, fresh_page, lab, playwright

__all__ = ["chromium", "fresh_page", "lab", "playwright"]
