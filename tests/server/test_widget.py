"""The widget without a browser, against the real server: what ask gives, and what the traits say."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
import threading

import pytest
import traitlets as t

from sse_widget import ConnectError, InvalidPlan, RemoteError, StreamClient, StreamWidget, hosting
from sse_widget import run as run_module

PATIENCE_S = 20.0
MIXED = "synthetic:tokens=60,rate=0,lang=mixed,seed=2"
LAZY = """
import sys
import sse_widget
assert "anywidget" not in sys.modules
import sse_widget.protocol.session
assert not {"anywidget", "ipywidgets", "httpx", "tornado"} & set(sys.modules)
assert "StreamWidget" in dir(sse_widget)
from sse_widget import StreamClient
assert "anywidget" not in sys.modules
from sse_widget import StreamWidget
assert "anywidget" in sys.modules
try:
    sse_widget.nothing
except AttributeError as error:
    assert "nothing" in str(error)
"""


@pytest.fixture
def told():
    """Yield a function that makes a widget, with lists of the messages it sent and the traits it changed."""
    made = []

    def make(served, **traits):
        widget = StreamWidget(url=served.url, **traits)
        widget.sent, widget.changes = [], []
        widget.send = widget.sent.append
        widget.observe(lambda change: widget.changes.append((change["name"], change["new"])))
        made.append(widget)
        return widget

    yield make
    for widget in made:
        widget.close()


def statuses(widget):
    return [value for name, value in widget.changes if name == "status"]


async def test_ask_gives_the_answer(serve, told):
    widget = told(await serve(), model=MIXED)
    answer = await widget.ask("What is a stream?")
    assert isinstance(answer, str)
    assert answer == widget.text != ""
    assert (answer.state, answer.question, answer.stream_id) == ("done", "What is a stream?", widget.stream_id)
    assert (answer.metadata.model_used, answer.metadata.tokens_used) == (MIXED, 60)
    assert (widget.status, widget.error, widget.question) == ("done", "", "What is a stream?")
    assert statuses(widget) == ["connecting", "streaming", "done"]


async def test_only_the_id_and_the_whole_text_go_over_the_comm(serve, told):
    widget = told(await serve(), model="synthetic:tokens=200,rate=0")
    answer = await widget.ask("hi")
    assert [value for name, value in widget.changes if name == "text"] == [str(answer)]
    ((message),) = widget.sent
    assert message["type"] == "run"
    assert message["stream_id"] == answer.stream_id
    assert message["ticket"].startswith(f"{answer.stream_id}.")
    assert message["ticket"] not in json.dumps(widget.get_state(), default=str)


async def test_ask_runs_without_being_awaited(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    run = widget.ask("hi", chunk_tokens=1)
    source.say("one ", "two ")
    assert await run.reach(8) == "one two "
    assert (run.state, run.stream_id) == (None, widget.stream_id)
    assert widget.text == ""
    source.finish()
    assert await asyncio.to_thread(widget.wait, PATIENCE_S) == "one two "
    assert run.state == widget.status == "done"
    assert (await run).state == "done"


async def test_wait_has_a_timeout_and_needs_a_question(serve, told, gated):
    widget = told(await serve(sources={"gated": gated()}), model="gated")
    with pytest.raises(RuntimeError, match="ask first"):
        widget.wait()
    run = widget.ask("hi")
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(widget.wait, 0.01)
    widget.stop()
    assert (await run).state == "stopped"


async def test_stop_keeps_what_has_come(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    run = widget.ask("hi", chunk_tokens=1)
    source.say("so far")
    await run.reach(1)
    await asyncio.wrap_future(widget.stop())
    answer = await run
    assert (answer, answer.state, widget.status, widget.text) == ("so far", "stopped", "stopped", "so far")
    async with asyncio.timeout(PATIENCE_S):
        await source.closed.wait()
    await asyncio.wrap_future(widget.stop())


async def test_stop_before_the_run_has_begun(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    run = widget.ask("hi")
    widget.stop()
    assert (await run).state == "stopped"
    assert widget.status == "stopped"


async def test_another_question_stops_the_one_before(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    first = widget.ask("first", chunk_tokens=1)
    source.say("a")
    await first.reach(1)
    second = widget.ask("second", model=MIXED)
    third = widget.ask("third", model=MIXED)
    answers = await asyncio.gather(first, second, third)
    assert [answer.state for answer in answers] == ["stopped", "stopped", "done"]
    assert (answers[0], widget.text, widget.question) == ("a", answers[2], "third")
    assert first.state == second.state == "stopped"


async def test_cut_loses_nothing(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    run = widget.ask("hi", chunk_tokens=1)
    for number in range(5):
        source.say(f"{number} ")
        await run.reach(2 * number + 2)
        await asyncio.wrap_future(widget.cut())
    source.finish()
    assert await run == "0 1 2 3 4 "
    assert source.asked == 1
    assert widget.sent.count({"type": "cut"}) == 5


async def test_a_knob_that_python_turns_reaches_the_run(serve, told, gated):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated", chunk_tokens=1000, chunk_ms=60_000)
    run = widget.ask("hi")
    source.say("a ", "b ")
    widget.chunk_tokens = 1
    assert await run.reach(4) == "a b "
    source.say("c ")
    assert await run.reach(6) == "a b c "
    source.finish()
    assert await run == "a b c "
    widget.delay_ms = 5
    assert await widget.ask("again", chunk_tokens=2, model=MIXED) == widget.text


async def test_a_refusal_is_raised_and_shown_in_the_readers_language(serve, told):
    widget = told(await serve(), lang="ar")
    with pytest.raises(RemoteError) as caught:
        await widget.ask(" ")
    assert caught.value.code == "question_required"
    assert (widget.status, widget.error, widget.text) == ("error", caught.value.message, "")
    assert widget.error_code == "question_required"
    assert any("\u0600" <= letter <= "\u06ff" for letter in widget.error)
    assert (await widget.ask("hi")).state == widget.status == "done"
    assert widget.error == widget.error_code == ""


async def test_a_model_that_fails_leaves_its_text_in_the_error(serve, told, gated, complaints):
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    source.say("half of it")
    source.fail(RuntimeError("boom"))
    with pytest.raises(RemoteError) as caught:
        await widget.ask("hi")
    assert caught.value.text == widget.text == "half of it"
    assert widget.status == "error"
    assert "boom" in complaints.pop()


async def test_a_server_that_is_not_there_is_a_connect_error(serve, told):
    served = await serve()
    widget = told(served)
    await served.close()
    run = widget.ask("hi")
    with pytest.raises(ConnectError, match=served.url):
        await run
    assert (widget.status, run.state, widget.error_code) == ("error", "error", "connect_failed")


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        ("localhost:8765", "", "must begin with http"),
        ("http://127.0.0.1:99999", "", "out of range"),
        ("http://127.0.0.1:1", "né", "copy it again"),
    ],
)
async def test_an_address_that_is_none_is_said_when_it_is_asked(url, token, says):
    widget = StreamWidget(url=url, token=token)
    with pytest.raises(ConnectError, match=says):
        await widget.ask("hi")
    assert (widget.status, widget.error_code) == ("error", "connect_failed")
    widget.close()


class Deaf:
    """A server that takes every connection and request, and answers none until it is told to go."""

    async def __aenter__(self):
        self.heard, self._go, self._tasks = asyncio.Event(), asyncio.Event(), []
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def _take(self, reader, writer):
        self._tasks.append(asyncio.current_task())
        if (await reader.readline()).startswith(b"POST"):
            self.heard.set()
        await self._go.wait()
        writer.close()

    async def __aexit__(self, *_):
        self._go.set()
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks)


async def test_stop_does_not_wait_for_a_server_that_never_answers(told):
    async with Deaf() as server, asyncio.timeout(PATIENCE_S):
        widget = told(server)
        run = widget.ask("hi")
        await server.heard.wait()
        await asyncio.wrap_future(widget.stop())
        assert (await run).state == widget.status == "stopped"


async def test_a_run_that_was_stopped_while_it_was_made_ends_at_the_server(serve, told, gated):
    source = gated()
    served = await serve(sources={"gated": source})
    hold, held, tasks = asyncio.Event(), asyncio.Event(), []

    async def late(reader, writer):
        tasks.append(asyncio.current_task())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", served.port)
        first = await reader.readuntil(b"\r\n\r\n")
        far_writer.write(first)

        async def onward():
            while data := await reader.read(65536):
                far_writer.write(data)

        asking = asyncio.create_task(onward())
        answer = await far_reader.read(65536)
        if first.startswith(b"POST"):
            held.set()
            await hold.wait()
        writer.write(answer)
        await writer.drain()
        await asking
        far_writer.close()
        writer.close()

    proxy = await asyncio.start_server(late, "127.0.0.1", 0)
    async with asyncio.timeout(PATIENCE_S):
        server = type("Named", (), {"url": f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"})
        widget = told(server, model="gated")
        run = widget.ask("hi")
        await held.wait()
        widget.stop()
        assert (await run).state == "stopped"
        hold.set()
        await source.closed.wait()
        await asyncio.gather(*tasks)
    proxy.close()
    await proxy.wait_closed()


async def test_a_question_goes_past_a_server_that_never_hears_the_stop(serve, told, gated, monkeypatch):
    monkeypatch.setattr(run_module, "MAKE_WAY_TIMEOUT_S", 0.2)
    source = gated()
    widget = told(await serve(sources={"gated": source}), model="gated")
    first = widget.ask("first", chunk_tokens=1)
    source.say("a")
    await first.reach(1)
    async with Deaf() as server:
        first._client = StreamClient(server.url)
        second = widget.ask("second", model=MIXED)
        async with asyncio.timeout(PATIENCE_S):
            assert (await second).state == "done"
            with pytest.raises(ConnectError, match="left before its end"):
                await first
    assert first.state == "interrupted"
    assert widget.status == "done"


@pytest.fixture
def no_server(monkeypatch):
    """No server is named, and this process has started none."""
    for name in (hosting.URL_VARIABLE, hosting.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hosting, "_own", None)


async def test_a_server_of_our_own_that_ends_is_said_soon_and_asking_again_starts_another(no_server):
    widget = StreamWidget(model="synthetic:tokens=2000,rate=50")
    run = widget.ask("hi")
    await run.reach(20)
    first = hosting._own
    first._process.kill()
    with pytest.raises(ConnectError, match="asking again starts a new one") as caught:
        async with asyncio.timeout(PATIENCE_S):  # all attempts together would take minutes
            await run
    assert caught.value.text == run.text != ""
    assert (run.state, widget.status, widget.error_code) == ("interrupted", "interrupted", "connect_failed")
    answer = await widget.ask("again", model=MIXED)
    assert (answer.state, widget.error) == ("done", "")
    assert hosting._own is not first
    assert widget.base_url == hosting._own.url != first.url
    widget.close()
    hosting._own.stop()


async def test_a_run_whose_server_died_is_no_success_for_the_next_question(no_server):
    widget = StreamWidget(model="synthetic:tokens=2000,rate=50")
    run = widget.ask("hi")
    await run.reach(20)
    hosting._own._process.kill()
    hosting._own._process.wait()
    assert (await widget.ask("again", model=MIXED)).state == "done"
    with pytest.raises(ConnectError):
        await run
    assert run.state == "interrupted"
    widget.close()
    hosting._own.stop()


def pickled(answer):
    return pickle.loads(pickle.dumps(answer))  # noqa: S301 - its own


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
async def test_an_answer_can_be_copied_and_pickled(serve, told, again):
    answer = await told(await serve(), model=MIXED).ask("hi")
    other = await asyncio.to_thread(again, answer)
    assert type(other) is type(answer)
    assert other.received.spans == answer.received.spans
    assert other == answer
    for name in ("state", "stream_id", "question", "metadata"):
        assert getattr(other, name) == getattr(answer, name)


async def test_a_run_that_a_page_started_is_read_too(serve, told):
    served = await serve()
    widget = told(served, model=MIXED)
    stream_id = await served.start(model=MIXED)
    widget.set_state({"question": "from the page", "stream_id": stream_id})
    answer = await asyncio.to_thread(widget.wait, PATIENCE_S)
    assert answer.stream_id == stream_id
    assert answer.question == widget.question == "from the page"
    assert widget.text == answer != ""
    widget.set_state({"stream_id": "../../etc"})
    assert widget._run.stream_id == stream_id


async def test_a_page_without_a_login_asks_through_the_kernel(serve, told):
    widget = told(await serve(), model=MIXED)
    widget._handle_custom_msg({"type": "ask", "q": "from the box"}, [])
    assert (await widget._run).question == "from the box"
    widget._handle_custom_msg({"type": "ticket"}, [])
    assert widget.sent[0] == widget.sent[1]
    widget._handle_custom_msg({"type": "ask", "q": 5}, [])
    widget._handle_custom_msg({"type": "unheard of"}, [])
    assert widget._run.question == "from the box"


async def test_traits_change_on_one_thread(serve, told):
    widget = told(await serve(), model=MIXED)
    threads = set()
    widget.observe(lambda _: threads.add(threading.current_thread().name), ["status", "text", "stream_id"])
    await widget.ask("hi")
    assert threads == {"sse-widget"}


async def test_everyone_else_sees_the_text(serve, told):
    widget = told(await serve())
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "StreamWidget(status='idle', stream_id='')"
    widget.text = "<b>one</b>\n\nاثنان"
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"] == widget.text
    assert (
        '<div style="white-space: pre-wrap"><div dir="auto">&lt;b&gt;one&lt;/b&gt;</div>'
        '<div dir="auto"><br></div><div dir="auto">اثنان</div></div>'
    ) in data["text/html"]


def test_names_load_when_they_are_used():
    subprocess.run([sys.executable, "-c", LAZY], check=True, timeout=PATIENCE_S)


def test_a_plain_script_ends_cleanly_in_the_middle_of_a_run():
    script = (
        "import asyncio, sse_widget\n"
        "run = sse_widget.StreamWidget(model='synthetic:tokens=5000,rate=20').ask('hi')\n"
        "print(len(asyncio.run(run.reach(5))) >= 5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=False,
        capture_output=True,
        timeout=3 * PATIENCE_S,
        env={name: value for name, value in os.environ.items() if not name.startswith("SSE_WIDGET_")},
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


async def test_a_page_learns_which_server_answers(serve, told):
    served = await serve()
    widget = told(served, model=MIXED)
    await widget.ask("hi")
    assert widget.node == served.server.services.node
    assert widget.get_state()["node"] == widget.node


async def test_a_page_that_listens_is_sent_the_run(serve, told):
    served = await serve()
    widget = told(served, model=MIXED)
    widget._relay._send = widget.send
    listen = {"type": "relay", "to": "page", "op": "listen"}
    widget._handle_custom_msg(listen, [])
    answer = await widget.ask("hi")
    async with asyncio.timeout(PATIENCE_S):
        while not any("end" in message for message in widget.sent):  # noqa: ASYNC110 - another loop sends it
            await asyncio.sleep(0)
    kinds = [message["type"] for message in widget.sent]
    assert kinds[:2] == ["relay", "run"], "whoever hears of the run knows already that it comes"
    carried = [message for message in widget.sent if message["type"] == "relay"]
    assert carried[0]["coming"]
    assert {(message["to"], message["link"], message["stream_id"]) for message in carried} == {
        ("page", -1, answer.stream_id)
    }
    items = [item for message in carried for item in message.get("items", ())]
    assert "".join(item for item in items if isinstance(item, str)) == answer


async def test_a_way_that_does_not_exist_is_refused(serve, told):
    with pytest.raises(t.TraitError, match="expected any of"):
        told(await serve(), route="bus")


def breaks(*connections):
    return {"seed": 1, "steps": [{"attempt": n, "kind": "cut", "event": 3, "where": "character"} for n in connections]}


async def test_a_fault_plan_strikes_the_kernels_reader_and_is_told_to_the_page(serve, told):
    served = await serve(allow_faults=True)
    widget = told(served, model=MIXED)
    plan = breaks(1, 2)
    whole = await widget.ask("hi")
    answer = await widget.ask("hi", fault=plan)
    assert answer == whole
    assert statuses(widget)[3:].count("waiting") == 2
    assert [json.loads(sent["fault"]) if sent["fault"] else None for sent in widget.sent] == [
        None,
        {"seed": 1, "steps": [{**step, "clean": False} for step in plan["steps"]]},
    ]
    assert widget.fault == ""
    assert served.server.services.runs.started == 2


async def test_a_plan_of_the_widget_holds_from_then_on(serve, told):
    served = await serve(allow_faults=True)
    widget = told(served, model=MIXED, fault=breaks(1))
    await widget.ask("hi")
    widget._on_message(widget, {"type": "ask", "q": "by the page", "fault": ""}, [])
    await asyncio.wrap_future(widget._run.future)
    assert statuses(widget).count("waiting") == 1
    widget._on_message(widget, {"type": "ask", "q": "by the page", "fault": widget.fault}, [])
    await asyncio.wrap_future(widget._run.future)
    created = await StreamClient(served.url).create("by a page of Jupyter", model=MIXED)
    widget.stream_id = created.stream_id
    await asyncio.wrap_future(widget._run.future)
    assert statuses(widget).count("waiting") == 3
    widget.fault = ""
    await widget.ask("hi")
    assert statuses(widget).count("waiting") == 3


async def test_a_plan_that_can_be_none_is_refused_at_once(serve, told):
    widget = told(await serve(allow_faults=True))
    for refuse in (
        lambda: widget.set_trait("fault", '{"seed": 1, "steps": [{"attempt": 1, "kind": "stall"}]}'),
        lambda: StreamWidget(fault=" " * 20_000),
        lambda: widget.set_state({"fault": {"seed": -1}}),
    ):
        with pytest.raises(t.TraitError, match="fault plan: "):
            refuse()
    with pytest.raises(InvalidPlan, match=r"steps\[0\].kind must be one of"):
        widget.ask("hi", fault={"seed": 1, "steps": [{}]})
    assert (widget.fault, widget.question) == ("", "")


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_widget_knows_whether_its_server_allows_faults(serve, told, allowed):
    widget = told(await serve(allow_faults=allowed))
    async with asyncio.timeout(PATIENCE_S):
        while not widget.node:  # noqa: ASYNC110 - a trait tells no loop
            await asyncio.sleep(0)
    assert widget.faults_allowed is allowed
    if not allowed:
        with pytest.raises(RemoteError, match="--allow-faults"):
            await widget.ask("hi", fault=breaks(1))
