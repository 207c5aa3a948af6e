"""Disks that fail: processes that die between two file-system steps, and power that is lost.

Every step of the store's that changes a disk is a call of `os` in `marketcam.io.store.files`.
`DyingOs` stands in for it there.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from marketcam.io.store import files

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

STEPS = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "utime",
    "fsync",
    "fdatasync",
    "replace",
    "link",
    "unlink",
)


class Died(BaseException):
    """What a process that has died does next: nothing, whoever waits for it."""


class DyingOs:
    """Counts the steps; at step number `at` the process dies, before it, within it or after it.

    Attributes:
        steps: the steps begun so far.
    """

    def __init__(self, at: int, how: Literal["before", "within", "after"] = "before") -> None:
        self.steps = 0
        self._at = at
        self._how = how
        self._is_dead = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "os", self)

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def step(*arguments: Any, **options: Any) -> Any:
            return self._step(name, real, arguments, options)

        return step

    def done(self, name: str, result: Any, arguments: tuple[Any, ...]) -> None:
        """Be told of a step that is done."""

    def _step(
        self, name: str, real: Callable[..., Any], arguments: tuple[Any, ...], options: Any
    ) -> Any:
        if self._is_dead:
            raise Died
        number, self.steps = self.steps, self.steps + 1
        is_last = number == self._at
        if is_last and self._how != "after":
            self._is_dead = True
            if self._how == "within" and name == "write":
                descriptor, data = arguments
                real(descriptor, bytes(data)[: len(data) // 2])
            raise Died
        result = real(*arguments, **options)
        self.done(name, result, arguments)
        if is_last:
            self._is_dead = True
            if name == "open":
                os.close(result)
            raise Died
        return result


class PowerLoss(DyingOs):
    """Knows which bytes and which names the disk has for sure when the power is lost.

    A file has what it had at its last sync; a folder names what it named at its last sync. Of
    what came after, a disk may have any part: `rebuild` can take the names, and the sizes, too.
    """

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(at)
        self._root = root
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}

    def done(self, name: str, result: Any, arguments: tuple[Any, ...]) -> None:
        if name == "open" and arguments[1] & os.O_CREAT:
            if os.fstat(result).st_size == 0:
                self._files.pop(os.fstat(result).st_ino, None)  # the number of one that is gone
        elif name in ("fsync", "fdatasync"):
            self._synced(arguments[0])

    def _synced(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}")
        if stat.S_ISDIR(status.st_mode):
            self._folders[status.st_ino] = names_in(path.resolve())
        else:
            self._files[status.st_ino] = path.read_bytes()

    def rebuild(self, target: Path, *, names: str, rest: str) -> None:
        """Build in `target` what is found when the power is back.

        Args:
            target: an empty folder.
            names: ``"synced"`` for those that are sure, ``"all"`` for all that were given.
            rest: what there is of unsynced bytes: ``"nothing"``, ``"zeros"`` or ``"all"``.
        """
        self._rebuild(self._root, target, names, rest)

    def _rebuild(self, live: Path, target: Path, names: str, rest: str) -> None:
        target.mkdir(exist_ok=True)
        now = names_in(live)
        sure = self._folders.get(live.stat().st_ino, {})
        by_number = {number: live / name for name, number in now.items()}
        for name, number in (now if names == "all" else sure).items():
            path = by_number.get(number)
            if path is not None and path.is_dir():
                self._rebuild(path, target / name, names, rest)
            else:
                (target / name).write_bytes(self._contents(number, path, rest))

    def _contents(self, number: int, path: Path | None, rest: str) -> bytes:
        sure = self._files.get(number, b"")
        current = sure if path is None else path.read_bytes()
        if rest == "all":
            return current
        return sure + bytes(max(0, len(current) - len(sure))) if rest == "zeros" else sure


def names_in(folder: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}
