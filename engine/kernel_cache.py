"""Compiled kernels on disk, so that only the first start compiles.

numba's own cache (``cache=True``) is not used, for four reasons. It does not see that a kernel in
another file, inlined here, has changed. It fails the import where no folder can be written. It
takes a damaged file at its word, or fails at it. It does not tell code with bounds checks from
code without. Here:

- *One file a kernel and signature.* Its name is a digest of all that the code depends on (see
  `KernelCache`); a changed source makes another name. Nothing has to be compared or locked: a file
  is complete when it gets its name, and two processes that compile at once write the same.
- *A checksum.* What is cut, damaged or not ours counts as absent and is compiled anew.
- *Several folders* (`cache_folders`). A kernel is read from wherever it is found and kept where
  it can be. Where nothing can be written it stays in memory, which `KernelFiles.problem` tells.

As with any cache of code, whoever can write to the folder decides what runs.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import llvmlite
import numba
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["KernelCache", "KernelFiles", "cache_folders", "kernel_files", "source_stamp"]

_MAGIC: Final = b"marketcam kernel 1\n"
_HEAD: Final = len(_MAGIC) + hashlib.sha256().digest_size
_OPTIONS: Final = ("OPT", "BOUNDSCHECK", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DEBUGINFO_DEFAULT")
"""What numba can be told by its variables that changes the code it makes, beside the CPU."""
_HERE: Final = Path(__file__).parent


class KernelFiles:
    """The files of compiled kernels, in the first folders that will have them.

    Attributes:
        loaded: kernels that were found.
        compiled: kernels that were not.
        folder: where one was last found or kept, None before and where there is no such place.
        problem: why some could not be kept, None while all could.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.loaded = 0
        self.compiled = 0
        self.folder: Path | None = None
        self.problem: str | None = None
        self._folders = tuple(folders)

    def read(self, name: str) -> bytes | None:
        """Return what was kept under `name`; None where it is absent or not whole."""
        for folder in self._folders:
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            payload = content[_HEAD:]
            if content[:_HEAD] == _head(payload):
                self.folder = folder
                return payload
        return None

    def has(self, prefix: str) -> bool:
        """Return whether a kernel is kept whose name begins so."""
        return any(True for folder in self._folders for _ in folder.glob(f"{prefix}-*.kernel"))

    def write(self, name: str, payload: bytes) -> None:
        """Keep `payload` under `name`, in the first folder that can be written.

        `name` is ``title-stamp-key.kernel``; files of that title with other stamps are removed.
        """
        problems = []
        for folder in self._folders:
            try:
                _write_whole(folder, name, _head(payload) + payload)
            except OSError as error:
                problems.append(f"{folder}: {(error.strerror or str(error)).lower()}")
            else:
                self.folder = folder
                _remove_stale(folder, name)
                return
        self.problem = "; ".join(problems) or "there is no cache folder"


class KernelCache(NullCache):
    """What a dispatcher of numba asks before it compiles, and tells afterwards.

    A kernel depends on the sources of its module and of all it imports (`source_stamp`), on the
    argument types, on Python, numba, LLVM, the CPU, and on the options of the compiler.
    """

    def __init__(self, function: Callable[..., Any], files: KernelFiles | None = None) -> None:
        """Serve one kernel; `files` are the process's by default."""
        title = re.sub(r"[^\w.]", "_", f"{function.__module__}.{function.__qualname__}")
        # Now, not when it is first called: by then the file may be another than was imported.
        stamp = source_stamp(function.__module__, function.__code__.co_filename)
        self._prefix = None if stamp is None else f"{title}-{stamp}"
        self._files = files or kernel_files()

    @property
    def cache_path(self) -> str | None:
        """Where kernels are kept, as numba's `stats` tell it."""
        return None if self._files.folder is None else str(self._files.folder)

    @property
    def is_kept(self) -> bool:
        """Whether it was compiled before, from the sources of now, for whichever arguments."""
        return self._prefix is not None and self._files.has(self._prefix)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel for a signature, or None."""
        if self._prefix is None:
            return None
        target_context.refresh()
        payload = self._files.read(self._name(sig, target_context.codegen()))
        if payload is None:
            return None
        try:
            result = _unpickled(payload, target_context)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, compiling puts it right
            return None
        self._files.loaded += 1
        return result

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a kernel that was compiled."""
        self._files.compiled += 1
        if self._prefix is None or data.lifted or data.library.has_dynamic_globals:
            self._files.problem = f"{data.fndesc.qualname} draws on what no digest can tell"
        else:
            self._files.write(self._name(sig, data.codegen), _pickled(data))

    def _name(self, sig: Any, codegen: Any) -> str:
        options = [_option(name) for name in _OPTIONS]
        python = (sys.implementation.cache_tag, getattr(sys, "abiflags", ""))
        versions = (python, numba.__version__, llvmlite.__version__)
        key = repr((str(sig), versions, codegen.magic_tuple(), options))
        return f"{self._prefix}-{_digest(key.encode())}.kernel"


