"""Settings: flags before environment before file, and a clear word for each that does not fit."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from sse_server.config import ENV_PREFIX, Config, ConfigError, read_config
from sse_server.guards.credentials import read_secret, read_tokens

EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is refused, or never listened on


def from_file(tmp_path, text):
    path = tmp_path / "server.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_the_defaults_are_those_of_the_design():
    config = read_config([], {})
    assert config == Config()
    assert (config.host, config.port, config.model, config.log) == ("127.0.0.1", 8765, "local", "memory")
    assert (config.heartbeat_s, config.max_question_length) == (20.0, 10_000)
    assert not config.authenticated
    assert read_tokens(config) == []


def test_flags_go_before_the_environment_and_the_environment_before_the_file(tmp_path):
    path = from_file(tmp_path, 'port = 1\nheartbeat_s = 1\nmodel = "synthetic:"\n')
    environment = {"SSE_SERVER_PORT": "2", "SSE_SERVER_HEARTBEAT_S": "2", "SSE_SERVER_CONFIG": path}
    config = read_config(["--port", "3"], environment)
    assert (config.port, config.heartbeat_s, config.model) == (3, 2.0, "synthetic:")
    other = from_file(tmp_path / "..", "port = 9\n")
    assert read_config(["--config", other], {"SSE_SERVER_CONFIG": path}).port == 9


FLAGS = [field.name for field in msgspec.structs.fields(Config) if field.name != "tokens"]


@pytest.mark.parametrize("field", FLAGS)
def test_every_setting_has_its_flag_its_variable_and_its_key(tmp_path, field):
    value = {
        "host": "localhost",
        "log": "memory",
        "workers": "1",
        "log_format": "json",
        "allow_origin": "http://a:1",
        "openai_url": "http://a:1/v1",
        "anthropic_url": "https://b",
        "allow_faults": True,
        "insecure": True,
        "print_link": True,
        "exit_with_stdin": True,
    }
    raw = value.get(field, "7")
    flag = f"--{field.replace('_', '-')}"
    by_flag = read_config([flag] if raw is True else [flag, raw], {})
    by_variable = read_config([], {ENV_PREFIX + field.upper(): "1" if raw is True else raw})
    toml = (
        f"{field} = true"
        if raw is True
        else f'{field} = ["{raw}"]'
        if field.startswith("allow_") or field == "trusted_proxy"
        else f'{field} = "{raw}"'
    )
    by_key = read_config(["--config", from_file(tmp_path, toml)], {})
    assert by_flag == by_variable == by_key
    # More than one worker need another log; test_workers.py gives both.
    assert (by_flag != Config()) == (field not in {"log", "workers"})


def test_tokens_come_from_the_environment_but_not_from_the_command_line(tmp_path):
    config = read_config([], {"SSE_SERVER_TOKENS": "alice a1\nbob b1\n\n# both of hers\nalice a2"})
    assert read_tokens(config) == [("alice", "a1"), ("bob", "b1"), ("alice", "a2")]
    assert read_tokens(read_config([], {"SSE_SERVER_TOKENS": "bare"})) == [("owner", "bare")]
    with pytest.raises(SystemExit):
        read_config(["--tokens", "bare"], {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alice", None),
        ("alice a\nbob", "entry 2 is not"),
        ("alice a b", "entry 1"),
        ("al:ice a", "A name has 1 to 64"),
        ("jwt:alice a", "A name has"),
        ("alice same\nbob same", "alice and bob have the same token"),
        ("# nothing\n", "is empty"),
    ],
)
def test_a_token_file_that_does_not_fit_is_refused_without_repeating_it(tmp_path, text, says):
    path = tmp_path / "tokens"
    path.write_text(text, "utf-8")
    config = read_config(["--token-file", str(path)], {})
    if says is None:
        assert read_tokens(config) == [("owner", text)]
        return
    with pytest.raises(ConfigError, match=says) as refused:
        read_tokens(config)
    assert "same\n" not in str(refused.value)


def test_a_secret_is_long_or_made_anew(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef" * 2 + b"\n")
    config = read_config(["--secret-file", str(path)], {})
    assert read_secret(config) == b"0123456789abcdef" * 2
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="holds 5 bytes"):
        read_secret(config)
    assert read_secret(Config()) != read_secret(Config())


def test_several_origins():
    want = ("http://a:1", "http://b:*")
    assert read_config(["--allow-origin", want[0], "--allow-origin", want[1]], {}).allow_origin == want
    assert read_config([], {"SSE_SERVER_ALLOW_ORIGIN": ",".join(want)}).allow_origin == want


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--port", "eighty"], "port"),
        (["--port", "65536"], "from 0 to 65535; got 65536"),
        (["--port", "-1"], "from 0 to 65535"),
        (["--log", "paper"], "'paper' is not known"),
        (["--log", "sqlite:"], "sqlite:FILE"),
        (["--max-log-bytes", "0"], "max_log_bytes"),
        (["--heartbeat-s", "0"], "greater than zero"),
        (["--heartbeat-s", "-1"], "greater than zero"),
        (["--heartbeat-s", "nan"], "finite"),
        (["--heartbeat-s", "inf"], "finite"),
        (["--send-timeout-s", "nan"], "finite"),
        (["--unread-limit-s", "0"], "greater than zero"),
        (["--expire-s", "soon"], "expire_s"),
        (["--max-runs", "0"], "max_runs"),
        (["--max-connections", "0"], "max_connections"),
        (["--max-streams", "0"], "max_streams"),
        (["--max-question-length", "0"], "max_question_length"),
        (["--max-runs", "1.5"], "max_runs"),
        (["--upstream-retries", "11"], "from 0 to 10; got 11"),
        (["--upstream-idle-timeout-s", "0"], "greater than zero"),
        (["--max-synthetic-tokens", "0"], "max_synthetic_tokens"),
        (["--openai-url", "localhost:11434"], "openai_url must be an address"),
        (["--openai-url", "https://"], "openai_url must be an address"),
        (["--openai-url", "ftp://host/v1"], "openai_url must be an address"),
        (["--openai-url", "http://host:99999/v1"], "openai_url must be an address"),
        (["--anthropic-url", "https://host/?key=1"], "anthropic_url must be an address"),
        (["--host", EVERYWHERE], "--insecure"),
        (["--host", "::"], "--insecure"),
        (["--host", ""], "--insecure"),
        (["--host", "192.0.2.1"], "can be reached from other machines"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(flags, says):
    with pytest.raises(ConfigError, match=says):
        read_config(flags, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = ", "cannot read"),
        ("prot = 1", "unknown key 'prot'; known are"),
        ("port = [1]", "port"),
        ('allow_origin = "http://a:1"', "allow_origin"),
        ("config = 'x'", "unknown key"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        read_config(["--config", from_file(tmp_path, text)], {})


def test_files_that_cannot_be_read(tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    empty = tmp_path / "empty"
    empty.write_text(" \n", "utf-8")
    with pytest.raises(ConfigError, match="cannot read the config file"):
        read_config(["--config", str(tmp_path / "missing")], {})
    with pytest.raises(ConfigError, match="cannot read the config file"):
        read_config(["--config", str(binary)], {})
    for path, says in (
        (tmp_path / "missing", "cannot read"),
        (binary, "cannot read"),
        (empty, "is empty"),
        (tmp_path, "cannot"),
    ):
        with pytest.raises(ConfigError, match=says):
            read_tokens(read_config(["--token-file", str(path)], {}))


def test_other_machines_are_let_in_with_a_token_or_when_it_is_said(tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n", "utf-8")
    config = read_config(["--host", EVERYWHERE, "--token-file", str(token)], {})
    assert read_tokens(config) == [("owner", "secret")]
    assert read_config(["--host", EVERYWHERE], {"SSE_SERVER_TOKENS": "secret"}).authenticated
    assert read_config(["--host", EVERYWHERE, "--jwt-key-file", str(token)], {}).authenticated
    assert read_config(["--host", EVERYWHERE, "--insecure"], {}).insecure
    for host in ("localhost", "127.0.0.1", "::1"):
        assert read_config(["--host", host], {}).on_loopback


def run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "sse_server", *flags], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--port", "x"], "a setting is not valid"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--model", "gpt-9", "--port", "0"], 'The model "gpt-9" is not offered here'),
        (["--model", "synthetic:speed=1", "--port", "0"], 'no parameter "speed"'),
        (["--host", EVERYWHERE], "--insecure"),
        (["--host", "192.0.2.1", "--insecure", "--model", "synthetic:"], "cannot listen"),
        (["--token-file", "/nonexistent", "--model", "synthetic:"], "cannot read the token file"),
    ],
)
def test_the_program_says_what_is_wrong_and_ends(flags, says):
    done = run(*flags)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_names_every_flag_with_its_meaning():
    done = run("--help")
    assert done.returncode == 0
    for name in FLAGS:
        assert f"--{name.replace('_', '-')}" in done.stdout
    assert "--tokens" not in done.stdout, "everyone on the machine can see a command line"
