"""Sweeps: every combination once, the same rows wherever they are computed, and none lost on the way."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import sse_widget as sw
from sse_widget.cassette import samples
from sse_widget.errors import CassetteError, InvalidPlan
from sse_widget.measure.graphemes import segment
from sse_widget.measure.metrics import metrics_of
from sse_widget.measure.sweep.cross import FAULT, PARAMETERS, setting_of
from sse_widget.measure.sweep.gauge import FIGURES, OWN, PAUSE, TEXT_LAG
from sse_widget.measure.sweep.source import streams_of
from sse_widget.measure.virtual.run import Rehearsal, VirtualRun
from sse_widget.measure.virtual.serving import Tokens
from sse_widget.protocol.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future
    from pathlib import Path

WORDS = ["A ", "few ", "words, ", "and ", "then ", "some ", "more."]
TOKENS = Tokens.of([(0.05 * at, text) for at, text in enumerate(WORDS)])
SLOW = Tokens.of([(0.4 * at, text) for at, text in enumerate(["كلمة ", "ثم ", "أخرى."])])
CROSSED: dict[str, Any] = {"chunk_tokens": [1, 3], "max_lag_ms": [0, 100, 400], "jitter_ms": 30, "latency_ms": [10, 20]}
MANY = CROSSED | {"max_lag_ms": list(range(0, 600, 10))}
CUT = FaultPlan.of({"seed": 1, "steps": [{"attempt": 1, "kind": "cut", "event": 4}]})


def seeded(seed: int) -> Callable[[], float]:
    return random.Random(seed).random


def virtual_run(tokens: Tokens, values: dict[str, Any], seed: int, fault: FaultPlan | None = None) -> VirtualRun:
    return Rehearsal(tokens, segment, seeded).run(setting_of(values, fault), seed)


def test_each_combination_is_a_row_and_each_row_the_run_of_its_parameters() -> None:
    streams = {"quick": TOKENS, "slow": SLOW}
    table = sw.sweep(streams, seeds=[1, 2], fault={"whole": None, "cut": CUT}, **CROSSED)
    names = ["stream", "seed", *CROSSED, FAULT]
    assert list(table.columns) == [*names, *FIGURES]
    assert len(table) == 2 * 2 * 2 * 2 * 3 * 1 * 2
    assert not table[names].duplicated().any()
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        values = {name: row[name] for name in CROSSED}
        run = virtual_run(streams[row["stream"]], values, row["seed"], CUT if row[FAULT] == "cut" else None)
        metrics = metrics_of(run.received, segment)
        assert {name: row[name] for name in FIGURES if name not in OWN} == {
            name: getattr(metrics, name) for name in FIGURES if name not in OWN
        }
        assert (row["state"], row["connections"]) == ("done", run.connections)
    assert table.groupby(FAULT)["connections"].max().to_dict() == {"cut": 2, "whole": 1}


def test_the_own_figures_of_a_run_by_hand() -> None:
    """Three tokens come at once each 100 ms; the page draws every 100 ms, a quarter of the way between them."""
    tokens = Tokens.of([(0.1, "a"), (0.2, "b"), (0.5, "c")])
    pace = {"base_delay_ms": 0, "max_lag_ms": 0, "frame_ms": 100, "phase_ms": 25, "paint_ms": 5}
    table = sw.sweep(tokens, figures=["pause_ms", "text_lag_p95_ms"], chunk_tokens=1, latency_ms=10, **pace)
    assert list(table.columns) == ["stream", "seed", "chunk_tokens", "latency_ms", *pace, TEXT_LAG, PAUSE]
    # Received at 110, 210 and 510; drawn at 125, 225 and 525; painted 5 ms later.
    assert table[TEXT_LAG][0] == pytest.approx(30)
    assert table[PAUSE][0] == pytest.approx((100**2 + 300**2) / 400)


def test_an_even_text_stands_still_for_no_longer_than_its_beat_whatever_its_chunks() -> None:
    even = Tokens.of([(0.1 * at, "x") for at in range(50)])
    now = {"base_delay_ms": 0, "max_lag_ms": 0, "frame_ms": 10}
    table = sw.sweep(even, chunk_tokens=[1, 2, 5], chunk_ms=5000, figures=[PAUSE], **now)
    assert table[PAUSE].tolist() == pytest.approx([100, 200, 500], rel=0.01)


def test_types_of_columns() -> None:
    table = sw.sweep(TOKENS, chunk_ms=[50, 100.5], flush_on_punctuation=[True, False], bytes_per_s=math.inf)
    types = {name: str(kind) for name, kind in table.dtypes.items()}
    assert (types["seed"], types["chunk_ms"], types["flush_on_punctuation"]) == ("int64", "float64", "bool")
    assert (types["deltas"], types["tokens"], types["ttft_ms"]) == ("int64", "Int64", "float64")
    assert (types["stream"], types["state"]) == ("str", "str")


@pytest.fixture(scope="module")
def by_processes() -> pd.DataFrame:
    return sw.sweep({"quick": TOKENS}, **MANY)


def test_threads_find_what_processes_find(by_processes: pd.DataFrame) -> None:
    assert len(by_processes) == 240
    with ThreadPoolExecutor(2) as executor:
        pd.testing.assert_frame_equal(sw.sweep({"quick": TOKENS}, executor=executor, **MANY), by_processes)
        assert executor.submit(len, "open").result() == 4


DASK = """
import pandas as pd, sse_widget as sw, sys, warnings
warnings.simplefilter("error")
if __name__ == "__main__":
    from distributed import Client, LocalCluster
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        with client.get_executor() as executor:
            table = sw.sweep("english", executor=executor, figures=["lag_p95_ms"], max_lag_ms=range(100, 550))
        # Five jobs of up to 100 runs each; the tasks that Dask says it ran.
        keys = [key for log in client.run(lambda dask_worker: list(dask_worker.state.log)).values() for key in log]
        assert sum("compute" in str(key[0]) and "memory" in key for key in keys) >= 5, keys
    here = sw.sweep("english", figures=["lag_p95_ms"], max_lag_ms=range(100, 550))
    pd.testing.assert_frame_equal(table, here)
    print("the same")
