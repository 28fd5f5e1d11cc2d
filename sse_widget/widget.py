"""The widget: traits, ask, stop, display. How a stream is read is `client`'s business, how it looks the browser's."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t
from IPython.display import display, update_display

from sse_widget import hosting, saved
from sse_widget.client import StreamClient, fault_text
from sse_widget.errors import ConnectError, SSEWidgetError
from sse_widget.knobs import OF_RUN, KnobTraits, PlanTrait
from sse_widget.loop import submit
from sse_widget.pool import Pool
from sse_widget.relay import Relay
from sse_widget.run import Run

if TYPE_CHECKING:
    import os
    from concurrent.futures import Future

    from sse_widget.answer import Answer
    from sse_widget.client import Status
    from sse_widget.measure.frame import Frame
    from sse_widget.recording.copy import Copy

_STATIC = Path(__file__).parent / "static"
_STREAM_ID = re.compile(r"[0-9a-f]{32}")
_POOL = Pool()  # all widgets read on one loop


def _built(name: str) -> Path:
    path = _STATIC / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} is not built. In a checkout, run `make setup`; the wheel has it inside.")
    return path


class StreamWidget(KnobTraits, anywidget.AnyWidget):
    """An ask box, the answer as it is typed, and its status, in a notebook cell.

    `url` and `token` name a server; without them it is the Jupyter extension's, the one of SSE_WIDGET_URL and
    SSE_WIDGET_TOKEN, or a process that the first widget starts when it is made. `model` and `lang` are the defaults of
    questions and words; empty means the server's and the page's. `markdown=False` shows answers as plain text. The
    other traits are knobs (knobs.py): they act on the running answer, and on every question from then on; `preset` sets
    several.

    A page looks for a way to the server by itself. `route` names one ("extension", "url", "proxy", "colab", or "relay",
    by this kernel), `transport` the way of streaming there ("sse", "websocket", "poll"); "auto" leaves it to the page.
    SSE_WIDGET_ROUTE and SSE_WIDGET_TRANSPORT set them for all widgets. `node` is the server process that answers.
    Pages record when text came, was shown and painted, and tell the server; `recorder=False` has them leave that.

    `fault` is a FaultPlan, or one as JSON, for the readers of every question from then on: this kernel and the page. It
    needs a server that allows faults, as those that kernels start do; `faults_allowed` says whether this one does, and
    the page then offers plans of its own among the knobs.

    One run at a time: a question that is asked while another is being answered stops that first. The browser and
    the kernel both read the run from the server; over the comm go its id, and `text` once, at the end. Traits
    change on the reader's thread, and so do their observers run there.
    """

    _esm = _built("widget.js")
    _css = _built("widget.css")

    stream_id = t.Unicode("").tag(sync=True)
    question = t.Unicode("").tag(sync=True)
    text = t.Unicode("").tag(sync=True)
    status = t.Unicode("idle").tag(sync=True)
    error = t.Unicode("").tag(sync=True)
    error_code = t.Unicode("").tag(sync=True)
    base_url = t.Unicode("").tag(sync=True)
    in_jupyter = t.Bool(default_value=False).tag(sync=True)
    model = t.Unicode("").tag(sync=True)
    lang = t.Unicode("").tag(sync=True)
    markdown = t.Bool(default_value=True).tag(sync=True)
    recorder = t.Bool(default_value=True).tag(sync=True)
    saved_id = t.Unicode("").tag(sync=True)
    node = t.Unicode("").tag(sync=True)
    route = t.Enum(hosting.ROUTES, "auto").tag(sync=True)
    transport = t.Enum(hosting.TRANSPORTS, "auto").tag(sync=True)
    fault = PlanTrait("").tag(sync=True)
    faults_allowed = t.Bool(default_value=False).tag(sync=True)

    def __init__(self, *, url: str | None = None, token: str | None = None, **traits: Any) -> None:
        self._run: Run | None = None
        self._shown = False
        self._address = hosting.find(url, token)
        self._hosted: hosting.Hosted | None = None
        self._relay = Relay(lambda: self._client(reconnect=False), self.send)
        super().__init__(**{"saved_id": secrets.token_hex(8), **hosting.ways(), **traits})
        if self._address is not None:
            self.base_url = self._address.browser_url
            self.in_jupyter = self._address.in_jupyter
        self.on_msg(self._on_message)
        self.observe(self._on_stream_id, "stream_id")
        submit(self._warm_up())

    def ask(self, question: str, **params: Any) -> Run:
        """Ask, and return the run: `await` it for the Answer, or let it stream while the next cells run.

        `params` are those of design.md section 5: model, max_tokens, temperature, seed and so on; the knobs are those
        of the widget, unless a parameter says otherwise. `fault` is a fault plan for this question alone.
        Awaiting raises RemoteError when the server ends the stream with an error, ConnectError when it cannot be
        reached (any more), LogTrimmed when events are gone, PayloadError when the text is not the one that was
        sent; each has what arrived in `.text`. A stopped run gives its partial text, with state "stopped".
        Raises InvalidPlan at once for a fault plan that can be none.

            plan = {"seed": 1, "steps": [{"attempt": 1, "kind": "cut", "event": 3, "where": "character"}]}
            answer = await w.ask("ما الذي ينجو من قطع داخل حرف؟", fault=plan)  # letters of several bytes
        """
        run = Run(question, fault=fault_text(params.pop("fault", self.fault)))
        if self.model:
            params.setdefault("model", self.model)
        return self.follow(run, **{**self.params, **params})

    def follow(self, run: Run, **params: Any) -> Run:
        """Show a run that has not begun, started with these parameters, or one that has an id; return it."""
        previous, self._run = self._run, run
        submit(run.carry(self._answer(run, previous, params)))
        return run

    def wait(self, timeout_s: float | None = None) -> Answer:
        """Block until the current run ends, and return its Answer. Raises as `ask`, or TimeoutError."""
        if self._run is None:
            raise RuntimeError("there is nothing to wait for: ask first")
        return self._run.wait(timeout_s)

    def frame(self, reader: str = "") -> Frame:
        """Return the table of the latest run, one row a delta: `measure.frame.frame_of` has its columns.

        While the run goes on it is of what is known so far, and it works while a cell is busy. `reader` names the page
        whose times are wanted, where several show the run. Raises RuntimeError before the first question, ImportError
        without pandas.
        """
        if self._run is None:
            raise RuntimeError("there is nothing to make a table of: ask first")
        return self._run.frame(reader)

    def stop(self) -> Future[None]:
        """Stop the run: the model ends. The future says when the server has heard it; nobody needs to wait."""
        return submit(self._stop(self._run))

    def cut(self) -> Future[None]:
        """Drop the connections of both readers, to see them come back."""
        self.send({"type": "cut"})
        return submit(self._cut(self._run))

    def record(self, path: str | os.PathLike[str], *, title: str = "") -> Copy:
        """Write the current run down as a cassette, as `Run.record` does. Raises RuntimeError when none was asked."""
        if self._run is None:
            raise RuntimeError("there is nothing to record: ask first")
        return self._run.record(path, title=title)

    def __repr__(self) -> str:
        return f"StreamWidget(status={self.status!r}, stream_id={self.stream_id!r})"

    async def _answer(self, run: Run, previous: Run | None, params: dict[str, Any]) -> Answer:
        if previous is not None and not previous.future.done():
            await previous.make_way()
        begun = {"text": "", "error": "", "error_code": "", "status": "connecting"}
        if self._tell(run, question=run.question, stream_id=run.stream_id, **begun):
            self._save()
        try:
            answer = await self._read(run, params)
        except BaseException as error:
            if isinstance(error, SSEWidgetError):
                error.text = run.text
            self._end(run, run.state or "error", *run.words_of(error))
            raise
        self._end(run, answer.state)
        return answer

    async def _read(self, run: Run, params: dict[str, Any]) -> Answer:
        client = await self._client()
        hosted = self._hosted
        try:
            if not run.stream_id and (created := await run.start(client, **params)) is not None:
                self.node = created.node or self.node
                self._relay.push(run.stream_id)  # first: who hears of the run then knows that it comes
                self._announce(run)
            return await run.read(client, lambda status: self._on_status(run, status, hosted))
        except ConnectError as error:
            ended = hosted.ended if hosted is not None else None
            if ended is None or error.message == ended.message:
                raise
            raise ended from error

    async def _warm_up(self) -> None:
        """Have the server running, and the client's modules loaded, when the first question comes."""
        with suppress(SSEWidgetError):  # which the first question will meet, and say
            health = await (await self._client()).health()
            with self.hold_sync():
                self.node = str(health.get("node", ""))
                self.faults_allowed = health.get("faults") is True

    async def _client(self, *, reconnect: bool = True) -> StreamClient:
        address = self._address
        if address is None:
            self._hosted = await asyncio.to_thread(hosting.own)
            address = self._hosted.address
        self.base_url = address.browser_url
        return StreamClient(address.url, token=address.token, lang=self.lang, reconnect=reconnect, pool=_POOL)

    def _announce(self, run: Run) -> None:
        """Name the run to the browser; its ticket goes by a message, since traits are saved with the notebook."""
        self.send({"type": "run", "stream_id": run.stream_id, "ticket": run.ticket, "fault": run.fault})
        self._tell(run, stream_id=run.stream_id)

    def _on_status(self, run: Run, status: Status, hosted: hosting.Hosted | None) -> None:
        if status.state == "waiting" and hosted is not None and (ended := hosted.ended) is not None:
            run.leave(ended)  # no attempt can reach a server that has ended
        if status.state in {"connecting", "open", "waiting"}:
            self._tell(run, status="streaming" if status.state == "open" else status.state)

    def _end(self, run: Run, state: str, error: str = "", error_code: str = "") -> None:
        if self._tell(run, text=run.text, error=error, error_code=error_code, status=state):
            self._save()

    def _tell(self, run: Run, **traits: str) -> bool:
        """Set traits, in one message, unless another run has taken over."""
        if run is not self._run:
            return False
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)
        return True

    async def _stop(self, run: Run | None) -> None:
        if run is not None:
            await run.halt()

    def _tune(self, changes: dict[str, Any]) -> None:
        if self._run is not None:
            submit(self._run.tune(changes))

    async def _cut(self, run: Run | None) -> None:
        if run is not None:
            await run.cut()

    def _on_message(self, _: StreamWidget, content: dict[str, Any], __: list[bytes]) -> None:
        match content:
            case {"type": "ask", "q": str(question), **rest}:
                # The traits of the same moment may come later: ipywidgets holds them back.
                knobs = rest.get("knobs") or {}
                params = {name: knobs[name] for name in OF_RUN if name in knobs}
                self.ask(question, **params, fault=rest.get("fault", self.fault))
            case {"type": "relay"}:
                self._relay.receive(content)
            case {"type": "ticket"} if self._run is not None and self._run.ticket:
                self._announce(self._run)

    def _on_stream_id(self, change: dict[str, Any]) -> None:
        """A page started a run by itself: the kernel reads it too."""
        stream_id = change["new"]
        if _STREAM_ID.fullmatch(stream_id) and (self._run is None or self._run.stream_id != stream_id):
            self.follow(Run(self.question, stream_id, fault=self.fault))

    def _save(self) -> None:
        """Give the outputs that show this widget its text, as it is now."""
        if self._shown:
            update_display(self._saved(), raw=True, display_id=f"sse-widget-{self.saved_id}")  # type: ignore[no-untyped-call]

    def _ipython_display_(self) -> None:
        """Display two outputs: the widget, and what is kept of it; a notebook that lost the widget shows the second."""
        self._shown = True
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        # For whoever shows no widgets it is empty: the text stands below.
        display({**data, "text/plain": repr(self), "text/html": ""}, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        display(self._saved(), raw=True, display_id=f"sse-widget-{self.saved_id}")  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget for whoever can show it, and its text for all others, where one output must do."""
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        kept = self._saved()
        return {**data, **kept, "text/plain": kept["text/plain"] or repr(self)}, metadata

    def _saved(self) -> dict[str, str]:
        over = self.status not in {"connecting", "streaming", "waiting"}
        kept = saved.Saved(
            saved_id=self.saved_id,
            question=self.question,
            text=self.text if over else "",
            status=self.status if over else "streaming",
            error=self.error,
            lang=self.lang,
        )
        return {"text/html": kept.html, "text/plain": kept.plain}
