"""A load that is interrupted keeps what it measured; its page is readable for everyone, wide and narrow."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import httpx
import pytest

import sse_widget as sw
from rig.axe import violations
from rig.serving import PATIENCE_S
from rig.shots import keep
from sse_widget.load.report import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RAN = frozenset({"color-contrast", "svg-img-alt", "summary-name"})
MODEL = "synthetic:tokens=40,rate=100,seed=2"


def until_told(terminal: int, pattern: bytes) -> bytes:
    """Read a terminal until it has shown this."""
    told = b""
    while not re.search(pattern, told):
        assert select.select([terminal], [], [], PATIENCE_S)[0], told
        told += os.read(terminal, 4096)
    return told


@pytest.mark.parametrize("limit", [["--duration-s", "600"], ["-n", "5000"], ["-n", "5000", "--rate", "20"]])
def test_an_interrupted_load_keeps_what_it_measured(server_process, tmp_path, limit):
    server = server_process("--model", MODEL)
    files = [tmp_path / "run.json", tmp_path / "run.html"]
    command = [sys.executable, "-m", "sse_widget", "bench", server.url, "-c", "6", *limit]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(
        [*command, "--json", files[0], "--html", files[1]], stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    try:
        # The bar of requests, or of seconds, has moved.
        until_told(ours, rb"[1-9]\d*/(5000|600)")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert process.returncode == 130
    assert "interrupted" in said
    report = json.loads(files[0].read_text("utf-8"))
    assert report["interrupted"]
    summary = report["summary"]
    assert summary["requests"] == summary["done"] == len(report["samples"])
    assert {sample["state"] for sample in report["samples"]} <= {"done"}
    assert Report.load(files[0]).summary.left == summary["left"]
    assert "<svg" in files[1].read_text("utf-8")
    # Those that were open have been stopped, and their connections closed.
    health = httpx.get(f"{server.url}/api/v1/stream/health", trust_env=False).json()
    assert (health["runs"], health["connections"]) == (0, 0)


def test_output_that_is_kept_gets_lines_and_no_bar(server_process):
    server = server_process("--model", MODEL)
    command = [sys.executable, "-m", "sse_widget", "bench", server.url, "--duration-s", "6", "-c", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE_S, check=True)
    assert re.fullmatch(r"(\d+ s: \d+ ended, 0 failed, [0-2] open\n)+", ended.stderr)
    assert "requests done" in ended.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return reports as pages in both languages, of a load in which something failed and something was late."""
    folder = tmp_path_factory.mktemp("pages")
    with sw.serve(guarded=False, port=0, model=MODEL, max_runs=6) as hosted:
        settings = {"slo": {"ttft_ms": 100.0}, "model": MODEL, "chunk_tokens": 1}
        report = sw.bench(hosted.url, requests=60, rate=30.0, concurrency=9, **settings)
    assert report.summary.errors
    for lang in ("en", "ar"):
        report.save(folder / f"{lang}.html", lang=lang)
    return folder


@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_for_everyone(chromium: Browser, pages, lang, scheme):
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1000, "height": 900})
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((pages / f"{lang}.html").as_uri())
    for details in page.locator("details").all():
        details.locator("summary").click()
    for width in (1000, 600, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page, ran=RAN) == []
        keep(page, f"load-{lang}-{scheme}-{width}")
    assert asked == [(pages / f"{lang}.html").as_uri()]
    assert complaints == []
    assert page.locator("svg[role=img]").count() == 4
    assert page.locator("html").get_attribute("dir") == {"en": "ltr", "ar": "rtl"}[lang]
    context.close()
