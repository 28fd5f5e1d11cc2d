"""A real kernel, without a page: what `sw.show` and `%%ask` send over its channels, and what interrupts do."""

from __future__ import annotations

import json
import os
import time
from collections import Counter

import pytest
from jupyter_client.manager import start_new_kernel

from rig.serving import PATIENCE_S

LIMIT_S = 3 * PATIENCE_S


class Cell:
    """What one cell sent over iopub, and what it printed."""

    def __init__(self, messages):
        self.messages = messages
        self.kinds = Counter(message["msg_type"] for message in messages)
        self.printed = "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")
        self.errors = [m["content"] for m in messages if m["msg_type"] == "error"]

    @property
    def size(self):
        return sum(len(json.dumps(message, default=str)) for message in self.messages)


class Kernel:
    def __init__(self, manager, client):
        self.manager, self.client = manager, client

    def begin(self, code):
        """Run a cell; return its id."""
        return self.client.execute(code)

    def finish(self, cell, *, until=None):
        """Return what came until the kernel was idle again, and, with `until`, until that holds too."""
        messages, idle = [], False
        deadline_s = time.monotonic() + LIMIT_S
        while not idle or not (until is None or until(messages)):
            assert time.monotonic() < deadline_s, messages
            message = self.client.get_iopub_msg(timeout=LIMIT_S)
            messages.append(message)
            idle = idle or (
                message["msg_type"] == "status"
                and message["content"]["execution_state"] == "idle"
                and message["parent_header"].get("msg_id") == cell
            )
        return Cell(messages)

    def run(self, code):
        return self.finish(self.begin(code))


SETUP = """
import asyncio, threading, time
import sse_widget as sw
from sse_widget.loop import submit
%load_ext sse_widget
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Yield a kernel that starts its own server, and displays widgets."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSE_WIDGET_")}
    environment["IPYTHONDIR"] = str(tmp_path_factory.mktemp("ipython"))
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    kernel = Kernel(manager, client)
    assert not kernel.run(SETUP).errors
    assert not kernel.run("await sw.show('warm')").errors
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=False)


SHOW = "answer = await sw.show((f'{number} ' for number in range(TOKENS)), chunk_tokens=1)\nprint(len(answer))"


def test_tokens_never_go_over_the_kernels_channels(kernel):
    few = kernel.run(SHOW.replace("TOKENS", "30"))
    many = kernel.run(SHOW.replace("TOKENS", "3000"))
    assert (few.printed, many.printed) == ("80\n", f"{sum(len(f'{n} ') for n in range(3000))}\n")
    print(f"\niopub messages of a show: 30 tokens {sum(few.kinds.values())}, 3000 tokens {sum(many.kinds.values())}")
    print(f"of 3000 tokens: {dict(many.kinds)}, {many.size} bytes")
    assert sum(many.kinds.values()) <= sum(few.kinds.values()) + 2
    assert sum(many.kinds.values()) <= 25
    assert many.kinds["comm_open"] == 2, "the widget and its layout"


def test_a_cell_that_loops_over_show_sends_a_small_constant_each(kernel):
    loop = """
shows = [sw.show(iter([f"{number} ", "more"])) for number in range(COUNT)]
answers = await asyncio.gather(*shows)
print(answers == [f"{number} more" for number in range(COUNT)], threading.active_count())
"""
    few, many = (kernel.run(loop.replace("COUNT", str(count))) for count in (10, 200))
    ok, threads = many.printed.split()
    each = (sum(many.kinds.values()) - sum(few.kinds.values())) / 190
    sent = sum(
        len(json.dumps(m["content"], default=str))
        for m in many.messages
        if m["msg_type"] not in {"comm_open", "status"}
    )
    print(
        f"\n200 shows in a loop: {each:.1f} iopub messages each, {sent / 200:.0f} bytes each without opening the widget"
    )
    assert ok == "True"
    assert each <= 14
    assert int(threads) < 40
    assert not many.errors


@pytest.mark.parametrize(
    "cell",
    [  # the last one has no await: ipykernel cannot interrupt an asynchronous cell that never yields
        "print('begun')\nawait shown",
        "print('begun')\nshown.wait()",
        """with sw.show(chunk_tokens=1) as shown:
    shown.write("x")
    submit(shown.reach(1)).result()
    print("begun")
    threading.Event().wait()""",
    ],
)
def test_interrupting_the_kernel_stops_what_the_cell_waits_for(kernel, cell):
    kernel.run(
        """
