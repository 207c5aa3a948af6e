"""Finding a simulator's class, and the class of its states, by name in a folder."""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from marketcam.io.sources.errors import SimulatorError, on_one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = ["SimulatorClass"]

_SPELLING: Final = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<class>[^\W\d]\w*)")
_STATE_MODULE: Final = "state_engine"
_STATE_CLASS: Final = "MarketState"


class SimulatorClass:
    """A simulator named ``"module:Class"``, its modules looked for in a folder first.

    Modules that import each other by package (``core_system.state_engine``) are found, and those
    that do by bare name (``state_engine``), as if run as scripts.
    """

    def __init__(self, name: str, folder: str | os.PathLike[str] | None = None) -> None:
        """Check the spelling and the folder; nothing is imported yet.

        Raises:
            SimulatorError: the name is not spelled ``module:Class``, or there is no such folder.
        """
        spelled = _SPELLING.fullmatch(name)
        if spelled is None:
            raise SimulatorError(f"simulator must be spelled 'module:Class', got {name!r}")
        if folder is not None and not Path(folder).is_dir():
            raise SimulatorError(f"path must be a folder, got {str(folder)!r}")
        self.name = name
        self._module_name = spelled["module"]
        self._class_name = spelled["class"]
        self._folder = None if folder is None else Path(folder).resolve()

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Have the folder at the front of `sys.path`, its package's own folder at the end."""
        added = self._search_path()
        sys.path[:] = [*added[:1], *sys.path, *added[1:]]
        importlib.invalidate_caches()
        try:
            yield
        finally:
            # What the simulator itself has put there stays, be it the same folder.
            sys.path[:] = [entry for entry in sys.path if all(entry is not ours for ours in added)]

    def _search_path(self) -> list[str]:
        if self._folder is None:
            return []
        package = self._module_name.split(".")[:-1]
        return [str(self._folder), *([str(self._folder.joinpath(*package))] if package else [])]

    def load(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return the simulator's class and the class of its states.

        Raises:
            SimulatorError: there is no such module or class, or importing it failed.
        """
        self._refuse_namesake()
        simulator = self._member(self._imported(self._module_name), self._class_name)
        states = self._member(self._state_module(simulator), _STATE_CLASS)
        return simulator, states

    def _refuse_namesake(self) -> None:
        """Refuse to take a module of the same name that was loaded from elsewhere."""
        root = self._module_name.partition(".")[0]
        loaded = sys.modules.get(root)
        if loaded is None or self._folder is None:
            return
        places = [*getattr(loaded, "__path__", ()), getattr(loaded, "__file__", None)]
        if not any(place and Path(place).is_relative_to(self._folder) for place in places):
            raise SimulatorError(
                f"{self.name}: a module {root} not from {self._folder} is loaded already: {loaded}"
            )

    def _state_module(self, simulator: Callable[..., Any]) -> ModuleType:
        module_name = getattr(simulator, "__module__", self._module_name)
        package = module_name.rpartition(".")[0]
        names = ([f"{package}.{_STATE_MODULE}"] if package else []) + [_STATE_MODULE]
        # The one the simulator has loaded goes first: a second copy would make another class.
        for name in sorted(names, key=lambda name: name not in sys.modules):
            try:
                return self._imported(name)
            except SimulatorError as error:
                missing = error.__cause__
                if not isinstance(missing, ModuleNotFoundError) or missing.name != name:
                    raise
        raise SimulatorError(f"{self.name}: no module {' or '.join(names)} beside it")

    def _imported(self, name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:
            problem = f"module {name} cannot be imported: {on_one_line(error)}"
            raise SimulatorError(f"{self.name}: {problem}") from error

    def _member(self, module: ModuleType, name: str) -> Callable[..., Any]:
        member = getattr(module, name, None)
        if not callable(member):
            raise SimulatorError(f"{self.name}: module {module.__name__} has no class {name}")
        return member  # type: ignore[no-any-return] # a foreign class
