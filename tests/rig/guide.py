"""The commands of a guide and what they print, as they stand in its Markdown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDES = Path(__file__).parents[2] / "infra" / "guides"
_PAIR = re.compile(r"^```sh\n(.*?)^```\n\n^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 150.0


def sections(name: str) -> dict[str, tuple[str, str]]:
    """Return (commands, what they print) of each section of a guide that has both, by its heading."""
    parts = (GUIDES / name).read_text("utf-8").split("\n## ")
    found = {part.partition("\n")[0]: _PAIR.search(part) for part in parts[1:]}
    return {heading: (pair[1], pair[2]) for heading, pair in found.items() if pair}


def printed(commands: str, hops: Mapping[str, str]) -> str:
    """Run commands as a reader does, with these addresses, and return what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **hops, "PATH": path, "COLUMNS": "100", "no_proxy": "*", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", commands],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=LIMIT_S,
        check=False,
        encoding="utf-8",
    )
    return done.stdout


def shape(text: str, hops: Mapping[str, str]) -> str:
    """Return a text without what differs from run to run: addresses, numbers, where lines are broken."""
    for name, url in hops.items():
        text = text.replace(url, f"${name}")
    text = re.sub(r"/dev/fd/\d+", "FILE", text)
    return " ".join(re.sub(r"\d+(\.\d+)*", "#", text).split())
