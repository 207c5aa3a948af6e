"""Network namespaces of a test's own: machines on a cable each, which can be pulled."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tests.nats_helpers import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = TypeVar("Value")

_NEW_NETWORK = 0x40000000
IN_NAMESPACE = """\
import sys
from tests.namespaces import enter
from marketcam.server.cli import main
enter(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""
"""A program for ``python -c``: the command line of `marketcam`, in a namespace."""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def enter(name: str) -> None:
    """Have the calling thread, and those that it begins, live in a namespace."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)


def within(name: str, work: Callable[[], Value]) -> Value:
    """Return what is done in a namespace, by a thread of its own; sockets stay of there."""
    done: list[Any] = []

    def run() -> None:
        try:
            enter(name)
            done.append((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            done.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = done[0]
    if error is not None:
        raise error
    result: Value = value
    return result


class Star:
    """A namespace in the middle, and others around it, on a cable each.

    Attributes:
        middle: name of the one in the middle.
        around: names of the others.
    """

    def __init__(self, count: int) -> None:
        self.middle = f"mc{os.getpid()}"
        self.around = [f"{self.middle}e{number}" for number in range(count)]

    def build(self) -> None:
        for name in (self.middle, *self.around):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for number, name in enumerate(self.around):
            ends = ("-n", self.middle, "link", "add", f"to{number}", "type", "veth")
            ip(*ends, "peer", "name", "up0", "netns", name)
            ip("-n", self.middle, "addr", "add", f"{self.address(number)}/24", "dev", f"to{number}")
            ip("-n", name, "addr", "add", f"10.77.{number}.2/24", "dev", "up0")
            ip("-n", name, "link", "set", "up0", "up")
            self.plug(number)

    def address(self, number: int) -> str:
        """Return where one of those around finds the middle."""
        return f"10.77.{number}.1"

    def pull(self, number: int) -> None:
        """Pull a cable: nothing gets through, and nobody is told."""
        ip("-n", self.middle, "link", "set", f"to{number}", "down")

    def plug(self, number: int) -> None:
        ip("-n", self.middle, "link", "set", f"to{number}", "up")

    def remove(self) -> None:
        for name in (self.middle, *self.around):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def star(count: int) -> Iterator[Star]:
    """Make namespaces, until the block ends; skip the test where that cannot be done."""
    if shutil.which("ip") is None:
        missing("no ip is installed (Debian: iproute2)")
    made = Star(count)
    try:
        try:
            made.build()
        except subprocess.CalledProcessError as error:
            missing(f"no network namespaces can be made: {error.stderr.decode().strip()}")
        yield made
    finally:
        made.remove()
