"""What pages say that they saw of a run: taken once, in order, within bounds, read by whoever may read the run."""

from __future__ import annotations

import asyncio

import pytest

from rig.serving import CHAT, RUNS
from sse_server import spans as spans_module

TOKEN = "correct-horse"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
READER = "reader-1"
ROW_BYTES = spans_module.ROW_BYTES + len('["ping",1,0.0]')


def ping(at):
    return ["ping", 1, float(at)]


def delta(seq):
    return ["delta", seq, 1, 0, 5_000_000_000, 100.5, 100.75, 101.0, 117.25, 118.5]


@pytest.fixture
async def place(serve):
    """Return a function that posts to, and reads, the spans of one run of a server."""
    served = await serve()
    path = f"{RUNS}{await served.start()}/spans"

    async def post(rows=(), start=0, reader=READER, **more):
        body = {"reader": reader, "from": start, "rows": list(rows), **more}
        return await served.client.post(path, json=body)

    async def read(**params):
        answer = await served.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["readers"]

    post.served, post.path, post.read = served, path, read
    return post


async def test_rows_come_in_batches_and_are_read_together(place):
    assert await place.read() == []
    assert (await place()).status_code == 204
    known = {"reader": READER, "offset_ns": None, "error_ns": None, "asked": None, "over": False, "rows": []}
    assert await place.read() == [known]
    answer = await place([delta(2), ping(3)], offset_ns=-7, error_ns=5, asked=1.5)
    assert (answer.status_code, answer.content) == (204, b"")
    await place([["state", 1, 0, 9.0, "done", ""]], 2, offset_ns=-8, error_ns=4, asked=1.5, over=True)
    rows = [delta(2), ping(3), ["state", 1, 0, 9.0, "done", ""]]
    assert await place.read() == [
        {"reader": READER, "offset_ns": -8, "error_ns": 4, "asked": 1.5, "over": True, "rows": rows}
    ]


async def test_a_batch_that_comes_again_counts_once(place):
    for _ in range(2):
        await place([ping(0), ping(1)])
    await place([ping(1), ping(2)], 1)
    await place([ping(0)], over=True)
    await place([ping(0)])
    (reader,) = await place.read()
    assert reader["rows"] == [ping(0), ping(1), ping(2)]
    assert reader["over"], "what was over stays so"


async def test_a_clock_that_is_known_stays_so(place):
    await place([ping(0)], offset_ns=-7, error_ns=5)
    await place([ping(1)], 1)
    (reader,) = await place.read()
    assert (reader["offset_ns"], reader["error_ns"], len(reader["rows"])) == (-7, 5, 2)
    await place(start=2, offset_ns=-8, error_ns=4)
    (reader,) = await place.read()
    assert (reader["offset_ns"], reader["error_ns"]) == (-8, 4)


async def test_a_hole_is_refused_and_says_what_is_here(place, error_of):
    await place([ping(0)])
    answer = await place([ping(2)], 2)
    assert error_of(answer)[:2] == (409, "invalid_request")
    assert answer.json()["have"] == 1
    assert "from 1 on" in answer.json()["detail"]
    assert (await place([ping(1), ping(2)], answer.json()["have"])).status_code == 204
    assert len((await place.read())[0]["rows"]) == 3
    unknown = await place([ping(5)], 5, reader="reader-2")
    assert unknown.json()["have"] == 0


async def test_readers_are_kept_apart_in_the_order_in_which_they_came(place):
    await place([ping(0)], reader="reader-b")
    await place([ping(1)], reader="reader-a", over=True)
    await place([ping(2)], 1, reader="reader-b")
    assert [(one["reader"], one["rows"]) for one in await place.read()] == [
        ("reader-b", [ping(0), ping(2)]),
        ("reader-a", [ping(1)]),
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "reader"),
        (b"[]", "array"),
        (b'{"reader": "short"}', "reader"),
        (b'{"reader": "reader-1", "rows": [["delta", 1]]}', "rows"),
        (b'{"reader": "reader-1", "rows": [["jump", 1, 2]]}', "rows"),
        (b'{"reader": "reader-1", "from": -1}', "from"),
        (b'{"reader": "reader-1", "colour": 1}', "colour"),
        (b'{"reader": "reader-1", "asked": 1e300}', "asked"),
    ],
)
async def test_what_is_no_spans_is_refused_in_both_languages(place, error_of, body, says):
    for lang, word in (("en", ""), ("ar", "تعذّرت" if body != b"[]" else "JSON")):
        answer = await place.served.client.post(place.path, content=body, headers={"Accept-Language": lang})
        assert error_of(answer)[:2] == (400, "invalid_request")
        assert says in error_of(answer)[2]
        assert word in error_of(answer)[2]
    assert await place.read() == []


async def test_rows_and_readers_are_bounded(place, error_of, monkeypatch):
    monkeypatch.setattr(spans_module, "MAX_ROWS", 3)
    monkeypatch.setattr(spans_module, "MAX_READERS", 2)
    assert (await place([ping(0), ping(1)])).status_code == 204
    refused = await place([ping(2), ping(3)], 2)
    assert error_of(refused)[:2] == (413, "invalid_request")
    assert "3 rows" in error_of(refused)[2]
    assert (await place([ping(2)], 2, over=True)).status_code == 204
    assert (await place(reader="reader-2")).status_code == 204
    refused = await place(reader="reader-3")
    assert error_of(refused)[:2] == (413, "invalid_request")
    assert [len(one["rows"]) for one in await place.read()] == [3, 0]


