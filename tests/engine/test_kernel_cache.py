"""The kernel cache: what it takes into account and what it survives, in real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from marketcam.engine.kernel_cache import KernelFiles, cache_folders
from tests.conftest import INTERPRETED

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINE = Path(__file__).parent.parent.parent / "engine"
NAME = "module.kernel-stamp-key.kernel"
PAYLOAD = bytes(range(256))
compiling = pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")

CALLEE = """
from marketcam.engine.jit import kernel

@kernel
def doubled(x):
    return 2 * x
"""
CALLER = """
from marketcam.engine.jit import kernel
from probe.callee import doubled

@kernel
def answer(x):
    return doubled(x) + 1
"""
PROGRAM = """
import json, resource, sys
import numba
before = (numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES)
from probe.caller import answer
from marketcam.engine.kernel_cache import kernel_files
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
value = answer(20)
assert (numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES) == before
files = kernel_files()
print(json.dumps([value, files.compiled, files.loaded, str(files.folder), files.problem]))
"""


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: b"",
    lambda content: content[: len(content) // 2],
    lambda content: bytes(len(content)),
    lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    lambda content: b"something else\n" + content,
    lambda content: whole(b"not a pickle"),
)


def whole(payload: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        KernelFiles([Path(folder)]).write(NAME, payload)
        return (Path(folder) / NAME).read_bytes()


class Outcome(NamedTuple):
    value: int
    compiled: int
    loaded: int
    folder: str
    problem: str | None


class Installation:
    """The engine, installed in a folder, and beside it two modules with a kernel each."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.engine = self.site / "marketcam" / "engine"
        self.home = folder / "home"
        self.home.mkdir()
        shutil.copytree(ENGINE, self.engine, ignore=shutil.ignore_patterns("__pycache__"))
        (self.site / "probe").mkdir()
        self.write("callee", CALLEE)
        self.write("caller", CALLER)

    @property
    def cache(self) -> Path:
        return self.engine / "__pycache__"

    def write(self, module: str, source: str) -> None:
        (self.site / "probe" / f"{module}.py").write_text(source)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
        own = {"PYTHONPATH": str(self.site), "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env=kept | own | variables,
            cwd=self.site,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> Outcome:
        return finish(self.start(*arguments, **variables))


def finish(process: subprocess.Popen[str]) -> Outcome:
    out, _ = process.communicate()
    assert process.returncode == 0
    return Outcome(*json.loads(out))


def kernels(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.kernel"))


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@compiling
def test_only_the_first_start_compiles(installed: Installation) -> None:
    first, second = installed.run(), installed.run()
    assert first == (41, 2, 0, str(installed.cache), None)  # the callee is compiled for its caller
    assert second == (41, 0, 1, str(installed.cache), None)
    assert len(kernels(installed.cache)) == 2


@compiling
def test_an_edit_in_another_file_is_seen(installed: Installation) -> None:
    installed.run()
    installed.write("callee", CALLEE.replace("2 * x", "3 * x"))
    assert installed.run()[:3] == (61, 2, 0)
    assert len(kernels(installed.cache)) == 2, "what is stale is removed"
    assert installed.run()[:3] == (61, 0, 1)


@compiling
def test_an_edit_behind_an_import_is_seen(installed: Installation) -> None:
    installed.write("constant", "FACTOR = 4\n")
    source = CALLEE.replace("2 * x", "FACTOR * x")
    installed.write("callee", source + "from probe.constant import FACTOR\n")
    assert installed.run().value == 81
    installed.write("constant", "FACTOR = 5\n")
    assert installed.run()[:3] == (101, 2, 0)


@compiling
def test_an_edit_elsewhere_compiles_nothing(installed: Installation) -> None:
    installed.run()
    installed.write("other", "nothing = 0\n")
    market = installed.engine / "market.py"
    market.write_text(market.read_text() + "\nchanged = True\n")
    assert installed.run()[:3] == (41, 0, 1)


@compiling
def test_options_of_the_compiler_have_kernels_of_their_own(installed: Installation) -> None:
    installed.run()
    assert installed.run(NUMBA_BOUNDSCHECK="1")[:3] == (41, 2, 0)
    assert installed.run()[:3] == (41, 0, 1)


@compiling
def test_a_damaged_file_is_compiled_anew(installed: Installation) -> None:
    installed.run()
    for damaged in DAMAGES:
        for file in kernels(installed.cache):
            content = file.read_bytes()
            assert damaged(content) != content
            file.write_bytes(damaged(content))
        assert installed.run()[:3] == (41, 2, 0)
    assert installed.run()[:3] == (41, 0, 1)


@compiling
def test_numbas_variable_names_the_folder(installed: Installation, tmp_path: Path) -> None:
    named = tmp_path / "named"
    outcome = installed.run(NUMBA_CACHE_DIR=str(named))
    assert Path(outcome.folder).parent == named
    assert not installed.cache.exists()
    assert installed.run(NUMBA_CACHE_DIR=str(named)).compiled == 0


@compiling
def test_the_users_folder_serves_where_the_packages_own_cannot_be_written(
    installed: Installation, tmp_path: Path
) -> None:
    installed.cache.write_text("a file: not even root makes a folder of it")
    assert Path(installed.run().folder).is_relative_to(installed.home / ".cache")
    assert installed.run().compiled == 0
    outcome = installed.run(XDG_CACHE_HOME=str(tmp_path / "xdg"))
    assert Path(outcome.folder).parent == tmp_path / "xdg"


@compiling
def test_kernels_stay_in_memory_where_nothing_can_be_written(installed: Installation) -> None:
    installed.cache.write_text("a file")
    installed.home.rmdir()
    outcome = installed.run()
    assert outcome[:4] == (41, 2, 0, "None")
    assert outcome.problem is not None
    assert str(installed.cache) in outcome.problem
    assert not installed.home.exists(), "nobody's home is made"


@compiling
def test_a_full_disk_costs_the_next_start_only(installed: Installation) -> None:
    outcome = installed.run("1000")  # bytes a file may have
    assert outcome[:4] == (41, 2, 0, "None")
    assert outcome.problem is not None
    assert "file too large" in outcome.problem
    assert list(installed.cache.iterdir()) == []
    assert installed.run()[:3] == (41, 2, 0)


@compiling
def test_a_cache_that_cannot_be_written_is_still_read(installed: Installation) -> None:
    installed.run()
    assert installed.run("1000") == (41, 0, 1, str(installed.cache), None)


@compiling
def test_processes_that_compile_at_once(installed: Installation) -> None:
    racing = [installed.start() for _ in range(3)]
    assert [finish(process).value for process in racing] == [41, 41, 41]
    assert installed.run()[:3] == (41, 0, 1)
    assert [file.suffix for file in installed.cache.iterdir()] == [".kernel"] * 2


def test_what_is_written_is_read(tmp_path: Path) -> None:
    files = KernelFiles([tmp_path / "new" / "folder"])
    assert files.read(NAME) is None
    files.write(NAME, PAYLOAD)
    assert files.read(NAME) == PAYLOAD
    assert (files.folder, files.problem) == (tmp_path / "new" / "folder", None)


def test_every_cut_and_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    files = KernelFiles([tmp_path])
    files.write(NAME, PAYLOAD)
    whole = (tmp_path / NAME).read_bytes()
    for at in range(len(whole)):
        (tmp_path / NAME).write_bytes(whole[:at])
        assert files.read(NAME) is None
        (tmp_path / NAME).write_bytes(whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        assert files.read(NAME) is None


def test_what_is_stale_goes_and_what_is_not_stays(tmp_path: Path) -> None:
    files = KernelFiles([tmp_path])
    others = ["module.kernel-stamp-other.kernel", "module.kernels-old-key.kernel", "unrelated.pyc"]
    for name in (*others, "module.kernel-old-key.kernel"):
        (tmp_path / name).touch()
    files.write(NAME, PAYLOAD)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([NAME, *others])


def test_without_folders_the_problem_is_told() -> None:
    files = KernelFiles([])
    files.write(NAME, PAYLOAD)
    assert files.problem == "there is no cache folder"
    assert files.read(NAME) is None


def test_a_relative_user_folder_does_not_count(tmp_path: Path) -> None:
    assert cache_folders({"XDG_CACHE_HOME": "somewhere"}) == cache_folders({})
    users = cache_folders({"XDG_CACHE_HOME": str(tmp_path)})[-1]
    assert users.parent == tmp_path
