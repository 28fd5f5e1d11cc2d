"""As a newcomer: a fresh clone whose `make run` shows an answer, and the wheel in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from rig.browser import Lab
from rig.process import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
LIMIT_MS = 90_000
PAINTED = """
() => {
  window.paintedAt = new Promise((resolve) => {
    const look = () => {
      if (document.querySelector('.ssew-text')?.textContent) resolve(Date.now());
      else requestAnimationFrame(look);
    };
    look();
  });
}
"""


def clean_environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment without our virtual environment, and with settings of its own."""
    dropped = {str(Path(sys.executable).parent), str(ROOT / "node_modules" / ".bin")}
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder not in dropped]
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHON", "MAKEFLAGS"}}
    return {
        **kept,
        "PATH": os.pathsep.join(path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "user"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[str]:
    """Clone what is committed, `make run HEADLESS=1` in it, and yield the URL that it prints."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    command = ["make", "run", "HEADLESS=1"]
    began = time.monotonic()
    program = Program(
        command, tmp_path / "run.log", cwd=clone, env=clean_environment(tmp_path), limit_s=300.0, group=True
    )
    url = program.wait_for(r"http://127\.0\.0\.1:\d+/lab/tree/01_quickstart\.ipynb\?token=\w+")[0]
    print(f"\nfresh clone: make run to its URL {time.monotonic() - began:.0f} s")
    yield url
    program.end()


def test_make_run_in_a_fresh_clone_shows_a_streamed_answer(make_run: str, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(make_run)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LIMIT_MS)
    page.get_by_text("| Idle").wait_for(timeout=LIMIT_MS)
    page.evaluate(PAINTED)
    began_ms = time.time() * 1000
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    painted_ms = page.evaluate("window.paintedAt")
    print(f"make run: Run to first painted text {painted_ms - began_ms:.0f} ms")
    cells = page.locator(".jp-CodeCell")
    last = cells.nth(cells.count() - 1).locator(".jp-InputPrompt")
    expect(last).to_have_text(re.compile(r"\[\d+\]:"), timeout=LIMIT_MS)
    expect(page.locator(".ssew-dot").first).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    for kind in ("stderr", "error"):
        assert page.locator(f".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.{kind}']").count() == 0
    assert len(page.locator(".ssew-text").first.inner_text()) > 20


@pytest.fixture
def lab_of_the_wheel(tmp_path: Path) -> Iterator[Lab]:
    """Build the wheel, install it beside JupyterLab in an environment that never saw this checkout or Node."""
    folder = tmp_path / "dist"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    uv = str(Path(sys.executable).parent / "uv")
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "env")], check=True)
    locked = str(ROOT / "infra" / "setup" / "requirements.txt")
    install = [uv, "pip", "install", "--quiet", "--python", python, "--constraint", locked, str(wheel), "jupyterlab"]
    subprocess.run(install, check=True)
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    token = "wheel"
    command = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += ["--ServerApp.port=0", "--LabApp.extension_manager=readonly", f"--ServerApp.root_dir={notebooks}"]
    environment = {**clean_environment(tmp_path), "JUPYTER_TOKEN": token}
    # Nothing of the machine's Node may be found: a folder with the few programs that Jupyter needs is all of PATH.
    environment["PATH"] = f"{tmp_path / 'env' / 'bin'}:/bin-without-node"
    program = Program(command, tmp_path / "lab.log", cwd=notebooks, env=environment)
    port = program.wait_for(r"http://127\.0\.0\.1:(\d+)/lab")[1]
    yield Lab(f"http://127.0.0.1:{port}", token, notebooks, program.process.pid)
    program.end()


def test_the_wheel_alone_gives_a_working_widget(lab_of_the_wheel: Lab, fresh_page: Page) -> None:
    lab, page = lab_of_the_wheel, fresh_page
    model = "synthetic:tokens=30,rate=60,lang=ar"
    lab.write("w.ipynb", [f"import sse_widget as sw\nw = sw.StreamWidget(model={model!r})\nw", 'await w.ask("wheel")'])
    lab.open(page, "w.ipynb")
    lab.run(page, 0)
    page.wait_for_selector(".ssew textarea", timeout=LIMIT_MS)
    lab.run(page, 1)
    expect(page.locator(".ssew-dot").first).to_have_attribute("data-state", "done", timeout=LIMIT_MS)
    assert len(page.locator(".ssew-text").first.inner_text()) > 100
