"""What names this machine since its start: processes with the same name share a monotonic clock."""

from __future__ import annotations

import secrets
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> str:
    try:
        return BOOT.read_text("ascii").strip()
    except OSError:
        return secrets.token_hex(16)  # then each process is a machine of its own


MACHINE = _boot_id()
