"""What is examined: the address as it was given, whose server is there, and the runs that are started on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from sse_widget.diagnosis import software
from sse_widget.endpoint import is_loopback

if TYPE_CHECKING:
    from sse_widget.diagnosis.observations import Head, Kind

IDLE_S = 45.0
"""How long a silent connection is watched, unless told otherwise."""

MOST_IDLE_S = 290.0
"""Beyond 300 s our server pings in any case."""

_ROUTE = re.compile(r"/api/v1/(stream(/.*)?|clock)?$")
_OPENAI = re.compile(r"/v1(/chat/completions)?/?$")


class Order(msgspec.Struct, frozen=True):
    """What to examine, and how: `origin` is that of a page, `model` for servers with OpenAI's routes."""

    url: str
    token: str = ""
    origin: str = ""
    idle_s: float = IDLE_S
    model: str = ""
    in_notebook: bool = False


class Run(msgspec.Struct, frozen=True):
    """A run that was started for the examination, and the ticket that a page would have for it."""

    stream_id: str
    ticket: str = ""


def completed(url: str) -> str:
    """Return the URL with a scheme: http where none was written, as browsers have it for bare names of this machine."""
    if "://" in url:
        return url
    host = urlsplit(f"//{url}").hostname or ""
    return f"{'http' if is_loopback(host) else 'https'}://{url}"


def base_of(url: str) -> str:
    """Return the base URL of our server, also when one of its routes was given."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, _ROUTE.sub("", parts.path.rstrip("/")), "", ""))


def is_openai(url: str) -> bool:
    """Whether the URL is one of OpenAI's form."""
    return _OPENAI.search(urlsplit(url).path) is not None


def is_own(head: Head, body: bytes) -> bool:
    """Whether our server answers: its health, or a refusal in its words."""
    if head.status == 200:
        said = as_object(body)
        return said.get("status") == "ok" and "node" in said
    return software.who(head) == software.OWN


def kind_of(url: str) -> Kind:
    """Return the kind of a server that is not ours."""
    return "openai" if is_openai(url) else "foreign"


def run_of(body: bytes) -> Run | None:
    """Return the run that was created, None when the answer is something else."""
    try:
        return msgspec.json.decode(body, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def as_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object, empty when the body is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
