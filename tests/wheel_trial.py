"""The wheel, tried as a user has it: installed afresh under each Python that there is, and run.

Run as a program (`make wheel-test`), it builds the wheel into build/wheel, and for each Python
makes a new environment there, installs the pinned dependencies and the wheel, starts a camera in an
empty folder, asks it for its page, its health, a schema and a frame, and stops it. A Python that
the machine does not have is named; with none at all, or any failure, it exits with 1.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conforming import CheckedClient
from tests.readme_blocks import ROOT
from tests.server_helpers import PATIENCE, open_stream, receive_until

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("3.11", "3.12", "3.13")
WORK = ROOT / "build" / "wheel"
PACKAGES = ("engine", "io", "server")
SERVE = ("serve", "--port", "0", "--agents", "20", "--tick-rate", "500", "--W", "20")


def python_of(version: str) -> Path | None:
    """Return an interpreter of a version: on the path, or one that pyenv has."""
    named = shutil.which(f"python{version}")
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    candidates = [*([Path(named)] if named else []), *kept]
    return next((path for path in candidates if version_of(path) == version), None)


def version_of(python: Path) -> str | None:
    """Return the version of an interpreter that can make environments; None if it is none."""
    say = "import sys, ensurepip, ssl; print('.'.join(map(str, sys.version_info[:2])))"
    said = subprocess.run([python, "-c", say], capture_output=True, text=True, check=False)
    return said.stdout.strip() if said.returncode == 0 else None


def build() -> Path:
    """Build the wheel, from nothing that an earlier build has left."""
    for left in (WORK / "dist", ROOT / "build" / "lib", *(ROOT / "build").glob("bdist.*")):
        shutil.rmtree(left, ignore_errors=True)
    pip(
        Path(sys.executable),
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        WORK / "dist",
        ROOT,
    )
    (wheel,) = (WORK / "dist").glob("*.whl")
    return wheel


def pip(python: Path, *arguments: str | Path) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def missing_from(wheel: Path) -> list[str]:
    """Return the files of the packages that the wheel lacks."""
    listed = ["git", "ls-files", *PACKAGES]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    held = set(zipfile.ZipFile(wheel).namelist())
    return [name for name in files.splitlines() if f"marketcam/{name}" not in held]


def installed(python: Path, version: str, wheel: Path) -> Path:
    """Make a new environment with the wheel and what it needs; return its scripts' folder."""
    folder = WORK / version
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    scripts = folder / "bin"
    pinned = ROOT / "requirements" / "run.lock"
    pip(scripts / "python", "install", "--no-deps", "--require-hashes", "-r", pinned)
    pip(scripts / "python", "install", "--no-deps", wheel)
    return scripts


@contextmanager
def camera(scripts: Path, folder: Path) -> Iterator[str]:
    """Run a camera until the block ends, then have it end in order; yield its address."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("IG_", "PYTHON"))
    }
    kernels = WORK / f"kernels-{scripts.parent.name}"
    environment = ours | {"NUMBA_CACHE_DIR": str(kernels), "IG_CAM_STORE_DIR": str(folder / "data")}
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [scripts / "marketcam", *SERVE],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = next(
            (line.split()[2] for line in process.stdout if line.startswith("listening")), ""
        )
        assert address, (folder / "log").read_text()
        yield address
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()


def look(address: str) -> None:
    """Ask a camera for its page, its health, a schema and a frame."""
    with CheckedClient(base_url=address, timeout=PATIENCE, trust_env=False) as http:
        page = http.get("/viewer/")
        assert page.status_code == 200, f"/viewer/ is answered with {page.status_code}"
        assert page.headers["content-type"].startswith("text/html")
        assert http.get("/health").json()["ok"] is True
        assert http.get("/schemas/frame.json").json()["title"] == "Frame"
    with open_stream(f"ws{address.removeprefix('http')}/ws/stream") as stream:
        assert len(receive_until(stream, "frame", 20)[-1]["nodes"]) == 20


def try_under(version: str, python: Path, wheel: Path) -> None:
    """Install and run the wheel under one Python."""
    with tempfile.TemporaryDirectory() as folder:
        with camera(installed(python, version, wheel), Path(folder)) as address:
            look(address)
        assert list(Path(folder).glob("data/frames/segment_*.jsonl.zst"))


def main() -> int:
    """Try the wheel under all Pythons there are; return the exit code."""
    wheel = build()
    missing = missing_from(wheel)
    assert not missing, f"not in the wheel: {', '.join(missing)}"
    found = {version: python_of(version) for version in VERSIONS}
    for version, python in found.items():
        if python is None:
            print(f"Python {version}: not on this machine, not tried", flush=True)
            continue
        began = time.monotonic()
        try_under(version, python, wheel)
        print(
            f"Python {version}: installed, run, stopped ({time.monotonic() - began:.0f} s)",
            flush=True,
        )
    return 0 if any(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
