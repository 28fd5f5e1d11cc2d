"""Where a database file may lie: on a disk of this machine, in a folder of its owner's; and the secret beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import mkstemp

from sse_server.config import ConfigError

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        *("afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs"),
    }
)
"""File systems of other machines, as Linux names them; a FUSE one goes by what stands behind `fuse.`."""

_NETWORK_FUSE = frozenset({"ceph", "davfs", "gcsfuse", "glusterfs", "rclone", "s3fs", "sshfs"})
_ESCAPE = re.compile(r"\\([0-7]{3})")


def prepare(path: Path, mounts: Path = MOUNTS) -> Path:
    """Return the resolved path of a file that exists now, in a folder that exists; both are for their owner alone.

    A folder that was there keeps its mode. Raises ConfigError for a place where SQLite's write-ahead log cannot work:
    its index is memory that all processes share, which no network file system gives
    (https://sqlite.org/wal.html, section 1). Where the system does not tell what is mounted, nothing is refused.
    """
    path = path.expanduser().resolve()
    if (kind := network_file_system(str(path), _read(mounts))) is not None:
        raise ConfigError(
            f"the log {path} lies on a network file system ({kind}), where SQLite loses events. "
            "Choose a file on a local disk, or a Redis server."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error.strerror}. Choose another file.") from error
    return path


def kept_secret(path: Path, new: bytes) -> bytes:
    """Return the secret that is kept beside the log at `path`: `new`, in a file for its owner alone, if there is none.

    Of processes that start at once all get the same. Who can read that file can read every answer in the log. Raises
    ConfigError as `prepare` does, and for a file that is too short.
    """
    path = prepare(path)
    path = path.with_name(f"{path.name}-secret")
    try:
        if not path.exists():
            _write_once(path, new)
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot keep the secret {path}: {error.strerror}. Give one by --secret-file.") from error
    if len(secret) < len(new):
        raise ConfigError(f"the secret {path} is damaged. Remove the file: the next start makes another.")
    return secret


def _write_once(path: Path, data: bytes) -> None:
    """Make a file for its owner alone, whole or not at all, and not over what another process made meanwhile."""
    descriptor, draft = mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def network_file_system(path: str, mountinfo: str) -> str | None:
    """Return the name of the network file system on which a path lies, None for a local one.

    `mountinfo` is the text of Linux's /proc/self/mountinfo (proc_pid_mountinfo(5)). Of mounts at one place the last
    hides the others.
    """
    kind, longest = "", -1
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        fields = mount.split(" ")
        if len(fields) < 5 or not source:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if len(point) >= longest and f"{path}/".startswith(f"{point.rstrip('/')}/"):
            kind, longest = source.split(" ")[0], len(point)
    bare = kind.removeprefix("fuse.")
    return kind if kind in NETWORK or (bare != kind and bare in NETWORK | _NETWORK_FUSE) else None


def _read(mounts: Path) -> str:
    try:
        return mounts.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
