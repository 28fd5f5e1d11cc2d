"""Below HTTP: the name, the connection, the TLS handshake."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from sse_widget.diagnosis.observations import Certificate, Dial, Failure, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_TIMEOUT_S = 10.0
DIAL_TIMEOUT_S = 6.0
_MOST_ADDRESSES = 4
_DAY_S = 86400.0


async def network(host: str, port: int, tls: ssl.SSLContext | None, through: str = "") -> Network:
    """Look the name up, connect to each address, and shake hands where `tls` is given.

    With `through`, a proxy of the environment, nothing is tried: that proxy does it.
    """
    if through:
        return Network(host, port, secure=tls is not None, through=through)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        addresses = await _addresses(host, port)
    except (OSError, TimeoutError, UnicodeError) as error:
        failure = Failure("name", _plain(error), loop.time() - began_s)
        return Network(host, port, secure=tls is not None, name_failure=failure)
    resolved_s = loop.time() - began_s
    dials = await asyncio.gather(*(_dial(address, port) for address in addresses))
    good = next((dial.address for dial in dials if dial.failure is None), None)
    certificate = None if tls is None or good is None else await _handshake(good, port, host, tls)
    return Network(
        host,
        port,
        secure=tls is not None,
        addresses=tuple(addresses),
        resolved_s=resolved_s,
        dials=tuple(dials),
        certificate=certificate,
    )


def tls_context(plain: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that trusts what `plain` trusts and offers HTTP/2, as browsers do."""
    offering = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    offering.load_verify_locations(cadata=b"".join(plain.get_ca_certs(binary_form=True)) or None)
    offering.set_alpn_protocols(["h2", "http/1.1"])
    return offering


async def _addresses(host: str, port: int) -> list[str]:
    async with asyncio.timeout(NAME_TIMEOUT_S):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))[:_MOST_ADDRESSES]


async def _dial(address: str, port: int) -> Dial:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return Dial(address, loop.time() - began_s, Failure("timeout", "", loop.time() - began_s))
    except OSError as error:
        kind = "refused" if isinstance(error, ConnectionRefusedError) else "other"
        return Dial(address, loop.time() - began_s, Failure(kind, _plain(error)))  # type: ignore[arg-type]
    took_s = loop.time() - began_s
    await _close(writer)
    return Dial(address, took_s)


async def _handshake(address: str, port: int, host: str, tls: ssl.SSLContext) -> Certificate:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            _, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        return Certificate(error_code=error.verify_code, failure=Failure("tls", error.verify_message))
    except (OSError, TimeoutError) as error:
        return Certificate(plain=await _speaks_http(address, port), failure=Failure("tls", _plain(error)))
    layer = writer.get_extra_info("ssl_object")
    certificate = layer.getpeercert() or {}
    found = Certificate(
        loop.time() - began_s,
        layer.version() or "",
        layer.selected_alpn_protocol() or "",
        _issuer(certificate.get("issuer", ())),
        (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / _DAY_S if certificate else 0.0,
    )
    await _close(writer)
    return found


async def _speaks_http(address: str, port: int) -> bool:
    """Whether a port where no handshake succeeds answers plain HTTP."""
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                writer.write(b"HEAD / HTTP/1.0\r\n\r\n")
                return await reader.read(5) == b"HTTP/"
            finally:
                await _close(writer)
    except (OSError, TimeoutError):
        return False


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass  # it has been measured already


def _issuer(names: Sequence[Any]) -> str:
    parts = {key: value for relative in names for key, value in relative}
    return str(parts.get("organizationName") or parts.get("commonName") or "?")


def _plain(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__
