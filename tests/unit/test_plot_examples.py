"""The examples of the plots' docstrings run, and their pictures are drawn in every theme."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from sse_widget import plots

MODULES = [importlib.import_module(found.name) for found in pkgutil.iter_modules(plots.__path__, f"{plots.__name__}.")]
DRAWING = [name for name in plots.__all__ if name != "Picture"]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_hold(module):
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_every_plot_has_an_example_that_draws_in_every_theme(name, theme):
    function = getattr(plots, name)
    (found,) = [test for test in doctest.DocTestFinder(recurse=False).find(function, name) if test.examples]
    scope = {}
    for example in found.examples[:-1]:
        exec(example.source, scope)  # noqa: S102 - the documented example, in the documented order
    call = found.examples[-1].source.strip().removeprefix("print(").split(".description")[0]
    picture = eval(call[:-1] + f", theme={theme!r})", scope | {name: function})  # noqa: S307 - as above
    assert picture.svg().startswith("<svg ")
