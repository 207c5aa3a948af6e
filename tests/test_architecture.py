"""The house as DESIGN says it stands: rooms, directions of import, explicit public names."""

from __future__ import annotations

import ast
import importlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "io", "server")
MAY_IMPORT = {"engine": {"engine"}, "io": {"engine", "io"}, "server": {"engine", "io", "server"}}
KEPT_OUT_OF_THE_ENGINE = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "socket",
    "threading",
    "time",
}
EXCEPTED = {
    "crew.py": {"os", "threading"},  # shares out kernels that leave the GIL
    "kernel_cache.py": {"os", "pathlib"},  # compiled code is kept on disk
}
MODULES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("marketcam", *parts)).removesuffix(".__init__")


def test_there_is_no_folder_that_shadows_the_package():
    assert not (ROOT / "marketcam").exists()


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_rooms_import_only_downward(path):
    room = path.relative_to(ROOT).parts[0]
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("marketcam.")}
    assert ours <= MAY_IMPORT[room]


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.is_relative_to(ROOT / "engine")], ids=dotted
)
def test_the_engine_does_no_io_and_knows_no_clock(path):
    tops = {name.split(".")[0] for name in imported(path)}
    assert not tops & (KEPT_OUT_OF_THE_ENGINE - EXCEPTED.get(path.name, set()))


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_explicit_and_exist(room):
    package = importlib.import_module(f"marketcam.{room}")
    assert package.__all__
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert len(set(package.__all__)) == len(package.__all__)


def test_names_are_lazy_where_they_are_typed():
    for room in ("engine", "io"):
        tree = ast.parse((ROOT / room / "__init__.py").read_text())
        [choice] = [node for node in tree.body if isinstance(node, ast.If)]
        typed = {
            (node.module, alias.name)
            for node in choice.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        [assigned] = [node.value for node in choice.orelse if isinstance(node, ast.Assign)]
        assert isinstance(assigned, ast.Call)
        homes = ast.literal_eval(assigned.args[1])
        lazy = {(f"marketcam.{room}.{home}", name) for home in homes for name in homes[home]}
        assert lazy == typed
        assert {name for _, name in lazy} == set(
            importlib.import_module(f"marketcam.{room}").__all__
        )


def test_every_package_is_listed_for_the_build():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {dotted(path) for path in MODULES if path.name == "__init__.py"}
    assert set(tool["packages"]) == packages
    assert tool["package-dir"] == {f"marketcam.{room}": room for room in ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_typed(room):
    assert (ROOT / room / "py.typed").is_file()


def test_tests_of_kernels_are_where_they_are_run_from():
    """`make test-kernels` collects the tests of two rooms only."""
    elsewhere = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if "mark.kernel" in path.read_text() and path.parent.name not in {"engine", "io"}
    ]
    assert elsewhere == [Path(__file__)]
