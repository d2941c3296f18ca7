"""
Folder: the place of a store on disk, who may write there, and what can be wrong with it.

In:  a path. Out: a lock, the size of the map, errors.

Holds: one process writes; its lock goes when it ends, however it ends.
Not here: tables (`state.store`).
"""

import fcntl
import os
from pathlib import Path
from typing import IO


class StoreError(Exception):
    """The store cannot be used as it is."""


class StoreClosedError(StoreError):
    """The store was closed before this call."""


class StoreLockedError(StoreError):
    """Another process has the store open for writing."""


class StoreVersionError(StoreError):
    """The store was written by another version of its schema, or is not one of ours."""


class StoreChainError(StoreError):
    """The store belongs to another chain."""


class StoreFullError(StoreError):
    """The map has reached its largest size."""


class StateDamagedError(StoreError):
    """A leaf on disk is not one that the transition wrote."""


class StateRootMismatchError(StateDamagedError):
    """The leaves on disk do not give the root that was stored with them."""

    def __init__(self, path: Path, stored: bytes, computed: bytes) -> None:
        self.stored = stored
        self.computed = computed
        super().__init__(
            f"the state in {path} is damaged: its stored root is 0x{stored.hex()}, but its leaves "
            f"give 0x{computed.hex()}. Keep the folder for examination; then restore a backup of "
            "it, or move it away and start again: the state is rebuilt from L1."
        )


def take_lock(folder: Path) -> IO[str]:
    """Lock the folder for this process; the lock goes when the process ends."""
    lock = (folder / "writer.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read(32).strip() or "unknown"
        lock.close()
        raise StoreLockedError(
            f"{folder} is in use by another process (pid {owner}): stop it, "
            "or choose another folder"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def release(lock: IO[str] | None) -> None:
    """Give the lock back."""
    if lock is not None:
        lock.close()


def map_size_on_disk(folder: Path) -> int:
    """Return the least map size that holds what is there, a power of two."""
    data = folder / "data.mdb"
    size = data.stat().st_size if data.exists() else 0
    return 1 << max(size - 1, 1).bit_length()
