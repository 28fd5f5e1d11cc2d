"""What the probes saw, as frozen records without opinion: `verdicts` judges them, tests write them down.

Times are seconds since the request of the probe was sent, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["own", "openai", "foreign"]
"""Whose server answers: sse-widget's, one with OpenAI's routes, or any other."""


class Failure(msgspec.Struct, frozen=True):
    """Why there is no answer, or none to the end; `detail` is what the system said."""

    kind: Literal["name", "refused", "timeout", "cut", "protocol", "tls", "other"]
    detail: str = ""
    after_s: float = 0.0


class Head(msgspec.Struct, frozen=True):
    """A response head; of a refusal also what its body says (`code`, `message`) or how it begins."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    after_s: float = 0.0
    code: str = ""
    message: str = ""

    def get(self, name: str) -> str:
        """Return the values of a header, joined by commas; empty without one."""
        return ", ".join(self.every(name))

    def every(self, name: str) -> list[str]:
        """Return each value of a header that may stand more than once."""
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def media_type(self) -> str:
        """The content type without parameters."""
        return self.get("content-type").partition(";")[0].strip().lower()


class Dial(msgspec.Struct, frozen=True):
    """One attempt to connect to one address."""

    address: str
    took_s: float
    failure: Failure | None = None


class Certificate(msgspec.Struct, frozen=True):
    """A TLS handshake. `error_code` is OpenSSL's verify code (X509_V_ERR_…), 0 when the certificate is good.

    `plain` says that the port answers HTTP without encryption.
    """

    took_s: float = 0.0
    version: str = ""
    alpn: str = ""
    issuer: str = ""
    days_left: float = 0.0
    error_code: int = 0
    plain: bool = False
    failure: Failure | None = None


class Network(msgspec.Struct, frozen=True):
    """The way to one origin: name, connection, encryption. `through` is a proxy of the environment, which goes it."""

    host: str
    port: int
    secure: bool = False
    through: str = ""
    addresses: tuple[str, ...] = ()
    resolved_s: float = 0.0
    name_failure: Failure | None = None
    dials: tuple[Dial, ...] = ()
    certificate: Certificate | None = None

    @property
    def reached(self) -> bool:
        """Whether an HTTP request can be sent at all."""
        if self.through:
            return True
        connected = any(dial.failure is None for dial in self.dials)
        return connected and (self.certificate is None or self.certificate.failure is None)


class Hop(msgspec.Struct, frozen=True):
    """A redirect that was followed: from `url`, with `status`, to `location`."""

    url: str
    status: int
    location: str


class Drip(msgspec.Struct, frozen=True):
    """A stream whose pace the server knows: when each delta arrived, against the `written_s` that it took to write.

    `reads` are the arrivals of bytes, which are there also when the body cannot be decoded.
    """

    method: str
    compressible: bool
    head: Head | None = None
    deltas: tuple[float, ...] = ()
    reads: tuple[float, ...] = ()
    written_s: float = 0.0
    ended: bool = False
    failure: Failure | None = None


class Beats(msgspec.Struct, frozen=True):
    """Pings of a quiet stream that were asked for every `every_s`, over `watched_s`.

    `granted_s` is the cadence that the server promised, 0 when it said nothing; `status` is 0 without an answer.
    """

    every_s: float
    watched_s: float
    granted_s: float = 0.0
    pings: tuple[float, ...] = ()
    failure: Failure | None = None
    status: int = 200


class Silence(msgspec.Struct, frozen=True):
    """A connection on which the server writes nothing for `asked_s`, and then one word.

    `lived_s` is from the last byte to the cut, to the word, or to the end of our patience. `granted_s` is the heartbeat
    that the server promised, which must be longer.
    """

    asked_s: float
    lived_s: float
    spoke: bool = False
    granted_s: float = 0.0
    status: int = 0
    failure: Failure | None = None


class Resume(msgspec.Struct, frozen=True):
    """A stream cut after seq `after`, and from where it went on: by Last-Event-ID and by `?after=`; None: nowhere."""

    after: int
    by_header: int | None = None
    by_query: int | None = None
    whole: bool = False
    failure: Failure | None = None


class Socket(msgspec.Struct, frozen=True):
    """A WebSocket handshake and one ping; `pong_s` is 0 when no answer came."""

    head: Head | None = None
    opened_s: float = 0.0
    pong_s: float = 0.0
    origin: str = ""
    failure: Failure | None = None


class Cors(msgspec.Struct, frozen=True):
    """What a page of another origin would be told."""

    origin: str
    asked_headers: tuple[str, ...] = ()
    preflight: Head | None = None
    simple: Head | None = None
    failure: Failure | None = None


class Observed(msgspec.Struct, frozen=True):
    """All that was seen of one server; None stands for what was not probed (yet). `heartbeat_s` is its habit."""

    url: str
    network: Network | None = None
    redirects: tuple[Hop, ...] = ()
    looping: bool = False
    kind: Kind | None = None
    in_notebook: bool = False
    has_token: bool = False
    answer: Head | None = None
    answer_failure: Failure | None = None
    started: Head | None = None
    start_failure: Failure | None = None
    drips: tuple[Drip, ...] = ()
    beats: Beats | None = None
    silence: Silence | None = None
    idle_off: bool = False
    heartbeat_s: float = 0.0
    resume: Resume | None = None
    socket: Socket | None = None
    cors: Cors | None = None
    interrupted: bool = False

    @property
    def heads(self) -> tuple[Head, ...]:
        """Every head that was seen, streams first."""
        cors = () if self.cors is None else (self.cors.preflight, self.cors.simple)
        socket = None if self.socket is None else self.socket.head
        found = (*(drip.head for drip in self.drips), self.started, self.answer, socket, *cors)
        return tuple(head for head in found if head is not None)