closed = threading.Event()
def endless():
    try:
        while True:
            yield "x"
            time.sleep(0.01)  # its pace: what a thread reads is closed after its next piece
    finally:
        closed.set()
shown = sw.show(endless(), chunk_tokens=1)
await shown.reach(5)
"""
    )
    begun = kernel.begin(cell)
    cells = []
    while not cells or cells[-1]["msg_type"] != "stream":
        cells.append(kernel.client.get_iopub_msg(timeout=LIMIT_S))
    kernel.manager.interrupt_kernel()
    assert kernel.finish(begun).errors[0]["ename"] in {"KeyboardInterrupt", "CancelledError"}
    after = kernel.run("print((await shown).state, len(shown.text) > 0)")
    assert after.printed == "stopped True\n"
    if "with" not in cell:
        assert kernel.run(f"print(closed.wait({PATIENCE_S}))").printed == "True\n"
    kernel.run("shown.stop()")


def test_a_show_at_the_end_of_a_cell_displays_one_widget(kernel):
    assert kernel.run("shown = sw.show('once')\nshown").kinds["comm_open"] == 2
    first = kernel.run("await shown\nsw.show('once')")
    views = [m for m in first.messages if m["msg_type"] == "display_data"]
    assert len([m for m in views if "application/vnd.jupyter.widget-view+json" in m["content"]["data"]]) == 1
    assert first.kinds["execute_result"] == 0
    again = kernel.run("shown")
    assert again.kinds["display_data"] >= 1, "in another cell it is shown again"


def test_ask_is_a_cell_magic_that_does_not_block(kernel):
    cell = kernel.run("price = 5\n")
    asked = kernel.run(
        "%%ask --model synthetic:tokens=40,rate=20 --max-tokens 30\nHow much is {price} in $price?\nTell me."
    )
    assert not asked.errors
    assert asked.kinds["execute_result"] == 0
    state = kernel.run(
        "print(answer.state, '|', answer.question)\nwhole = await answer\nprint(whole.metadata.tokens_used)"
    )
    assert state.printed == "None | How much is {price} in $price?\nTell me.\n30\n"
    assert cell.errors == []


def test_ask_waits_when_it_is_told_to_and_names_its_variable(kernel):
    asked = kernel.run("%%ask -m synthetic:tokens=10,rate=0 -o sea --wait\nWhat is the sea?")
    assert not asked.errors
    assert kernel.run("print(sea.state, len(sea.text) > 10)").printed == "done True\n"


def test_interrupting_an_ask_that_waits_stops_it(kernel):
    begun = kernel.begin("%%ask -m synthetic:tokens=5000,rate=50 -o long --wait\nhi")
    seen = []
    while not any(m["msg_type"] == "comm_msg" and "streaming" in str(m["content"]) for m in seen):
        seen.append(kernel.client.get_iopub_msg(timeout=LIMIT_S))
    kernel.manager.interrupt_kernel()
    kernel.finish(begun)
    assert kernel.run("print((await long).state)").printed == "stopped\n"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%ask\n  ", "write the question into the cell"),
        ("%%ask -o 2x\nhi", "a variable's name"),
        ("%%ask -o class\nhi", "a variable's name"),
        ("%%ask --max-tokens many\nhi", "invalid int value: 'many'"),
        ("%%ask --unheard-of\nhi", "unrecognized arguments: --unheard-of"),
    ],
)
def test_what_ask_cannot_do_it_says_in_a_line(kernel, cell, says):
    said = kernel.run(cell)
    assert says in said.printed + str(said.errors)
    assert "Traceback" not in said.printed


def test_help_of_ask_names_its_options(kernel):
    said = kernel.run("print(get_ipython().find_cell_magic('ask').__doc__)").printed
    for option in ("--model", "--max-tokens", "--temperature", "--seed", "--output", "--plain", "--wait"):
        assert option in said
    assert "braces" in said
