"""Tickets and tokens: what opens, what does not, and that nothing malformed does more than be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.errors import ServerError
from sse_server.guards.auth import Gate, Principal, check_host, origin_allowed
from sse_server.guards.tickets import LIFETIME_S, RIGHTS, TicketOffice

STREAM = "ab" * 16
OTHER = "cd" * 16


def office(now=0.0, secret=b"s" * 32):
    return TicketOffice(secret, lambda: now)


def test_a_ticket_opens_its_stream_with_its_rights_until_it_is_over():
    ticket = office().issue(STREAM, frozenset({"read"}))
    for now in (0.0, LIFETIME_S - 1):
        claim = office(now).check(ticket)
        assert (claim.stream_id, claim.rights) == (STREAM, {"read"})
    for now in (LIFETIME_S, LIFETIME_S + 1e9):
        assert office(now).check(ticket) is None
    assert office().check(office().issue(STREAM)).rights == RIGHTS


def test_no_ticket_opens_another_server():
    assert office(secret=b"t" * 32).check(office().issue(STREAM)) is None


@pytest.mark.parametrize("change", ["stream", "rights", "expiry", "mac", "cut", "longer", "upper", "newline", "twice"])
def test_a_changed_ticket_opens_nothing(change):
    ticket = office().issue(STREAM, frozenset({"read"}))
    stream_id, rights, expiry, mac = ticket.split(".")
    forged = {
        "stream": f"{OTHER}.{rights}.{expiry}.{mac}",
        "rights": f"{stream_id}.read-stop-tune.{expiry}.{mac}",
        "expiry": f"{stream_id}.{rights}.{int(expiry) + 1}.{mac}",
        "mac": f"{stream_id}.{rights}.{expiry}.{'A' * len(mac)}",
        "cut": ticket[:-1],
        "longer": f"{ticket}=",
        "upper": f"{stream_id.upper()}.{rights}.{expiry}.{mac}",
        "newline": f"{ticket}\n",
        "twice": f"{ticket}.{ticket}",
    }
    assert office().check(forged[change]) is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.b", "a.b.c", "...", "....", STREAM, f"{STREAM}.read", "تذكرة.x", "\x00.\x00", "é" * 4000, "\ud800.a"],
)
def test_what_is_no_ticket_opens_nothing(text):
    if "\ud800" in text:
        text = text.encode("utf-8", "replace").decode()
    assert office().check(text) is None


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=200))
def test_no_text_makes_the_check_fail(text):
    assert office().check(text) is None


@pytest.mark.parametrize(
    ("authorization", "opens"),
    [
        ("Bearer secret", True),
        ("bearer secret", True),
        ("BEARER   secret  ", True),
        ("Bearer secret2", False),
        ("Bearer secre", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("secret", False),
        ("Basic secret", False),
        ("Bearer Secret", False),
        ("Bearer \xff\xfe", False),
        ("Bearer سر", False),
        ("", False),
    ],
)
def test_the_token_opens_and_nothing_like_it(authorization, opens):
    gate = Gate([("owner", "secret")], office())
    if opens:
        assert gate.principal(authorization, "") == Principal("owner")
    else:
        with pytest.raises(ServerError) as raised:
            gate.principal(authorization, "")
        assert (raised.value.status, raised.value.code) == (401, "unauthorized")


def test_without_a_token_everyone_is_the_owner_but_a_bad_ticket_is_still_refused():
    gate = Gate([], office())
    for authorization in ("", "Bearer anything", "Basic x", "nonsense"):
        assert gate.principal(authorization, "").name == "owner"
    for authorization, ticket in (("", "a.b"), ("Ticket a.b", ""), ("Ticket \xff.x", "")):
        with pytest.raises(ServerError):
            gate.principal(authorization, ticket)


def test_a_ticket_is_nobody_and_reaches_one_stream():
    tickets = office()
    principal = Gate([("owner", "secret")], tickets).principal("", tickets.issue(STREAM, frozenset({"read"})))
    assert principal.name is None
    principal.require("read", STREAM)
    for right, stream_id, code in [
        ("read", OTHER, "not_found"),
        ("stop", STREAM, "forbidden"),
        ("start", "", "forbidden"),
    ]:
        with pytest.raises(ServerError) as raised:
            principal.require(right, stream_id)
        assert raised.value.code == code


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:8765", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:80", False),
        ("localhost.", False),
        ("0.0.0.0:8765", False),
        ("[::1", False),
        ("", False),
        ("localhost:evil", True),
        ("127.1", False),
        ("2130706433", False),
    ],
)
def test_only_names_of_this_machine_are_hosts(host, local):
    if local:
        check_host(host)
    else:
        with pytest.raises(ServerError) as raised:
            check_host(host)
        assert raised.value.code == "forbidden"


@pytest.mark.parametrize(
    ("origin", "allowed", "passes"),
    [
        ("http://127.0.0.1:8765", [], True),
        ("http://127.0.0.1:8766", [], False),
        ("https://127.0.0.1:8765", [], False),
        ("null", [], False),
        ("", [], False),
        ("http://localhost:3000", ["http://localhost:*"], True),
        ("http://localhost.evil.example", ["http://localhost:*"], False),
        ("http://evil.example:80", ["http://localhost:*"], False),
        ("https://lab.example", ["https://lab.example"], True),
        ("https://LAB.example", ["https://lab.example"], False),
        ("https://lab.example.evil.example", ["https://lab.example"], False),
        ("http://[::1]:8888", ["http://[::1]:8888"], True),
        ("http://[::1]:8888", ["http://[::1]:*"], True),
        ("http://:", ["http://[::1]"], False),
    ],
)
def test_only_listed_origins_pass(origin, allowed, passes):
    assert origin_allowed(origin, "http://127.0.0.1:8765", allowed) is passes
