"""Readers that never read: a server's memory stays bounded while its runs go on, and they end as ever."""

from __future__ import annotations

import time

import pytest

from rig.crowd import Crowd, Readers, may_open
from rig.rivals.process import Rival
from rig.serving import CHAT

MUTE = 200
PRODUCED_BYTES = 1_000_000_000
MOST_BYTES = 100_000_000
LIMIT_S = 80.0


@pytest.fixture
def server():
    may_open(4000)
    with Rival("ours", loud_bytes=PRODUCED_BYTES // MUTE) as rival:
        yield rival


def test_two_hundred_readers_that_never_read_and_a_gigabyte_of_events(server):
    target = f"{CHAT}?q=x&chunk_tokens=1&model=loud&key=NUMBER"
    before, most = server.rss_bytes, 0
    began = time.monotonic()
    with Crowd(Readers(server.port, target, MUTE, mute=True)) as mute:
        mute.until_connected()
        while server.health["runs"] or server.health["runs_started"] < MUTE:
            most = max(most, server.rss_bytes - before)
            assert time.monotonic() - began < LIMIT_S
        most = max(most, server.rss_bytes - before)
        health = server.health
    print(f"\n{MUTE} runs made {PRODUCED_BYTES / 1e9:.0f} GB; the server grew by {most / 1e6:.0f} MB")
    assert health["connections"] == MUTE, "those who do not read are connected still: their time is not over"
    assert most < MOST_BYTES
