"""The browser's fixtures, for the tests of this folder."""

from rig.answer import answer, listener, pages
from rig.browser import chromium, cutting_proxy, fresh_page, lab, playwright, standalone

__all__ = ["answer", "chromium", "cutting_proxy", "fresh_page", "lab", "listener", "pages", "playwright", "standalone"]
