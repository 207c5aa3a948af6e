"""One point in a process of its own, so that the memory it reports is its own.

`measure_apart` starts `python -m marketcam.server.profiling.child`, writes the point to its
standard input as a line of JSON, and reads the answer from what was its standard output when it
began; what is printed goes to its standard error. The input stays open: when it ends, the asking
process is gone, and the child ends too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final

from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.measure import Figures, measure, prepare
from marketcam.server.profiling.points import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main", "measure_apart", "prepare_apart"]

_COMMAND: Final = [sys.executable, "-P", "-m", "marketcam.server.profiling.child"]
_PREPARE: Final = {"prepare": True}
_ORPHANED: Final = 1


def measure_apart(point: Point) -> Figures:
    """Measure one point in a fresh process; it is ended when this is left by an exception.

    Raises:
        PointError: it cannot be measured, or its process has died; says why.
    """
    return Figures.from_json(_asked({"point": point.to_json()}))


def prepare_apart() -> None:
    """Have a process compile all kernels, so that those of the points find them on disk.

    Raises:
        PointError: it has died; says why.
    """
    _asked(_PREPARE)


def _asked(question: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as said, _started(said) as process:
        assert process.stdin is not None  # noqa: S101 - asked for
        assert process.stdout is not None  # noqa: S101 - asked for
        with suppress(BrokenPipeError):  # it has died already; what it said is read below
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise PointError(_obituary(process, said), lasting=False)
    answer = _parsed(line)
    if "reason" in answer:
        raise PointError(answer["reason"], lasting=answer["lasting"])
    return dict(answer["figures"])


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
        known = isinstance(answer, dict) and ("reason" in answer or "figures" in answer)
    except ValueError:
        known = False
    if not known:
        raise PointError(f"its process answered what is no answer: {line[:80]!r}", lasting=False)
    return dict(answer)


@contextmanager
def _started(said: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child, not in the terminal's group: Ctrl-C is for the process that asks."""
    process = subprocess.Popen(  # noqa: S603 - this very program
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what a child that died has not read
                    pipe.close()


def _obituary(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """Say what a child died of: the signal, or its last words."""
    code = process.wait()
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    said.seek(0)
    words = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    return f"its process ended with exit code {code}: {words[-1] if words else 'it said nothing'}"


def main() -> int:
    """Answer one question from standard input; the process is used for nothing else."""
    pipe = _answer_pipe()
    question = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_when_orphaned, name="orphaned", daemon=True).start()
    with pipe:
        pipe.write(json.dumps(_answer(question)).encode() + b"\n")
    return 0


def _answer_pipe() -> IO[bytes]:
    """Return standard output as the answer's own; have what else is printed go to stderr."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        if question == _PREPARE:
            prepare()
            return {"figures": {}}
        return {"figures": measure(Point.from_json(question["point"])).to_json()}
    except PointError as error:
        return {"reason": str(error), "lasting": error.lasting}


def _leave_when_orphaned() -> None:
    sys.stdin.buffer.read()  # ends when the process that asks has closed it, or died
    os._exit(_ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