@cache
def kernel_files() -> KernelFiles:
    """Return the files that the kernels of this process share."""
    return KernelFiles(cache_folders(os.environ))


def cache_folders(environment: Mapping[str, str]) -> list[Path]:
    """Return where kernels are looked for and kept, the best place first.

    What ``NUMBA_CACHE_DIR`` names, and no other; else the package's own folder, then the user's
    cache folder (XDG). In those that others share, each installation has a folder of its own.
    """
    own = f"marketcam-{_digest(os.fsencode(_HERE))}"
    if given := _option("CACHE_DIR"):
        return [Path(given) / own]
    folders = [_HERE / "__pycache__"]
    if (users := _users_cache(environment)) is not None:
        folders.append(users / own)
    return folders


def _users_cache(environment: Mapping[str, str]) -> Path | None:
    given = Path(environment.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        return given
    with suppress(RuntimeError):  # there is no home
        home = Path.home()
        if home.is_absolute() and home.is_dir():
            return home / ".cache"
    return None


@cache
def source_stamp(module: str, path: str) -> str | None:
    """Return a digest of a module's source and of all it imports from its own top package or ours.

    What stands under ``if TYPE_CHECKING`` counts as well: rather once too often. None where the
    module has no source file.
    """
    pattern = _imports_of(frozenset({module.partition(".")[0], "marketcam"}))
    found: dict[str, bytes] = {}
    waiting = [(module, Path(path))]
    while waiting:
        name, file = waiting.pop()
        if name in found:
            continue
        source = _source(file)
        if source is None:
            return None
        found[name] = source.digest
        for imported in pattern.findall(source.text):
            waiting += _files_of(imported.decode())
    return _digest(b"".join(name.encode() + found[name] for name in sorted(found)))


class _Source(NamedTuple):
    text: bytes
    digest: bytes


@cache
def _source(path: Path) -> _Source | None:
    try:
        text = path.read_bytes()
    except OSError:
        return None
    return _Source(text, hashlib.sha256(text).digest())


@cache
def _imports_of(packages: frozenset[str]) -> re.Pattern[bytes]:
    names = "|".join(map(re.escape, sorted(packages)))
    return re.compile(
        rf"^[ \t]*(?:from|import)[ \t]+((?:{names})(?:\.\w+)*)".encode(), re.MULTILINE
    )


@cache
def _files_of(module: str) -> tuple[tuple[str, Path], ...]:
    """Return the source of a module; of a package, all its modules, any of which may be meant."""
    spec = None
    with suppress(ImportError, ValueError):
        spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ()
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        return ((module, origin),)
    return tuple((f"{module}.{file.stem}", file) for file in sorted(origin.parent.glob("*.py")))


def _option(name: str) -> Any:
    return getattr(config, name, None)


# The next two do what numba's own cache does, with the same private means.


def _pickled(compiled: Any) -> bytes:
    return bytes(dumps(compiled._reduce()))  # type: ignore[no-untyped-call] # noqa: SLF001


def _unpickled(payload: bytes, target_context: Any) -> Any:
    return CompileResult._rebuild(target_context, *pickle.loads(payload))  # type: ignore[no-untyped-call] # noqa: S301, SLF001


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


def _head(payload: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(payload).digest()


def _write_whole(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    unnamed = folder / f"{name}.{os.getpid()}.tmp"
    try:
        unnamed.write_bytes(content)
        unnamed.replace(folder / name)
    except OSError:
        with suppress(OSError):
            unnamed.unlink()
        raise


def _remove_stale(folder: Path, name: str) -> None:
    title, stamp, _ = name.rsplit("-", 2)
    with suppress(OSError):
        for other in folder.glob(f"{title}-*"):
            if not other.name.startswith(f"{title}-{stamp}-"):
                other.unlink()
