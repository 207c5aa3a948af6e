"""A benchmark run records what a comparison needs, and the limits are measured and printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import compare, limits
from benchmarks.calibration import KINDS, Yardsticks

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
BRIEFLY = ["--benchmark-only", "--benchmark-max-time=0.01", "--benchmark-min-rounds=1", "-q"]


def test_every_module_can_be_imported():
    """In a process of its own: the markers of the benchmarks are not those of the tests."""
    program = "".join(f"import benchmarks.{name}\n" for name in MODULES)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"bench_frame", "start_up", "targets"} <= set(MODULES)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The file of a run of two small benchmarks."""
    path = tmp_path_factory.mktemp("run") / "run.json"
    chosen = ["benchmarks/bench_market.py", "benchmarks/bench_encode.py"]
    command = ["-m", "pytest", *chosen, "-k", "test_step[3] or test_metric[10]", *BRIEFLY]
    command += ["-p", "no:cacheprovider", f"--benchmark-json={path}"]
    # Told that it is a part of a run side by side, it would not measure.
    alone = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=alone, capture_output=True, check=True)
    return path


def test_each_benchmark_has_its_yardstick_and_its_question(run):
    content = json.loads(run.read_bytes())
    by_name = {made["name"]: made for made in content["benchmarks"]}
    assert by_name["test_step[3]"]["extra_info"]["yardstick"] == "compute"
    assert by_name["test_metric[10]"]["extra_info"]["yardstick"] == "python"
    assert by_name["test_step[3]"]["group"].startswith("How fast does the embedded market play")
    for made in by_name.values():
        assert set(made["extra_info"]["calibration"]) == set(KINDS)
        assert "data" not in made["stats"]
    assert {"processor", "numba"} <= content["machine_info"].keys()
    assert "node" not in content["machine_info"]


def test_neither_a_run_nor_the_saved_one_says_where_it_was_made(run):
    for path in (run, ROOT / "benchmarks" / "saved" / "quick.json"):
        content = json.loads(path.read_bytes())
        assert "commit_info" not in content
        assert "node" not in content["machine_info"]


def test_a_run_is_comparable_with_itself(run, capsys):
    assert compare.main([str(run), str(run), "--fail-above", "1"]) == 0
    assert "yardstick python: 1.00" in capsys.readouterr().out


def test_the_saved_run_is_comparable():
    saved = ROOT / "benchmarks" / "saved" / "quick.json"
    assert compare.timings(compare.read(saved), "min", saved)


def test_yardsticks_take_time():
    assert all(seconds > 0.0 for seconds in Yardsticks().seconds().values())


def test_limits_are_measured_and_printed():
    figures = limits.measure(limits.parser().parse_args(["--megabytes", "1", "--agents", "20"]))
    printed = limits.report(figures)
    assert "| update, 2 threads |" in printed
    assert "| pairs, 20 agents | |" in printed
    assert 0 <= limits.vector_instructions() <= 64 * 8
    assert figures["text"]["bytes of the frame"] > 20 * 300
    assert json.dumps(figures)