"""


def test_a_cluster_of_dask_finds_what_processes_find(tmp_path: Path) -> None:
    script = tmp_path / "cluster.py"
    script.write_text(DASK)
    command = [sys.executable, script]
    ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, "the same\n"), ran.stderr
    assert "Error" not in ran.stderr, "the cluster closes cleanly"


class Interrupting(ThreadPoolExecutor):
    """One thread, on which the third job is an interrupt."""

    def __init__(self) -> None:
        super().__init__(1)
        self.jobs = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.jobs += 1
        return super().submit(_interrupted if self.jobs == 3 else fn, *args, **kwargs)


def _interrupted(_job: object) -> None:
    raise KeyboardInterrupt


def counting(executor: Executor) -> list[int]:
    """Return a list that grows by the runs of each job that is submitted."""
    runs: list[int] = []
    submit = executor.submit
    executor.submit = lambda fn, job: (runs.append(len(job.cases)), submit(fn, job))[1]  # type: ignore[method-assign]
    return runs


def test_an_interrupted_sweep_keeps_what_was_done_and_goes_on_from_there(
    tmp_path: Path, by_processes: pd.DataFrame
) -> None:
    file = tmp_path / "sweep.parquet"
    with pytest.raises(KeyboardInterrupt) as interrupt, Interrupting() as executor:
        sw.sweep({"quick": TOKENS}, executor=executor, to=file, **MANY)
    kept = pd.read_parquet(file)
    assert 100 <= len(kept) < 240
    assert interrupt.value.__notes__ == [f"{len(kept)} runs are in {file}; the same call goes on from there"]
    with ThreadPoolExecutor(1) as executor:
        runs = counting(executor)
        table = sw.sweep({"quick": TOKENS}, executor=executor, to=file, **MANY)
        assert sum(runs) == 240 - len(kept)
        pd.testing.assert_frame_equal(table, by_processes)
        pd.testing.assert_frame_equal(sw.sweep({"quick": TOKENS}, executor=executor, to=file, **MANY), by_processes)
        assert sum(runs) == 240 - len(kept), "nothing is computed twice"
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.parquet"]


def test_further_values_of_the_same_parameters_are_added(tmp_path: Path) -> None:
    file = tmp_path / "sweep.parquet"
    sw.sweep({"quick": TOKENS}, to=file, chunk_tokens=[1, 3], max_lag_ms=100, seeds=0)
    with ThreadPoolExecutor(1) as executor:
        runs = counting(executor)
        both = {"quick": TOKENS, "slow": SLOW}
        more = sw.sweep(both, to=file, executor=executor, chunk_tokens=[3, 6], max_lag_ms=[100], seeds=[0, 1])
    assert sum(runs) == 7, "one of the eight was there"
    assert len(more) == 8
    assert len(pd.read_parquet(file)) == 9
    alone = sw.sweep(both, chunk_tokens=[3, 6], max_lag_ms=[100], seeds=[0, 1])
    pd.testing.assert_frame_equal(more, alone)


def test_a_file_keeps_what_is_missing_and_faults(tmp_path: Path) -> None:
    file = tmp_path / "sweep.parquet"
    streams = {"empty": Tokens.of([]), "quick": TOKENS}
    first = sw.sweep(streams, to=file, fault=[None, CUT], chunk_ms=[100], bytes_per_s=[1e4, math.inf])
    again = sw.sweep(streams, to=file, fault=[None, CUT], chunk_ms=[100], bytes_per_s=[1e4, math.inf])
    pd.testing.assert_frame_equal(first, again)
    assert first["fault"].unique().tolist() == ["none", CUT.dump()]


OTHERS: dict[str, Callable[[Path], object]] = {
    "parameters": lambda file: sw.sweep(TOKENS, to=file, chunk_ms=1),
    "figures": lambda file: sw.sweep(TOKENS, to=file, chunk_tokens=1, figures=["ttft_ms"]),
    "stall": lambda file: sw.sweep(TOKENS, to=file, chunk_tokens=1, stall_threshold_ms=500),
    "another 'tokens'": lambda file: sw.sweep(SLOW, to=file, chunk_tokens=1),
}


@pytest.mark.parametrize("what", OTHERS)
def test_the_file_of_another_sweep_is_refused_and_left_as_it_is(what: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.parquet"
    sw.sweep(TOKENS, to=file, chunk_tokens=1)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=rf"holds another sweep.*{what}.*another name"):
        OTHERS[what](file)
    assert file.read_bytes() == before


def test_another_plan_of_the_same_name_is_another_sweep(tmp_path: Path) -> None:
    file = tmp_path / "sweep.parquet"
    sw.sweep(TOKENS, to=file, fault={"cut": CUT})
    with pytest.raises(ValueError, match="another 'cut'"):
        sw.sweep(TOKENS, to=file, fault={"cut": FaultPlan.random(5)})


@pytest.mark.parametrize("kind", ["text", "parquet"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.parquet"
    if kind == "text":
        file.write_text("my notes")
    else:
        pd.DataFrame({"stream": ["a"]}).to_parquet(file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"is no .*is left as it is"):
        sw.sweep(TOKENS, to=file, chunk_tokens=1)
    assert file.read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sweep.parquet"
    sw.sweep(TOKENS, to=file, chunk_tokens=1)
    before = file.read_bytes()

    def full(self: pd.DataFrame, path: Any, **_: Any) -> None:
        path.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space"):
        sw.sweep(TOKENS, to=file, chunk_tokens=[1, 2])
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.parquet"]


@pytest.mark.parametrize("name", samples())
def test_a_sample_says_again_what_it_said(name: str) -> None:
    cassette = sw.Cassette.sample(name)
    tokens = streams_of(name)[name]
    assert "".join(tokens.texts) == cassette.text
    assert tokens.times_s[0] > 0
    assert tokens.times_s[-1] <= tokens.end_s <= cassette.duration_s


def test_sources_are_recordings_paths_samples_and_tokens(tmp_path: Path) -> None:
    sw.Cassette.sample("arabic").save(tmp_path / "mine.ssecast")
    streams = streams_of(["english", tmp_path / "mine.ssecast", sw.Cassette.sample("chinese"), TOKENS])
    assert list(streams) == ["english", "mine", sw.Cassette.sample("chinese").header.title, "tokens"]
    assert streams["mine"] == streams_of("arabic")["arabic"]
    assert streams_of({"x": str(tmp_path / "mine.ssecast")}) == {"x": streams["mine"]}
    with pytest.raises(ValueError, match="two sources are called 'english'"):
        streams_of(["english", "english"])
    with pytest.raises(FileNotFoundError):
        streams_of("no_such_sample")


def test_a_recording_that_breaks_off_is_no_source() -> None:
    whole = sw.Cassette.sample("english")
    with pytest.raises(CassetteError, match="breaks off"):
        streams_of(sw.Cassette(whole.header, whole.reads[:20], whole.end))


def test_of_an_answer_without_text_there_is_nothing_to_say() -> None:
    table = sw.sweep({"empty": Tokens.of([])}, chunk_ms=100)
    known = {name for name in table.columns if table[name].notna().all()}
    assert known == {"stream", "seed", "chunk_ms", "state", "connections", "deltas", "chars", "tokens", "ended_ms"}


def test_a_sweep_of_nothing_has_no_rows() -> None:
    table = sw.sweep({}, chunk_tokens=[1, 2])
    assert (len(table), list(table.columns)) == (0, ["stream", "seed", "chunk_tokens", *FIGURES])


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"chunk_words": [1]}, TypeError, "no parameter 'chunk_words'"),
        ({"max_lag_ms": [100, -1]}, ValueError, "max_lag_ms"),
        ({"figures": ["speed"]}, ValueError, "no figure 'speed'"),
        ({"fault": '{"seed":1,"steps":[{"attempt":1,"kind":"bite"}]}'}, InvalidPlan, "kind must be one of"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(asked: dict[str, Any], error: type, words: str) -> None:
    class Never(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> Future[Any]:
            raise AssertionError(fn)

    with Never(1) as executor, pytest.raises(error, match=words):
        sw.sweep({"slow": SLOW}, executor=executor, **asked)


def test_what_fails_in_a_worker_fails_here() -> None:
    class Failing(ThreadPoolExecutor):
        def submit(self, _fn: Callable[..., Any], /, *_args: Any, **_kwargs: Any) -> Future[Any]:
            return super().submit(int, "no number")

    with Failing(2) as executor, pytest.raises(ValueError, match="no number"):
        sw.sweep({"slow": SLOW}, executor=executor, max_lag_ms=range(300))


def test_no_name_means_two_parameters() -> None:
    assert set(PARAMETERS.values()) == {"knobs", "network", "reconnection", "pace", "page"}
    assert len(PARAMETERS) == 4 + 3 + 3 + 5 + 3


def test_a_bar_shows_how_far_it_is_when_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    sw.sweep(TOKENS, chunk_tokens=[1, 2, 3], seeds=range(2), progress=True)
    assert "6/6" in capsys.readouterr().err
    sw.sweep(TOKENS, chunk_tokens=[1, 2, 3], seeds=range(2))
    assert capsys.readouterr().err == "", "no terminal, no bar"


def _without(package: str, call: str) -> Iterator[str]:
    yield "import sys"
    yield f"sys.modules[{package!r}] = None"
    yield "import sse_widget as sw"
    yield "try:"
    yield f"    {call}"
    yield "except ImportError as error:"
    yield "    assert \"pip install 'sse-widget[measure]'\" in str(error), error"
    yield "else:"
    yield "    raise AssertionError"


@pytest.mark.parametrize(
    ("package", "call"),
    [("pandas", "sw.sweep('english', chunk_tokens=1)"), ("tqdm.auto", "sw.sweep('english', progress=True)")],
)
def test_who_lacks_a_package_is_told_what_to_install(package: str, call: str) -> None:
    subprocess.run([sys.executable, "-c", "\n".join(_without(package, call))], check=True, timeout=60)
