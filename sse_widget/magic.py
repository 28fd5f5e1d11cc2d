"""`%%ask`: a cell that is a question. `%load_ext sse_widget` makes it known."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from sse_widget.widget import StreamWidget

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sse_widget.run import Run

_OF_RUN = ("model", "max_tokens", "temperature", "seed")


@magics_class
class AskMagics(Magics):
    """The magics of this package."""

    @no_var_expand
    @magic_arguments()
    @argument("-m", "--model", help="the model, such as local; the server's default without it")
    @argument("-n", "--max-tokens", type=int, metavar="N", help="the most tokens of the answer")
    @argument("-t", "--temperature", type=float, metavar="X", help="from 0 (always the same) to 2")
    @argument("--seed", type=int, metavar="N", help="for answers that can be repeated")
    @argument("-o", "--output", default="answer", metavar="NAME", help="the variable of the run (default: answer)")
    @argument("-p", "--plain", action="store_true", help="show the text as it is, not as Markdown")
    @argument("-w", "--wait", action="store_true", help="return when the answer is complete; interrupting stops it")
    @cell_magic
    def ask(self, line: str, cell: str) -> None:
        """Ask what stands in the cell, and show the answer as it is written.

        The cell returns at once, and the answer goes on while others run. The variable is the run: `await answer` gives
        the text, which has metrics and more; `answer.stop()` stops it. The question is sent as it stands: braces and
        dollar signs are not replaced by values.
        """
        options = parse_argstring(self.ask, line)
        name, question = options.output, cell.strip()
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"-o {name}: a variable's name is made of letters, digits and _, such as answer")
        if not question:
            raise UsageError("write the question into the cell, below %%ask")
        run = asked(question, {key: getattr(options, key) for key in _OF_RUN}, plain=options.plain)
        if self.shell is not None:
            self.shell.user_ns[name] = run
        if options.wait:
            _wait(run)


def asked(question: str, params: dict[str, Any], *, plain: bool) -> Run:
    """Display a widget, ask it, and return the run."""
    widget = StreamWidget(ask_box=False, markdown=not plain)
    run = widget.ask(question, **{name: value for name, value in params.items() if value is not None})
    display(widget)
    return run


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make the magics known: what `%load_ext sse_widget` calls."""
    shell.register_magics(AskMagics)


def _wait(run: Run) -> None:
    try:
        run.wait()
    except KeyboardInterrupt:
        run.stop()
        raise
