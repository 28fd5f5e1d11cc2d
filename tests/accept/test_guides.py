"""The commands of the troubleshooting guide, run as they stand there: they print what it says they print."""

from __future__ import annotations

import pytest

from rig import faults, guide, proxies
from rig.nginx import nginx, proxy, unused_port

GUIDE = guide.sections("troubleshooting.md")
WRITTEN_WITH = {"PROXY": "https://stream.example", "SERVER": "http://10.0.0.6:8765"}
REWRITES = "sub_filter_types text/event-stream; sub_filter_once off; sub_filter 'ا' 'Ø§';"

# Heading: what is wrong, as a server block in front of a server.
SCENES = {
    '"Stream connection error", or nothing comes': lambda _: proxy(f"http://127.0.0.1:{unused_port()}"),
    "Everything comes at once": proxies.buffering,
    "It stops in the middle": lambda url: faults.idling(url, "1s"),
    "Garbled letters": lambda url: proxy(url, REWRITES),
}


def test_every_symptom_has_its_scene():
    assert GUIDE.keys() == SCENES.keys()


@pytest.mark.parametrize("heading", SCENES)
def test_the_commands_print_what_the_guide_says(heading, server_process, tmp_path):
    commands, expected = GUIDE[heading]
    server = server_process("--model=synthetic:", "--rate-limit=off")
    with nginx(tmp_path, SCENES[heading](server.url)) as url:
        hops = {"PROXY": url, "SERVER": server.url}
        said = guide.printed(commands, hops)
    print(said)
    assert guide.shape(said, hops) == guide.shape(expected, WRITTEN_WITH)
