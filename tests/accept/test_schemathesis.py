"""Schemathesis asks a real server what its description allows and what it does not, and holds the answers to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LIMIT_S = 240.0
HOOKS = '''
import schemathesis

MOST_MS = 20


def bounded(fields):
    """A delay of a minute is no fault of the server's, but a minute of this test."""
    if isinstance(fields, dict) and isinstance(fields.get("delay_ms"), (int, float)):
        return {**fields, "delay_ms": min(fields["delay_ms"], MOST_MS)}
    return fields


@schemathesis.hook
def map_body(context, body):
    return bounded(body)


@schemathesis.hook
def map_query(context, query):
    return bounded(query)
'''


def test_every_answer_is_as_described(server_process, tmp_path):
    flags = ["--model", "synthetic:tokens=3,rate=0", "--rate-limit", "off", "--producer-timeout-s", "0.3"]
    server = server_process(*flags)
    (tmp_path / "bounds.py").write_text(HOOKS)
    command = [str(Path(sys.executable).with_name("st")), "--no-color", "run", f"{server.url}/api/v1/openapi.json"]
    command += ["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "6"]
    command += ["--generation-deterministic", "--request-timeout", "20", "--continue-on-failure"]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "bounds", "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert "Fuzzing" in ended.stdout
    assert re.search(r"(\d+) selected / \1 total", ended.stdout)
