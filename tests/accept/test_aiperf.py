"""Our measures and aiperf's of the same requests: from its own raw times of each chunk, its own figures.

aiperf (NVIDIA's load generator, pinned in `infra/setup/aiperf.txt`) runs in `.venv-aiperf`, which `make accept` makes.
Its times are whole nanoseconds of one clock, so what is defined alike must be equal up to the rounding of floats.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from rig.llama import llama
from rig.providers import Provider, chat_completions
from sse_widget.load.reading import Reading
from sse_widget.measure.gaps import percentile
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.protocol.sse import Event

AIPERF = Path(__file__).parents[2] / ".venv-aiperf" / "bin" / "aiperf"
QUESTIONS = ["What is a stream?", "ما هو البث؟", "Name a colour.", "اذكر لونا."]
REQUESTS = 8
LIMIT_S = 180.0
OUR_TOKENS = 24
MODEL = f"synthetic:tokens={OUR_TOKENS}"
"""Without a comma, at which aiperf would part it in two."""
NEAR_MS = 2e-6
"""Two of the nanoseconds that aiperf counts in; ours are seconds in floats."""

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
WORDS = ["The sea ", "is ", "wide ", "وا", "سع ", "and deep."]
TOKENS = [3, 1, 1, 1, 1, 2]
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
}
"""aiperf loads one though the server counts the tokens; this one need not be fetched from anywhere."""


def profile(folder: Path, url: str, *flags: str, model: str = "stand-in") -> tuple[list[dict], list[dict], dict]:
    """Have aiperf ask, and return its raw records, its figures of each in the same order, and those of all."""
    assert AIPERF.exists(), "there is no aiperf here; make accept sets it up (make .venv-aiperf/.ready)"
    tokenizer, questions, out = folder / "tokenizer", folder / "questions.jsonl", folder / "out"
    tokenizer.mkdir()
    (tokenizer / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(named))
    questions.write_text("".join(json.dumps({"text": text}) + "\n" for text in QUESTIONS), "utf-8")
    command = [str(AIPERF), "profile", "--model", model, "--url", url, "--endpoint-type", "chat", "--streaming"]
    command += ["--input-file", str(questions), "--custom-dataset-type", "single_turn"]
    command += ["--use-server-token-count", "--tokenizer", str(tokenizer), "--export-level", "raw"]
    command += ["--request-count", str(REQUESTS), "--concurrency", "2", "--workers-max", "1", "--random-seed", "1"]
    command += ["--artifact-dir", str(out), "--ui", "none", "--no-server-metrics", "--no-gpu-telemetry", *flags]
    ours = {"PYTHONPATH", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in ours} | {"HOME": str(folder)}
    ended = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    raw, figures = (
        {record["metadata"]["x_request_id"]: record for record in records(out / name)}
        for name in ("profile_export_raw.jsonl", "profile_export.jsonl")
    )
    assert len(raw) == REQUESTS
    assert set(raw) == set(figures)
    summary = json.loads((out / "profile_export_aiperf.json").read_text("utf-8"))
    return list(raw.values()), [figures[name]["metrics"] for name in raw], summary


def records(path: Path) -> list[dict]:
    """Return what the lines of a file hold."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def ours(record: dict):
    """Return what our reader makes of aiperf's raw chunks, at aiperf's times of them."""
    at_ns = record["start_perf_ns"]
    reading = Reading(lambda: (at_ns - record["start_perf_ns"]) / 1e9)
    for response in record["responses"]:
        at_ns = response["perf_ns"]
        for packet in response["packets"]:
            assert packet["name"] == "data"
            reading.take(Event("message", packet["value"], ""))
    assert reading.whole
    received = reading.received()
    return received, metrics_of(received, segment)