async def test_beyond_the_bytes_of_all_the_run_that_came_first_is_forgotten(serve, monkeypatch):
    monkeypatch.setattr(spans_module, "MAX_BYTES", 2 * spans_module.READER_BYTES + 3 * ROW_BYTES)
    served = await serve()
    paths = [f"{RUNS}{await served.start()}/spans" for _ in range(2)]
    for path in (*paths, paths[0], paths[1]):
        have = (await served.client.get(path)).json()["readers"]
        start = len(have[0]["rows"]) if have else 0
        await served.client.post(path, json={"reader": READER, "from": start, "rows": [ping(0)]})
    first, second = [(await served.client.get(path)).json()["readers"] for path in paths]
    assert first == []
    assert len(second[0]["rows"]) == 2


async def test_one_run_is_refused_more_before_others_are_forgotten(serve, error_of, monkeypatch):
    run_bytes = 2 * spans_module.READER_BYTES + 3 * ROW_BYTES
    monkeypatch.setattr(spans_module, "MAX_RUN_BYTES", run_bytes)
    monkeypatch.setattr(spans_module, "MAX_BYTES", 2 * run_bytes)
    served = await serve()
    other, path = [f"{RUNS}{await served.start()}/spans" for _ in range(2)]
    statuses = []
    for at, reader, start in ((other, READER, 0), (path, READER, 0), (path, "reader-2", 0), (path, READER, 1)):
        answer = await served.client.post(at, json={"reader": reader, "from": start, "rows": [ping(0)]})
        statuses.append(answer.status_code)
    for reader, start, rows in ((READER, 2, 1), ("reader-3", 0, 0)):
        refused = await served.client.post(path, json={"reader": reader, "from": start, "rows": [ping(0)] * rows})
        assert error_of(refused)[:2] == (413, "invalid_request")
    assert statuses == [204] * 4
    readers = [(await served.client.get(at)).json()["readers"] for at in (other, path)]
    assert [[len(one["rows"]) for one in of_run] for of_run in readers] == [[1], [2, 1]]
    over = await served.client.post(path, json={"reader": READER, "from": 2, "rows": [], "over": True})
    assert over.status_code == 204, "that nothing more comes can still be said"


async def test_they_are_forgotten_with_the_run(serve, error_of):
    served = await serve(expire_s=0)
    stream_id = await served.start()
    path = f"{RUNS}{stream_id}/spans"
    await served.client.post(path, json={"reader": READER, "rows": [ping(0)]})
    await served.until_ended(stream_id)
    books = served.server.services.spans
    assert await books.read(stream_id, 0)
    await served.server.services.runs.sweep()
    assert await books.read(stream_id, 0) == ()
    for answer in (await served.client.get(path), await served.client.post(path, json={"reader": READER})):
        assert error_of(answer)[:2] == (410, "expired")


async def test_a_reading_waits_until_every_page_is_over(place):
    await place(reader="reader-1")
    await place(reader="reader-2")
    reading = asyncio.create_task(place.read(wait_s=20))
    await place([ping(0)], reader="reader-1", over=True)
    done, _ = await asyncio.wait({reading}, timeout=0.05)
    assert not done, "the second page has more to say"
    await place([ping(1)], reader="reader-2", over=True)
    assert [one["over"] for one in await reading] == [True, True]


async def test_without_a_page_nobody_waits_and_with_one_no_longer_than_they_said(place):
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await place.read(wait_s=20) == []
    await place([ping(0)])
    (reader,) = await place.read(wait_s=0.1)
    assert not reader["over"]
    assert 0.1 <= loop.time() - began < 10


@pytest.mark.parametrize("params", [{"wait_s": "-1"}, {"wait_s": "31"}, {"wait_s": "soon"}, {"wait": "1"}])
async def test_bad_parameters_are_named(place, error_of, params):
    answer = await place.served.client.get(place.path, params=params)
    assert error_of(answer)[:2] == (400, "invalid_request")
    assert f'"{next(iter(params))}"' in error_of(answer)[2]


async def test_of_a_run_that_does_not_exist_there_is_nothing_to_say(serve, error_of):
    served = await serve()
    path = f"{RUNS}{'0' * 32}/spans"
    for answer in (await served.client.get(path), await served.client.post(path, json={"reader": READER})):
        assert error_of(answer)[:2] == (404, "not_found")


async def test_a_ticket_that_may_read_is_enough_and_of_its_own_run_only(serve, error_of, tmp_path):
    (tmp_path / "token").write_text(TOKEN, "utf-8")
    served = await serve(token_file=str(tmp_path / "token"))
    headers = {**BEARER, "Accept": "application/json"}
    ids = [(await served.client.post(CHAT, json={"q": "hi"}, headers=headers)).json()["stream_id"] for _ in range(2)]
    issue = served.server.services.tickets.issue
    for ticket, stream_id, statuses in (
        (issue(ids[0], frozenset({"read"})), ids[0], (204, 200)),
        (issue(ids[0], frozenset({"stop"})), ids[0], (403, 403)),
        (issue(ids[0]), ids[1], (404, 404)),
    ):
        path, show = f"{RUNS}{stream_id}/spans", {"Authorization": f"Ticket {ticket}"}
        posted = await served.client.post(path, json={"reader": READER}, headers=show)
        assert (posted.status_code, (await served.client.get(path, headers=show)).status_code) == statuses
    for headers in ({}, {"Authorization": "Ticket x"}):
        answer = await served.client.post(f"{RUNS}{ids[0]}/spans", json={"reader": READER}, headers=headers)
        assert error_of(answer)[0] == 401
