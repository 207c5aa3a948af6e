"""Lists and ranges become points, checked by the rules that `serve` has."""

import os

import pytest

from marketcam.server.profiling.axes import MOST_VALUES, axis_texts
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.points import AXES, MOST_POINTS, Effort, Point, TickFile, grid
from marketcam.server.profiling.ticks import open_supply
from marketcam.server.settings import SettingsError, described_settings
from tests.profile_helpers import a_point
from tests.tick_text import text_of

SETTINGS = {setting.name: setting for setting in described_settings()}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("74", ("74",)),
        ("74,300,1000", ("74", "300", "1000")),
        (" 74 , 300 ", ("74", "300")),
        ("300,74,300", ("300", "74")),
        ("100:500:100", ("100", "200", "300", "400", "500")),
        ("100:550:200", ("100", "300", "500")),
        ("7:7:1", ("7",)),
        ("100:10000:x10", ("100", "1000", "10000")),
        ("500:8000:x2", ("500", "1000", "2000", "4000", "8000")),
        ("0.001:0.003:0.001", ("0.001", "0.002", "0.003")),
        ("1e3", ("1e3",)),
        ("10,100:300:100,300", ("10", "100", "200", "300")),
        ("pairs,neighbors", ("pairs", "neighbors")),
        ("nonsense", ("nonsense",)),  # what a value may be is the settings' to say
    ],
)
def test_lists_and_ranges_are_read(text, values):
    assert axis_texts("--W", text) == values


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "values such as 100,300 without an empty one"),
        ("100,,300", "without an empty one"),
        ("100:200", "a range such as 100:500:100"),
        ("1:2:3:4", "a range such as"),
        ("a:b:c", "a range such as"),
        ("1:2:", "a range such as"),
        ("1:inf:1", "from a smaller to a larger number"),
        ("5:1:1", "from a smaller to a larger number"),
        ("1:5:0", "a step above 0"),
        ("1:5:-1", "a step above 0"),
        ("1:5:x1", "a factor above 1"),
        ("0:5:x2", "start above 0"),
        ("0:1:1e-9", f"{MOST_VALUES} values at most"),
        (",".join(map(str, range(MOST_VALUES + 1))), f"{MOST_VALUES + 1} here"),
    ],
)
def test_what_is_no_axis_is_refused(text, rule):
    with pytest.raises(SettingsError, match=rule) as caught:
        axis_texts("--W (IG_CAM_W)", text)
    assert str(caught.value).startswith("--W (IG_CAM_W) must ")
    assert "\n" not in str(caught.value)


def test_a_grid_is_every_combination_with_the_cap_varying_fastest():
    found = grid({"agents": "3,4", "edge_cap": "10,20", "window": "5"}, Effort())
    assert [(p.agents, p.W, p.edge_cap) for p in found] == [
        (3, 5, 10),
        (3, 5, 20),
        (4, 5, 10),
        (4, 5, 20),
    ]


def test_what_is_not_given_is_as_serve_would_have_it(monkeypatch):
    monkeypatch.setenv("IG_CAM_W", "77")
    monkeypatch.setenv("IG_AGENTS", "12")
    (point,) = grid({"stride": "7", "zstd_level": "9"}, Effort())
    assert (point.W, point.agents, point.stride, point.zstd_level) == (77, 12, 7, 9)
    assert (point.edge_cap, point.eps_pct, point.proximity) == (2000, 0.003, "pairs")


def test_a_setting_goes_with_the_values_of_an_axis_not_with_the_default():
    assert len(grid({"agents": "1,2", "max_agents": "2"}, Effort())) == 2


def test_equal_points_are_one():
    assert len(grid({"window": "5,05,5"}, Effort())) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": "100,70000"}, "--W (IG_CAM_W) must be 1 to 65535, got 70000"),
        ({"window": "ten"}, "--W (IG_CAM_W) must be a whole number, 1 to 65535, got ten"),
        ({"agents": "0:10:5"}, "--agents (IG_AGENTS) must be 1 to 100000, got 0"),
        ({"proximity": "pairs,near"}, "--proximity (IG_CAM_PROXIMITY) must be pairs or neighbors"),
        ({"zstd_level": "23"}, "--zstd-level (IG_CAM_ZSTD_LEVEL) must be 1 to 22, got 23"),
        ({"max_agents": "5", "agents": "3,9"}, "--agents (IG_AGENTS)=9 or more, got 5"),
        ({"ticks": "-"}, "--ticks (IG_TICKS) must be a file, since each point reads it anew"),
    ],
)
def test_a_value_out_of_range_names_flag_value_and_range(given, message):
    with pytest.raises(SettingsError) as caught:
        grid(given, Effort())
    assert message in str(caught.value)


def test_a_grid_without_end_is_refused():
    given = {"agents": "1:101:1", "window": "1:100:1"}
    with pytest.raises(SettingsError, match=f"at most {MOST_POINTS} points, got 10100"):
        grid(given, Effort())


def test_a_simulator_is_not_profiled(monkeypatch):
    monkeypatch.setenv("IG_SIMULATOR", "somewhere:Simulator")
    with pytest.raises(SettingsError, match="IG_SIMULATOR: unset it"):
        grid({}, Effort())


def test_a_tick_file_brings_its_own_agents(tmp_path):
    file = tmp_path / "run.jsonl"
    file.write_bytes(text_of(range(3)))
    (point,) = grid({"ticks": str(file)}, Effort())
    assert point.agents is None
    assert point.ticks == TickFile(str(file), file.stat().st_size, file.stat().st_mtime_ns)
    with pytest.raises(SettingsError, match=r"--agents .* must not be given with --ticks"):
        grid({"ticks": str(file), "agents": "10"}, Effort())
    with pytest.raises(FileNotFoundError):
        grid({"ticks": str(tmp_path / "none")}, Effort())


def test_a_file_that_has_changed_makes_other_points(tmp_path):
    file = tmp_path / "run.jsonl"
    file.write_bytes(text_of(range(3)))
    before = grid({"ticks": str(file)}, Effort())
    os.utime(file, ns=(1, 1))
    assert grid({"ticks": str(file)}, Effort()) != before


def test_a_file_that_is_another_where_it_is_measured_is_refused(tmp_path):
    file = tmp_path / "run.jsonl"
    file.write_bytes(text_of(range(3)))
    (point,) = grid({"ticks": str(file)}, Effort())
    size = point.ticks.size
    with open_supply(point):
        pass
    os.utime(file, ns=(1, 1))
    problem = rf"run.jsonl must be the file of the grid, {size} bytes written at \d+ ns, also where"
    with pytest.raises(
        PointError, match=rf"{problem} .* got {size} bytes written at 1 ns"
    ) as other:
        open_supply(point).__enter__()
    file.unlink()
    with pytest.raises(PointError, match=r"is not to be had where .*: No such file") as gone:
        open_supply(point).__enter__()
    assert (other.value.lasting, gone.value.lasting) == (False, False)


@pytest.mark.parametrize("ticks", [None, TickFile("/a/run.jsonl", 10, 20)])
def test_a_point_travels_as_json(ticks):
    point = a_point(ticks=ticks)
    assert Point.from_json(point.to_json()) == point


@pytest.mark.parametrize("change", [{"W": None}, {"wings": 2}])
def test_what_is_no_point_is_said(change):
    value = a_point().to_json() | change
    if change.get("W", 1) is None:
        del value["W"]
    with pytest.raises(PointError, match="not a point of a grid"):
        Point.from_json(value)


def test_axes_are_settings():
    assert set(AXES) <= set(SETTINGS)
