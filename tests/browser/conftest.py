"""The browser's fixtures, for the tests of this folder."""

from rig.browser import chromium, cutting_proxy, fresh_page, lab, playwright, standalone

__all__ = ["chromium", "cutting_proxy", "fresh_page", "lab", "playwright", "standalone"]
