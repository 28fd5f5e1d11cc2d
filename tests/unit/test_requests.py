"""Whatever bytes come as a request: it is taken, or refused in words, and nothing else ever happens."""

from __future__ import annotations

import json
import re

from hypothesis import example, given
from hypothesis import strategies as st

from sse_server.errors import ServerError
from sse_server.guards.validation import body_fields, query_fields, read_chat, read_connection, read_tuning
from sse_server.sources.synthetic import SyntheticParams, parse_params, words

NAMES = [
    "q",
    "question",
    "messages",
    "model",
    "conversation_id",
    "flush_on_punctuation",
    "chunk_tokens",
    "chunk_ms",
    "delay_ms",
    "max_tokens",
    "temperature",
    "seed",
    "heartbeat_s",
    "after",
    "once",
    "snapshot",
    "key",
    "fault",
]
text = st.text(max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(
    scalars | st.sampled_from([0, 1, -1, 0.5, 10**400, "1", "true", "1e5", "١", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "x"]), "content": text}), max_size=3
)
steps = st.dictionaries(st.sampled_from(["attempt", "kind", "event", "ms", "where"]) | text, values, max_size=4)
plans = st.fixed_dictionaries({"seed": values, "steps": st.lists(steps, max_size=3)})
fields = st.dictionaries(st.sampled_from(NAMES) | text, values | messages | plans | plans.map(json.dumps), max_size=6)


def read(known):
    read_connection(known, allow_faults=True)
    return read_chat(known, default_model="local", max_length=20, lang="en")


def check_refusal(error):
    assert 400 <= error.status < 500
    for lang in ("en", "ar"):
        message = error.event(lang).message
        assert 10 < len(message) < 1000
        message.encode()


def taken(call, *arguments):
    try:
        return call(*arguments)
    except ServerError as error:
        check_refusal(error)
        return None


@given(fields)
@example({"q": "hi", "delay_ms": 10**400})
@example({"q": "hi", "seed": -(10**400)})
@example({"q": "hi", "once": [10**400]})
@example({"q": "hi", "fault": {"seed": 1, "x" * 5000: 1}})
@example({"q": "hi", "fault": {"seed": 1, "\ud800": 1}})
def test_fields_are_taken_or_refused(known):
    chat = taken(read, known)
    if chat is not None:
        request, knobs = chat.order.request, chat.order.knobs
        assert request.messages[-1].content.strip()
        assert all(len(message.content) <= 20 for message in request.messages)
        assert isinstance(knobs.chunk_tokens, int)
        assert 1 <= knobs.chunk_tokens <= 1000
        assert 0 <= knobs.delay_ms <= 60_000
        assert request.seed is None or 0 <= request.seed < 2**32


@given(fields)
def test_json_bodies_are_taken_or_refused(known):
    body = json.dumps(known, ensure_ascii=False).encode("utf-8", "surrogatepass")
    decoded = taken(body_fields, body)
    if decoded is not None:
        taken(read, decoded)
        taken(read_tuning, decoded)


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(body):
    decoded = taken(body_fields, body)
    assert decoded is None or isinstance(decoded, dict)


@given(
    st.dictionaries(
        (st.sampled_from(NAMES) | text).map(lambda name: name.encode("utf-8", "replace").decode("latin-1")),
        st.lists(st.binary(max_size=20), min_size=1, max_size=3),
        max_size=5,
    )
)
def test_any_query_is_taken_or_refused(arguments):
    known = taken(query_fields, arguments)
    if known is not None:
        taken(read, known)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["tokens=5", "rate=0", "lang=ar", "seed=x", "jitter=1", "=", ","])).map(",".join)
)
def test_any_synthetic_parameters_are_taken_or_refused(written):
    params = taken(parse_params, written)
    if params is not None:
        assert isinstance(params, SyntheticParams)
        assert 1 <= params.tokens <= 100_000


@given(st.integers(1, 300), st.sampled_from(["en", "ar", "zh", "emoji", "mixed", "markdown"]), st.integers(0, 2**63))
def test_synthetic_text_is_as_long_as_it_was_asked_and_utf8(tokens, lang, seed):
    said = list(words(SyntheticParams(tokens=tokens, lang=lang, seed=seed)))
    assert len(said) == tokens
    assert all(said)
    "".join(said).encode()


def test_synthetic_markdown_has_every_construct_and_is_the_same_each_time():
    params = SyntheticParams(tokens=3000, lang="markdown", seed=5)
    said = "".join(words(params))
    assert said == "".join(words(params))
    assert said != "".join(words(SyntheticParams(tokens=3000, lang="markdown", seed=6)))
    for construct in (
        r"^## 2\. ",
        r"^- \[x\] ",
        r"^\| --- \|",
        r"^```python$",
        r"^\$\$.+\$\$$",
        r"^> ",
        r"^1\. [\u0621-\u064a]",
    ):
        assert re.search(construct, said, re.MULTILINE), construct
    assert all(len(word) < 30 for word in words(params))
