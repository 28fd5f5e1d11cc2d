"""The knobs as traits: bounds, presets, and whose change goes to the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import traitlets

from sse_widget.knobs import DEFAULTS, OF_RUN, PRESETS, Knob, KnobTraits, preset_of

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "knobs.json").read_text("utf-8"))


class Told(KnobTraits):
    """Keeps what goes to the run and to the page."""

    def __init__(self, **traits):
        self.tuned = []
        self.messages = []
        super().__init__(**traits)
        self.tuned.clear()
        self.messages.clear()

    def _tune(self, changes):
        self.tuned.append(changes)

    def send_state(self, key=None):
        names = {key} if isinstance(key, str) else set(key or ())
        if names:
            self.messages.append({name: getattr(self, name) for name in names})


@pytest.fixture
def knobs():
    made = Told()
    yield made
    made.close()


def test_the_table_is_that_of_both_languages():
    traits = KnobTraits.class_traits()
    for name, want in VECTORS["numbers"].items():
        knob = traits[name]
        assert isinstance(knob, Knob)
        assert (knob.default_value, knob._low, knob._high) == (want["initial"], want["low"], want["high"])
        assert (knob._whole, knob.allow_none) == (want["whole"], want.get("optional", False))
        assert knob.metadata["sync"]
        assert f"{want['low']:g} to {want['high']:g} " in knob.help
    assert {name: dict(preset) for name, preset in PRESETS.items()} == VECTORS["presets"]
    assert list(OF_RUN) == VECTORS["of_run"]
    for name, initial in VECTORS["switches"].items():
        assert name == "markdown" or traits[name].default_value is initial


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("delay_ms", -1, "delay_ms must be a number from 0 to 60000 ms; got -1"),
        ("delay_ms", float("nan"), "got nan"),
        ("delay_ms", "5", "got '5'"),
        ("delay_ms", True, "got True"),
        ("delay_ms", None, "got None"),
        ("chunk_tokens", 0, "chunk_tokens must be a whole number from 1 to 1000 tokens; got 0"),
        ("chunk_tokens", 2.5, "a whole number"),
        ("heartbeat_s", 0, "from 0.05 to 300 s, or None"),
        ("preset", "fast", "preset"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words(knobs, name, value, says):
    before = getattr(knobs, name)
    with pytest.raises(traitlets.TraitError, match=says):
        setattr(knobs, name, value)
    assert getattr(knobs, name) == before
    assert knobs.tuned == []


def test_python_turns_a_knob_and_the_run_hears_once(knobs):
    knobs.delay_ms = 200
    knobs.base_delay_ms = 3
    knobs.delay_ms = 200
    assert knobs.tuned == [{"delay_ms": 200.0}]
    assert knobs.messages[0] == {"delay_ms": 200.0, "preset": "custom", "knobs_revision": 1}
    assert knobs.preset == "custom"


def test_a_preset_is_one_message_and_one_request(knobs):
    knobs.preset = "slow_network"
    assert knobs.tuned == [{"chunk_tokens": 20, "chunk_ms": 1500.0, "delay_ms": 900.0, "flush_on_punctuation": False}]
    (message,) = knobs.messages
    assert message["preset"] == "slow_network"
    assert {name: getattr(knobs, name) for name in DEFAULTS} == PRESETS["slow_network"]
    knobs.chunk_tokens = 21
    assert knobs.preset == "custom"
    knobs.chunk_tokens = 20
    assert knobs.preset == "slow_network"


def test_what_the_page_turns_is_not_sent_again(knobs):
    knobs.set_state({"delay_ms": 40, "preset": "custom", "knobs_seen": 0})
    assert (knobs.delay_ms, knobs.preset) == (40.0, "custom")
    assert knobs.tuned == knobs.messages == []
    knobs.set_state(
        {name: value for name, value in PRESETS["raw"].items() if DEFAULTS[name] != value} | {"delay_ms": 0}
    )
    assert knobs.preset == "raw"
    assert knobs.tuned == []


def test_what_an_observer_turns_is_pythons(knobs):
    knobs.observe(lambda change: setattr(knobs, "chunk_ms", change["new"] * 2), "delay_ms")
    knobs.set_state({"delay_ms": 40, "preset": "custom"})
    assert knobs.tuned == [{"chunk_ms": 80.0}]


def test_a_message_that_comes_late_does_not_undo_what_python_set_meanwhile(knobs):
    """The reader moved the slider, then Python set the knob, in a cell that kept the kernel busy."""
    knobs.delay_ms = 300
    knobs.set_state({"delay_ms": 50, "chunk_tokens": 2, "preset": "custom", "knobs_seen": 0})
    assert (knobs.delay_ms, knobs.chunk_tokens) == (300.0, 2)
    knobs.set_state({"delay_ms": 50, "preset": "custom", "knobs_seen": 1})
    assert knobs.delay_ms == 50.0
    assert knobs.tuned == [{"delay_ms": 300.0}]


def test_a_widget_is_made_with_its_knobs():
    made = Told(preset="slow_network", delay_ms=5)
    assert (made.preset, made.delay_ms, made.chunk_tokens) == ("custom", 5.0, 20)
    assert made.params == {"chunk_tokens": 20, "chunk_ms": 1500.0, "delay_ms": 5.0, "flush_on_punctuation": False}
    made.close()
    with pytest.raises(traitlets.TraitError):
        Told(preset="fast")


def test_values_that_are_no_preset_are_custom():
    assert [preset_of(preset) for preset in PRESETS.values()] == list(PRESETS)
    assert preset_of({**DEFAULTS, "max_lag_ms": 401}) == "custom"
