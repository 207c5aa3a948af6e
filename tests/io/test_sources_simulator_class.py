"""Finding a simulator's class, and the class of its states, in a folder."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from marketcam.io.sources import SimulatorError, SimulatorSource
from tests.simulators import FAKE_FOLDER, FAKE_NAME, clean_slate, fake_simulator

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _clean_slate():
    with clean_slate():
        yield


def test_sys_path_is_as_it_was():
    before = list(sys.path)
    fake_simulator()
    assert sys.path == before


def test_what_the_simulator_puts_on_sys_path_stays(tmp_path):
    write_simulator(tmp_path / "solo.py", "import sys; sys.path.append('/added/by/it')")
    before = list(sys.path)
    SimulatorSource("solo:Simulator", tmp_path)
    assert sys.path == [*before, "/added/by/it"]


SIMULATOR = """
    class Part:
        def update_tick(self, t): pass
        def update(self, state, actions, matched): return state
        def update_trajectory(self, point): pass

    class Simulator:
        def __init__(self, ticks, adjust_interval, MAX_N):
            self.active_players = []
            self.chaos_factor = self.engine = self.structure_metrics = Part()
        def sample_matches(self, actions, state): return []
        def adjust_participation(self): pass
"""

STATES = """
    class MarketState:
        def __init__(self, *values):
            self.price_norm, self.volatility, self.liquidity, self.imbalance, _ = values
"""


def write_simulator(path: Path, imports: str = "", states: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{imports}\n{dedent(SIMULATOR)}")
    if states:
        path.with_name("state_engine.py").write_text(dedent(STATES))


@pytest.mark.parametrize(
    ("file", "name", "imports", "states_from"),
    [
        ("core_system/main.py", "core_system.main", "", "core_system.state_engine"),
        (
            "core_system/main.py",
            "core_system.main",
            "from .state_engine import MarketState",
            "core_system.state_engine",
        ),
        (
            "core_system/main.py",
            "core_system.main",
            "from state_engine import MarketState",
            "state_engine",
        ),
        ("a/b/main.py", "a.b.main", "import a.b.state_engine", "a.b.state_engine"),
        ("main_of_it.py", "main_of_it", "from state_engine import MarketState", "state_engine"),
        ("main_of_it.py", "main_of_it", "", "state_engine"),
    ],
)
def test_siblings_are_found_by_package_and_by_bare_name(tmp_path, file, name, imports, states_from):
    write_simulator(tmp_path / file, imports)
    source = SimulatorSource(f"{name}:Simulator", tmp_path)
    assert type(source._state).__module__ == states_from
    assert source.step().state == (0.5, 0.3, 0.5, 0.0)


def test_a_class_that_its_package_exports_is_found(tmp_path):
    write_simulator(tmp_path / "core_system" / "main.py")
    (tmp_path / "core_system" / "__init__.py").write_text("from .main import Simulator")
    source = SimulatorSource("core_system:Simulator", str(tmp_path))
    assert type(source._state).__module__ == "core_system.state_engine"


def test_a_relative_folder_works(tmp_path, monkeypatch):
    write_simulator(tmp_path / "here" / "solo.py")
    monkeypatch.chdir(tmp_path)
    assert SimulatorSource("solo:Simulator", "here").step().t == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("core_system.main", "simulator must be spelled 'module:Class', got 'core_system.main'"),
        ("core_system/main.py:X", "simulator must be spelled 'module:Class'"),
        (":X", "simulator must be spelled 'module:Class'"),
        ("nowhere.main:X", "ModuleNotFoundError: No module named 'nowhere'"),
        ("core_system.nowhere:X", "No module named 'core_system.nowhere'"),
        ("core_system.main:Nothing", "module core_system.main has no class Nothing"),
        ("core_system.main:np", "module core_system.main has no class np"),
        ("core_system.main:ChaosFactor", "cannot be made: TypeError"),
    ],
)
def test_a_class_that_cannot_be_found_is_one_clear_line(name, message):
    before = list(sys.path)
    with pytest.raises(SimulatorError) as refusal:
        SimulatorSource(name, FAKE_FOLDER)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert sys.path == before


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(SimulatorError, match=r"path must be a folder, got '.*gone'"):
        SimulatorSource(FAKE_NAME, tmp_path / "gone")


@pytest.mark.parametrize(
    ("imports", "message"),
    [
        ("import no_such_thing", "cannot be imported: ModuleNotFoundError: No module named 'no_s"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2"),
        ("def broken(:", "cannot be imported: SyntaxError"),
        ("raise ImportError('first line\\n\\nmore')", "ImportError: first line more"),
    ],
)
def test_a_module_that_fails_on_import_says_how(tmp_path, imports, message):
    write_simulator(tmp_path / "solo.py", imports)
    with pytest.raises(SimulatorError) as refusal:
        SimulatorSource("solo:Simulator", tmp_path)
    assert message in str(refusal.value)
    assert refusal.value.__cause__ is not None


def test_a_simulator_without_states_beside_it_is_refused(tmp_path):
    write_simulator(tmp_path / "pack" / "solo.py", states=False)
    with pytest.raises(SimulatorError, match=r"no module pack\.state_engine or state_engine"):
        SimulatorSource("pack.solo:Simulator", tmp_path)


def test_a_states_module_that_fails_is_not_taken_for_missing(tmp_path):
    write_simulator(tmp_path / "pack" / "solo.py")
    (tmp_path / "pack" / "state_engine.py").write_text("import no_such_thing")
    with pytest.raises(SimulatorError, match="No module named 'no_such_thing'"):
        SimulatorSource("pack.solo:Simulator", tmp_path)


def test_a_states_module_without_the_class_is_refused(tmp_path):
    write_simulator(tmp_path / "solo.py")
    (tmp_path / "state_engine.py").write_text("")
    with pytest.raises(SimulatorError, match="module state_engine has no class MarketState"):
        SimulatorSource("solo:Simulator", tmp_path)


def test_a_module_of_the_same_name_from_elsewhere_is_not_mistaken_for_it(tmp_path):
    write_simulator(tmp_path / "core_system" / "main.py")
    fake_simulator()
    with pytest.raises(SimulatorError, match=r"a module core_system not from .* is loaded already"):
        SimulatorSource("core_system.main:Simulator", tmp_path)


def test_missing_parts_are_named(tmp_path):
    write_simulator(tmp_path / "solo.py")
    text = (tmp_path / "solo.py").read_text().replace("def update_trajectory", "def other")
    (tmp_path / "solo.py").write_text(text)
    with pytest.raises(SimulatorError, match=r"has no structure_metrics\.update_trajectory"):
        SimulatorSource("solo:Simulator", tmp_path)
