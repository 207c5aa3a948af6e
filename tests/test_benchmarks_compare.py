"""What the comparison of two benchmark runs decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import compare

FAST = {"compute": 0.001, "memory": 0.004, "python": 0.002}


def made(name: str, seconds: float, yardstick: str = "compute", machine: float = 1.0) -> Any:
    """Return a benchmark as a run's file has it, on a machine some times slower than `FAST`."""
    times = {"min": seconds, "q1": seconds, "median": 2 * seconds, "mean": 2 * seconds}
    calibration = {kind: machine * figure for kind, figure in FAST.items()}
    extra = {"yardstick": yardstick, "calibration": calibration}
    return {"fullname": name, "stats": times, "extra_info": extra}


@pytest.fixture
def judge(tmp_path, capsys):
    """A function that compares two lists of benchmarks; returns exit code, table and errors."""

    def run(saved, new, *options, processor=("A", "A")):
        paths = []
        for name, benchmarks, model in (
            ("saved", saved, processor[0]),
            ("new", new, processor[1]),
        ):
            path = tmp_path / f"{name}.json"
            content = {
                "benchmarks": benchmarks,
                "machine_info": {"processor": model},
            }
            path.write_text(json.dumps(content))
            paths.append(str(path))
        code = compare.main([*paths, *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_the_same_run_is_no_regression(judge):
    run = [made("a", 0.01), made("b", 0.02, "python")]
    code, table, errors = judge(run, run, "--fail-above", "1")
    assert code == 0
    assert table.count("1.00") >= 4
    assert "SLOWER" not in table
    assert errors == ""


def test_more_work_on_the_same_machine_is_a_regression(judge):
    saved = [made("a", 0.01), made("b", 0.01), made("c", 0.01)]
    code, table, errors = judge(saved, [made("a", 0.014), made("b", 0.02), made("c", 0.01)])
    assert code == 1
    assert table.count("SLOWER") == 2
    assert table.index("b ") < table.index("a ")
    assert "2 slower by more than 1.3 times, the worst 2.00 times: b" in errors


def test_a_slow_machine_is_no_regression(judge):
    code, table, _ = judge([made("a", 0.01)], [made("a", 0.05, machine=5.0)])
    assert code == 0
    assert "yardstick compute: 5.00 times the saved run's time" in table


def test_a_fast_machine_does_not_hide_a_regression(judge):
    code, table, _ = judge([made("a", 0.01)], [made("a", 0.01, machine=0.5)])
    assert code == 1
    assert "2.00 SLOWER" in table


def test_each_benchmark_is_judged_by_the_new_runs_choice_of_its_yardstick(judge):
    new = made("a", 0.02, "memory")
    new["extra_info"]["calibration"]["memory"] *= 2
    code, table, _ = judge([made("a", 0.01, "compute")], [new])
    assert code == 0
    assert "memory   1.00" in table


def test_what_gets_faster_is_said(judge):
    code, table, _ = judge([made("a", 0.01)], [made("a", 0.001)])
    assert code == 0
    assert "0.10 faster" in table


def test_what_waits_for_a_disk_is_not_judged(judge):
    code, table, _ = judge([made("a", 0.01, "none")], [made("a", 9.0, "none")])
    assert code == 0
    assert "not judged" in table


def test_the_threshold_itself_is_allowed(judge):
    saved, new = [made("a", 0.5)], [made("a", 1.0)]
    assert judge(saved, new, "--fail-above", "2")[0] == 0
    assert judge(saved, new, "--fail-above", "1.99")[0] == 1


def test_the_statistic_can_be_chosen(judge):
    new = made("a", 0.01)
    new["stats"]["median"] = 1.0
    assert judge([made("a", 0.01)], [new])[0] == 0
    assert judge([made("a", 0.01)], [new], "--statistic", "median")[0] == 1


def test_missing_and_new_benchmarks_are_listed_and_fail_nothing(judge):
    code, table, _ = judge([made("a", 1.0), made("b", 1.0)], [made("b", 1.0), made("c", 1.0)])
    assert code == 0
    assert "a: only in the saved run" in table
    assert "c: new" in table


def test_another_machine_is_named(judge):
    code, _, errors = judge([made("a", 1.0)], [made("a", 1.0)], processor=("A", "B"))
    assert code == 0
    assert "different machines: processor: A then, B now" in errors


def changed(benchmark: Any, value: Any, *names: str) -> Any:
    place = benchmark
    for name in names[:-1]:
        place = place[name]
    place[names[-1]] = value
    return benchmark


def without(benchmark: Any, *names: str) -> Any:
    place = benchmark
    for name in names[:-1]:
        place = place[name]
    del place[names[-1]]
    return benchmark


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ([made("b", 1.0)], "no benchmark in common"),
        ([], "no benchmark in common"),
        ([made("a", 0.0)], "times must be above 0"),
        ([made("a", float("nan"))], "times must be above 0"),
        ([made("a", 1.0, "sundial")], "unknown yardstick 'sundial'"),
        ([made("a", 1.0, machine=0.0)], "times must be above 0"),
        ([without(made("a", 1.0), "stats", "min")], "new.json: a: no 'min' in it"),
        ([without(made("a", 1.0), "extra_info", "calibration")], "no 'calibration' in it"),
        ([without(made("a", 1.0), "extra_info", "calibration", "memory")], "no 'memory' in it"),
        ([None], "new.json: benchmark 1 has no name"),
        ([made("a", 1.0), "b"], "new.json: benchmark 2 has no name"),
        ([without(made("a", 1.0), "fullname")], "new.json: benchmark 1 has no name"),
        ([changed(made("a", 1.0), 7, "fullname")], "benchmark 1 has no name"),
        ([changed(made("a", 1.0), None, "stats")], "new.json: a: not as --benchmark-json"),
        ([changed(made("a", 1.0), [], "extra_info")], "new.json: a: not as --benchmark-json"),
        ([changed(made("a", 1.0), 3, "extra_info", "calibration")], "not as --benchmark-json"),
        ([changed(made("a", 1.0), "fast", "stats", "min")], "times must be above 0, got ['fast'"),
        ([changed(made("a", 1.0), {}, "extra_info", "yardstick")], "unknown yardstick {}"),
    ],
)
def test_what_cannot_be_compared_is_said(judge, new, message):
    code, table, errors = judge([made("a", 1.0)], new)
    assert code == 2
    assert table == ""
    assert message in errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "no list of benchmarks"),
        ('{"benchmarks": {}}', "no list of benchmarks"),
    ],
)
def test_a_file_that_is_no_run_is_named(tmp_path, capsys, text, message):
    path = tmp_path / "run.json"
    path.write_text(text)
    assert compare.main([str(path), str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert compare.main([str(tmp_path / "none.json")] * 2) == 2
    assert "none.json: No such file" in capsys.readouterr().err


def test_a_threshold_below_one_is_refused(judge):
    assert judge([made("a", 1.0)], [made("a", 1.0)], "--fail-above", "0.9")[0] == 2
