"""How many runs may be started, and whom they are counted for."""

from __future__ import annotations

import pytest

from sse_server.config import ConfigError
from sse_server.errors import ServerError
from sse_server.guards.limits import Quota, counted_address, read_rate
from sse_server.guards.proxies import Proxies


@pytest.mark.parametrize(
    ("rate", "amount", "period_s"),
    [("5/minute", 5, 60), ("1 per 2 hours", 1, 7200), ("100/hour", 100, 3600), ("3/second", 3, 1)],
)
def test_a_rate_is_read(rate, amount, period_s):
    item = read_rate(rate)
    assert (item.amount, item.get_expiry()) == (amount, period_s)


@pytest.mark.parametrize("rate", ["", "5", "minute", "5/fortnight", "-1/minute", "0/minute", "on", "٥/minute"])
def test_what_is_no_rate_is_refused_with_a_hint(rate):
    with pytest.raises(ConfigError, match="like 5/minute"):
        read_rate(rate)


async def test_a_quota_is_each_ones_own_and_says_when_there_is_more():
    quota = Quota("2 per 3 hours")
    for who in ("a", "b"):
        await quota.spend(who)
        await quota.spend(who)
    with pytest.raises(ServerError) as refused:
        await quota.spend("a")
    assert (refused.value.status, refused.value.code, refused.value.retryable) == (429, "rate_limited", True)
    assert 3 * 3600 - 60 < refused.value.retry_after_s <= 3 * 3600 + 1
    assert "2 per 3 hours" in refused.value.say("en")
    assert "2 كل 3 ساعة" in refused.value.say("ar")
    await quota.close()


async def test_a_quota_that_is_off_refuses_nobody():
    quota = Quota("off")
    for _ in range(1000):
        await quota.spend("a")
    await quota.close()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_is_counted_as_one(address, counted):
    assert counted_address(address) == counted


INSIDE = "10.0.0.0/8"


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        # nobody is trusted: the header is anyone's invention
        ([], "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ([INSIDE], "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        # one proxy of ours
        ([INSIDE], "10.1.1.1", "198.51.100.1", "198.51.100.1"),
        ([INSIDE], "10.1.1.1", "", "10.1.1.1"),
        # the client forged the front of the list, our proxy appended the truth
        ([INSIDE], "10.1.1.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),
        ([INSIDE], "10.1.1.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        # two proxies of ours
        ([INSIDE], "10.1.1.1", "192.0.2.66, 198.51.100.1, 10.2.2.2", "198.51.100.1"),
        # all inside
        ([INSIDE], "10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
        # nonsense ends what can be believed
        ([INSIDE], "10.1.1.1", "198.51.100.1, nonsense, 10.2.2.2", "10.2.2.2"),
        ([INSIDE], "10.1.1.1", "' OR 1=1 --", "10.1.1.1"),
        # as some proxies write them
        ([INSIDE], "10.1.1.1", "198.51.100.1:4711", "198.51.100.1"),
        (["::1"], "::1", "[2001:db8::1]:443", "2001:db8::1"),
        (["127.0.0.1"], "::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_client_is_the_last_one_that_a_trusted_proxy_names(trusted, peer, forwarded, client):
    assert Proxies(trusted).client(peer, forwarded) == client


def test_only_a_trusted_proxy_says_which_scheme_the_browser_used():
    proxies = Proxies([INSIDE])
    assert proxies.protocol("10.1.1.1", "http", "https") == "https"
    assert proxies.protocol("203.0.113.7", "http", "https") == "http"
    assert proxies.protocol("10.1.1.1", "http", "http, https") == "https"
    assert proxies.protocol("10.1.1.1", "http", "gopher") == "http"


def test_what_is_no_network_is_refused():
    with pytest.raises(ConfigError, match="--trusted-proxy"):
        Proxies(["nginx"])
