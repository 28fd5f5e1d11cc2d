"""What the wheel holds: two packages with their bundles, and the file that enables the Jupyter extension."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from sse_widget.cassette import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BUNDLES = {
    "part-code.js",
    "part-faults.js",
    "part-markdown.js",
    "part-math.js",
    "part-timeline.js",
    "sse.js",
    "markdown.js",
    "widget.js",
    "widget.css",
    "page.js",
    "page.css",
    "dashboard.js",
    "dashboard.css",
    "dashboard.html",
    "index.html",
    "icon.svg",
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        yield archive.namelist()


def test_it_installs_exactly_two_packages(names: list[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top for top in tops if not top.startswith("sse_widget-")} == {"sse_widget", "sse_server"}


def test_it_has_the_bundles_and_no_sources_of_them(names: list[str]) -> None:
    static = {PurePosixPath(name).name for name in names if name.startswith("sse_widget/static/")}
    assert static == BUNDLES
    assert not [name for name in names if name.startswith("sse_widget/js/")]
    assert not [name for name in names if "test" in name or "node_modules" in name]


def test_it_has_every_module_and_the_types_marker(names: list[str]) -> None:
    for package, folder in (("sse_widget", ROOT / "sse_widget"), ("sse_server", ROOT / "server" / "sse_server")):
        modules = {f"{package}/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.py")}
        assert modules <= set(names)
        assert f"{package}/py.typed" in names


def test_it_has_the_sample_recordings(names: list[str]) -> None:
    assert {f"sse_widget/cassettes/{name}.ssecast" for name in samples()} <= set(names)
    assert len(samples()) == 6


def test_it_enables_the_jupyter_extension(names: list[str]) -> None:
    assert [name for name in names if name.endswith("etc/jupyter/jupyter_server_config.d/sse_server.json")]
