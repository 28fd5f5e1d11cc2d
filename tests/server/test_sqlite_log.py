"""The SQLite log beyond the contract of all logs: its file, its thread, and servers that share it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from rig.serving import CHAT, PATIENCE_S, RUNS, data_of, seqs_of, text_of
from sse_server.app import secret_of
from sse_server.config import Config, ConfigError
from sse_server.log.base import LogUnavailableError, StreamMeta
from sse_server.log.database import APPLICATION_ID, VERSION
from sse_server.log.local_file import kept_secret, network_file_system, prepare
from sse_server.log.sqlite import SqliteLog
from sse_widget.protocol.sse import Event

META = StreamMeta("owner", "model", "talk")
DELTA = Event("delta", '{"text":"x"}')
MOUNTS = """\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /home rw shared:5 - nfs4 files:/home rw
31 30 0:41 / /home/me/local\\040disk rw - xfs /dev/vdb rw
32 27 0:42 / /share rw - cifs //files/share rw
33 27 0:43 / /far rw - fuse.sshfs me@far:/ rw
34 27 0:44 / /near rw - fuse.bindfs /home rw
35 32 0:45 / /share rw - tmpfs tmpfs rw
"""


def test_the_secret_beside_a_log_is_made_once_and_for_its_owner_alone(tmp_path):
    place = tmp_path / "logs" / "events.db"
    news = [bytes([number]) * 32 for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        kept = set(pool.map(partial(kept_secret, place), news))
    assert len(kept) == 1
    assert kept < set(news)
    assert kept_secret(place, b"z" * 32) in kept
    made = place.with_name("events.db-secret")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [made] == list(place.parent.glob("*secret*")), "nothing else stays behind"
    made.write_bytes(b"short")
    with pytest.raises(ConfigError, match="is damaged"):
        kept_secret(place, b"z" * 32)


def test_a_secret_file_stands_before_the_one_beside_the_log(tmp_path):
    given = tmp_path / "secret"
    given.write_bytes(b"g" * 32)
    log = f"sqlite:{tmp_path / 'events.db'}"
    assert secret_of(Config(log=log, secret_file=str(given))) == b"g" * 32
    assert secret_of(Config(log=log)) == secret_of(Config(log=log)) != b"g" * 32
    assert secret_of(Config()) != secret_of(Config())


@pytest.fixture
async def log(tmp_path, complaints):
    made = SqliteLog(tmp_path / "logs" / "events.db")
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/events.db", None),
        ("/home/me/events.db", "nfs4"),
        ("/home", "nfs4"),
        ("/homes/events.db", None),
        ("/home/me/local disk/events.db", None),
        ("/far/events.db", "fuse.sshfs"),
        ("/near/events.db", None),
        ("/share/events.db", None),
    ],
)
def test_network_file_systems_are_known_by_their_mounts(path, kind):
    assert network_file_system(path, MOUNTS) == kind


def test_a_file_on_a_network_file_system_is_refused_before_it_is_made(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 0:40 / {tmp_path} rw - nfs4 files:/ rw\n", "utf-8")
    with pytest.raises(ConfigError, match="network file system \\(nfs4\\)"):
        prepare(tmp_path / "logs" / "events.db", mounts)
    assert not (tmp_path / "logs").exists()


async def test_folder_and_files_are_for_their_owner_alone(log, tmp_path):
    await log.create(META, "")
    folder = tmp_path / "logs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ("events.db", "events.db-wal", "events.db-shm"), 0o600
    )


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(ConfigError, match="cannot write the log"):
        SqliteLog(tmp_path / "file" / "events.db")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not a database " * 100, "is damaged, or is no log"),
        (b"SQLite format 3\0" + b"\xff" * 4096, "cannot use the log"),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path, content, says):
    path = tmp_path / "events.db"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        SqliteLog(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("application", "version", "says"),
    [(0, 0, "not a log of this server"), (APPLICATION_ID, VERSION + 1, f"its format is {VERSION + 1}")],
)
def test_a_file_of_another_program_or_version_is_refused(tmp_path, application, version, says):
    path = tmp_path / "events.db"
    database = sqlite3.connect(path)
    database.executescript(
        f"CREATE TABLE notes (text); PRAGMA application_id = {application}; PRAGMA user_version = {version}"
    )
    database.close()
    with pytest.raises(ConfigError, match=says):
        SqliteLog(path)


async def test_many_processes_may_make_the_file_at_once(tmp_path):
    made = await asyncio.gather(*[asyncio.to_thread(SqliteLog, tmp_path / "events.db") for _ in range(8)])
    for log in made:
        await log.create(META, "")
        await log.close()


async def test_the_loop_goes_on_while_another_process_writes(log, tmp_path):
    stream_id, _ = await log.create(META, "")
    other = sqlite3.connect(tmp_path / "logs" / "events.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    appending = asyncio.create_task(log.append(stream_id, [DELTA]))
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not appending.done()
    other.execute("COMMIT")
    other.close()
    async with asyncio.timeout(PATIENCE_S):
        assert await appending == 1


async def test_appends_that_come_while_one_is_written_share_a_commit(log):
    ids = [(await log.create(META, ""))[0] for _ in range(20)]
    begun, go_on, commits = threading.Event(), threading.Event(), []
    log._database.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    held = log._scribe.do(lambda: (begun.set(), go_on.wait(PATIENCE_S))[1])
    assert await asyncio.to_thread(begun.wait, PATIENCE_S)
    appending = [asyncio.create_task(log.append(stream_id, [DELTA])) for stream_id in ids]
    await asyncio.sleep(0)
    go_on.set()
    assert await held
    assert await asyncio.gather(*appending) == [1] * 20
    assert len(commits) == 2, "one of what was being written, one of all that came meanwhile"


async def test_a_write_that_fails_keeps_nothing_and_says_so(log):
    stream_id, _ = await log.create(META, "")
    await log.append(stream_id, [DELTA])
    await log._scribe.do(lambda: log._database.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(LogUnavailableError, match="full"):
        await log.append(stream_id, [Event("delta", '{"text":"' + "x" * 1_000_000 + '"}')])
    await log._scribe.do(lambda: log._database.execute("PRAGMA max_page_count = 1000000"))
    assert (await log.info(stream_id)).last == 1
    assert await log.append(stream_id, [DELTA]) == 2


async def test_a_reader_goes_on_at_another_server_of_the_file(serve, gated, tmp_path):
    source = gated()
    place = f"sqlite:{tmp_path / 'events.db'}"
    one, two = await serve(log=place, sources={"gated": source}), await serve(log=place)
    async with one.reading("POST", CHAT, json={"q": "hi", "model": "gated", "chunk_tokens": 1}) as reply:
        source.say("مرحبا ", "a ")
        seen = [await reply.next() for _ in range(4)]
    stream_id = seen[-1].id.partition(":")[0]
    headers = {"Last-Event-ID": seen[-1].id}
    async with two.reading("GET", RUNS + stream_id, headers=headers) as reply:
        hello = data_of(await reply.next())
        assert (hello["resumed"], hello["gap"], hello["after"]) == (True, False, 3)
        source.say("b ")
        delta = await reply.next()
        assert (data_of(delta)["text"], delta.id) == ("b ", f"{stream_id}:4")
        assert (await two.client.delete(RUNS + stream_id)).status_code == 202
        rest = await reply.rest()
    assert data_of(rest[-1])["reason"] == "stopped"
    assert text_of([*seen, delta, *rest]) == "مرحبا a b "
    assert source.closed.is_set()


async def test_a_finished_answer_is_served_after_a_restart_and_an_unfinished_one_gets_an_end(serve, gated, tmp_path):
    place = f"sqlite:{tmp_path / 'events.db'}"
    first = await serve(log=place)
    finished = await first.start()
    await first.until_ended(finished)
    whole = await first.events("GET", RUNS + finished)
    gone = SqliteLog(tmp_path / "events.db", lease_s=0.0)
    unfinished, _ = await gone.create((await first.log.info(finished)).meta, "")
    await gone.append(unfinished, [DELTA])
    await gone.close()
    await first.close()
    second = await serve(log=place)
    again = await second.events("GET", RUNS + finished)
    assert again[1:] == whole[1:]
    events = await second.events("GET", RUNS + unfinished)
    assert seqs_of(events) == [1, 2]
    assert data_of(events[-1])["code"] == "producer_lost"


async def test_a_ticket_holds_over_a_restart(serve, tmp_path):
    settings = {"log": f"sqlite:{tmp_path / 'events.db'}", "tokens": "correct-horse"}
    first = await serve(**settings)
    headers = {"Authorization": "Bearer correct-horse", "Accept": "application/json"}
    answer = (await first.client.post(CHAT, json={"q": "hi"}, headers=headers)).json()
    await first.close()
    second = await serve(**settings)
    assert (await second.client.get(RUNS + answer["stream_id"])).status_code == 401
    shown = await second.client.get(RUNS + answer["stream_id"], params={"ticket": answer["ticket"]})
    assert shown.status_code == 200


async def test_a_run_whose_lease_is_lost_stops_without_another_event(serve, gated, tmp_path):
    source = gated()
    place = f"sqlite:{tmp_path / 'events.db'}"
    served = await serve(log=place, sources={"gated": source})
    stream_id = await served.start(model="gated", chunk_tokens=1)
    source.say("a ")
    await served.until_seq(stream_id, 2)
    thief = SqliteLog(tmp_path / "events.db", lambda: 1e12)
    ending = Event("error", '{"code":"producer_lost"}')
    assert list(await thief.reap(ending)) == [stream_id]
    async with asyncio.timeout(PATIENCE_S):
        await source.closed.wait()
    batch = await thief.read(stream_id, 0, 0)
    assert (batch.last, batch.ended) == (3, True)
    await thief.close()
    await served.until(lambda: served.server.services.runs.running == 0)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0], ids=["a machine that slept", "a clock that was set back"])
async def test_nobody_is_declared_dead_because_time_has_jumped(tmp_path, jump_s, complaints):
    now = [5000.0]
    logs = [SqliteLog(tmp_path / "events.db", lambda: now[0], lease_s=5.0) for _ in range(2)]
    alive, reaper = logs
    ending = Event("error", '{"code":"producer_lost"}')
    living, _ = await alive.create(META, "")
    dead, _ = await alive.create(META, "")
    await reaper.reap(ending)
    now[0] += jump_s
    assert list(await reaper.reap(ending)) == [], "the others have not had the time to say that they live"
    for _ in range(4):
        now[0] += 1.2
        await alive.renew([living])
        assert list(await reaper.reap(ending)) == []
    now[0] += 1.0
    assert list(await reaper.reap(ending)) == [dead]
    assert not (await reaper.info(living)).ended
    for log in logs:
        await log.close()


async def test_a_log_that_cannot_be_reached_is_a_refusal_that_says_when_to_come_again(serve, error_of, tmp_path):
    served = await serve(log=f"sqlite:{tmp_path / 'events.db'}")
    stream_id = await served.start()
    await served.until_ended(stream_id)
    await served.log.close()
    answers = [
        await served.client.get(RUNS + stream_id),
        await served.client.post(CHAT, json={"q": "hi"}),
        await served.client.get(RUNS + stream_id, headers={"Accept-Language": "ar"}),
    ]
    for answer in answers:
        assert error_of(answer)[:2] == (503, "log_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert "الخادم" in error_of(answers[-1])[2]