def agreeing(raw: list[dict], theirs: list[dict], tpot: str) -> dict[str, list[float]]:
    """Assert that each figure of each request is aiperf's, and return ours by aiperf's names."""
    all_ours: dict[str, list[float]] = {"time_to_first_token": [], "request_latency": [], "inter_token_latency": []}
    all_ours["inter_chunk_latency"] = []
    for record, figures in zip(raw, theirs, strict=True):
        received, metrics = ours(record)
        gaps_ms = [1000 * (after.received_s - before.received_s) for before, after in pairwise(received.spans)]
        one = {
            "time_to_first_token": metrics.ttft_ms,
            "request_latency": metrics.delivered_total_ms,
            "inter_token_latency": getattr(metrics, tpot),
        }
        for name, value in one.items():
            assert (figures[name]["value"], figures[name]["unit"]) == (pytest.approx(value, abs=NEAR_MS), "ms")
            all_ours[name].append(value)
        assert figures["inter_chunk_latency"]["value"] == pytest.approx(gaps_ms, abs=NEAR_MS)
        all_ours["inter_chunk_latency"] += gaps_ms
        for name in ("p50", "p90", "p95", "p99"):
            whole = getattr(metrics, f"delivered_gap_{name}_ms")
            assert whole == pytest.approx(percentile(figures["inter_chunk_latency"]["value"], SHARES[name]))
        assert figures["output_sequence_length"]["value"] == metrics.tokens
        per_user = figures["output_token_throughput_per_user"]["value"]
        assert per_user == pytest.approx(1000 / getattr(metrics, tpot), rel=1e-9)
    return all_ours


def agreeing_percentiles(ours_by_name: dict[str, list[float]], summary: dict) -> None:
    """Assert that percentiles over the requests are aiperf's too."""
    for name, values in ours_by_name.items():
        theirs = summary[name]
        assert theirs["avg"] == pytest.approx(sum(values) / len(values), rel=1e-9)
        for share, place in SHARES.items():
            assert theirs[share] == pytest.approx(percentile(values, place), rel=1e-9)


def test_of_a_real_model_each_figure_is_aiperfs(tmp_path):
    """llama.cpp tells the tokens at the end only: aiperf's inter token latency is our `tpot_vllm_ms`."""
    with llama() as server:
        flags = ["--api-key", server.key, "--extra-inputs", "max_tokens:24", "--extra-inputs", "temperature:0"]
        raw, theirs, summary = profile(tmp_path, server.url, *flags)
    agreeing_percentiles(agreeing(raw, theirs, "tpot_vllm_ms"), summary)
    for record in raw:
        assert ours(record)[1].tpot_ms is None


def bundled(words):
    """Yield the chunks of a server that tells its usage in each of them, at a pace of its own.

    One answer of text alone: aiperf also takes tool calls, reasoning and second answers for content.
    """
    told = 0
    counts = iter(TOKENS)
    for name, chunk in chat_completions(words):
        if chunk != "[DONE]":
            said = [choice["delta"].get("content") for choice in chunk["choices"]]
            if chunk["choices"] and (chunk["choices"][0]["index"] or "tool_calls" in chunk["choices"][0]["delta"]):
                continue
            told += next(counts) if any(said) else 0
            chunk["usage"] = {"prompt_tokens": 5, "completion_tokens": told, "total_tokens": 5 + told}
            time.sleep(0.004)  # the pace of a model: chunks that come in one read have no gaps to compare
        yield name, chunk


def test_where_the_first_chunk_has_several_tokens_each_figure_is_aiperfs(tmp_path):
    """With the usage in each chunk, aiperf's inter token latency is our `tpot_ms`, and `tpot_vllm_ms` is not."""
    provider = Provider()
    provider.words, provider.routes = WORDS, {"/chat/completions": bundled}
    try:
        raw, theirs, summary = profile(tmp_path, provider.url, "--per-chunk-usage")
    finally:
        provider.close()
    agreeing_percentiles(agreeing(raw, theirs, "tpot_ms"), summary)
    for record, figures in zip(raw, theirs, strict=True):
        received, metrics = ours(record)
        assert (received.first_tokens, received.tokens) == (TOKENS[0], sum(TOKENS))
        assert "".join(span.text for span in received.spans) == "".join(WORDS)
        assert metrics.tpot_vllm_ms < figures["inter_token_latency"]["value"]


def test_of_our_own_server_each_figure_is_aiperfs(tmp_path, server_process):
    """Our `/v1`, as the load tool finds it: one token a chunk, the role and the end apart, the usage at the end."""
    server = server_process("--model", MODEL, "--rate-limit", "off")
    raw, theirs, summary = profile(tmp_path, server.url, model=MODEL)
    agreeing_percentiles(agreeing(raw, theirs, "tpot_vllm_ms"), summary)
    for record in raw:
        received, _ = ours(record)
        assert (received.tokens, len(received.spans)) == (OUR_TOKENS, OUR_TOKENS)
