"""What a disk has to be told so that a store survives a power cut and a second process."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "create_file",
    "cut_file",
    "free_path",
    "link_file",
    "lock_if_free",
    "locked_folder",
    "make_folder",
    "open_or_create",
    "overwrite",
    "rename_file",
    "replace_whole",
    "same_file",
    "set_date",
    "share",
    "sync_data",
    "sync_file",
    "sync_folder",
    "wait_for_lock",
    "write_all",
]

_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte to an unbuffered file: one write may take fewer, as on a filling disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(file.fileno(), view) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: syncing a file does not sync its name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, durably; nothing where it exists."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def replace_whole(path: Path, data: bytes) -> None:
    """Replace a file's contents so that every reader, at any moment, sees the old or the new."""
    new = path.with_name(path.name + ".new")
    with new.open("wb", buffering=0) as file:
        write_all(file, data)
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder's lock: one holder at a time, over all threads and processes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # unlocks


def wait_for_lock(file: BinaryIO) -> None:
    """Lock an open file until it is closed, or its process ends however it may."""
    fcntl.flock(file.fileno(), fcntl.LOCK_EX)


def lock_if_free(file: BinaryIO) -> bool:
    """Lock an open file as `wait_for_lock` does; False where another holds it."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def same_file(file: BinaryIO, path: Path) -> bool:
    """Return whether `path` still names the file that was opened."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def free_path(path: Path, infix: str) -> Path:
    """Return the first of `<stem>.<infix>-1<suffix>`, `-2`, … that does not exist."""
    number = 1
    while (free := path.with_name(f"{path.stem}.{infix}-{number}{path.suffix}")).exists():
        number += 1
    return Path(free)


def open_or_create(path: Path) -> BinaryIO:
    """Open a file to read and write, unbuffered, where it stands; make it where there is none."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", 0)


def create_file(path: Path) -> BinaryIO:
    """Make a file that nobody has made yet, unbuffered; FileExistsError where somebody has."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "r+b", 0)


def cut_file(file: BinaryIO, size: int) -> None:
    """Cut a file off after `size` bytes, and go on writing there."""
    os.ftruncate(file.fileno(), size)
    os.lseek(file.fileno(), size, os.SEEK_SET)


def sync_file(file: BinaryIO) -> None:
    """Wait until the disk has a file, its size and its date."""
    os.fsync(file.fileno())


def sync_data(file: BinaryIO) -> None:
    """Wait until the disk has what can be read from a file; not its date."""
    os.fdatasync(file.fileno())


def set_date(file: BinaryIO, seconds: int) -> None:
    """Give an open file a date of modification, in seconds since 1970."""
    os.utime(file.fileno(), (seconds, seconds))


def rename_file(path: Path, target: Path) -> None:
    """Give a file another name, atomically; it replaces what had that name."""
    os.replace(path, target)  # noqa: PTH105 - every step of this module is one of `os`


def link_file(path: Path, target: Path) -> None:
    """Give a file a second name; FileExistsError where another has it."""
    os.link(path, target)


def overwrite(file: BinaryIO, data: bytes, at: int) -> None:
    """Put bytes in the place of others in a file, without going there."""
    os.pwrite(file.fileno(), data, at)


def share(file: BinaryIO | int) -> None:
    """Keep an open file from being removed by retention, until it is closed; readers share it.

    Where the file system knows no locks, retention cannot take one either.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
