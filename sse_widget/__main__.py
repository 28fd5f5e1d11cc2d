"""The command `sse-widget`, and `python -m sse_widget`: one subcommand a module."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Protocol, cast

from sse_widget import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    class Command(Protocol):
        """A module with a subcommand."""

        SUMMARY: str

        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            """Declare its flags."""

        @staticmethod
        def run(options: argparse.Namespace) -> int:
            """Do it and return the exit status."""


COMMANDS = {
    "bench": "sse_widget.load.command",
    "doctor": "sse_widget.diagnosis.command",
    "record": "sse_widget.recording.command",
    "replay": "sse_widget.recording.replaying",
}
"""Subcommands and the modules that have them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status."""
    parser = argparse.ArgumentParser("sse-widget", description="Streamed LLM answers: tools for a terminal and for CI.")
    parser.add_argument("--version", action="version", version=f"sse-widget {__version__}")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = cast("Command", importlib.import_module(module))
        sub = choices.add_parser(
            name,
            help=command.SUMMARY,
            description=command.SUMMARY,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
