"""`marketcam profile` as a command: real points in real processes, interrupted and gone on."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from marketcam.server.cli import main
from marketcam.server.profiling import child, session
from marketcam.server.profiling.child import measure_apart
from marketcam.server.profiling.conditions import conditions
from marketcam.server.profiling.errors import PointError
from marketcam.server.profiling.journal import Journal
from marketcam.server.profiling.measure import measure
from marketcam.server.settings import described_settings
from tests.profile_helpers import CONDITIONS, SMALL, a_point, figures, points
from tests.raw_ticks import crowd
from tests.server_helpers import PATIENCE, tick_lines

TINY = ["--W", "6", "--stride", "2", "--frames", "3", "--seconds", "0"]
TWO_POINTS = ["--agents", "3,4", "--W", "6", "--stride", "2", "--seconds", "1", "--out", "r.csv"]
DETERMINED = (
    "frames",
    "ticks",
    "refused",
    "frame_bytes",
    "frame_bytes_zstd",
    "nodes",
    "edges",
    "edges_all",
    "edges_kept_share",
    "weight_kept_share",
    "match_weight_kept_share",
    "weight_least_kept",
    "curve",
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def measured(monkeypatch):
    """Put figures in the place of processes; return the points that were asked for."""
    asked = []
    monkeypatch.setattr(session, "prepare_apart", lambda: None)
    monkeypatch.setattr(session, "measure_apart", lambda point: asked.append(point) or figures())
    return asked


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def marketcam(*arguments, cwd):
    """Start the command as a user does, Ctrl-C reaching its whole group."""
    return subprocess.Popen(
        [sys.executable, "-m", "marketcam.server.cli", "profile", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_lines(path, many, process):
    """Wait until a journal holds so many whole lines."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or path.read_bytes().count(b"\n") < many:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        os.sched_yield()


def test_a_point_apart_has_the_figures_of_a_point_here():
    (point,) = points(match_share="0.25")
    here, apart = measure(point).to_json(), measure_apart(point).to_json()
    assert {name: here[name] for name in DETERMINED} == {n: apart[n] for n in DETERMINED}
    assert (here["frames"], here["ticks"]) == (3, 6)
    assert apart["memory_peak_bytes"] >= apart["memory_before_bytes"] * 0.9


def test_a_point_without_room_is_a_row_with_its_reason():
    with pytest.raises(PointError, match=r"pairs' would need .* MiB it may take") as caught:
        measure_apart(a_point(agents=5000, pair_budget_bytes=2**20))
    assert caught.value.lasting


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, as the system does when memory"),
        ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        ("raise SystemExit('all is lost')", "ended with exit code 1: all is lost"),
        ("raise SystemExit(3)", "ended with exit code 3: it said nothing"),
        ("print('{\"half', end='')", "ended with exit code 0"),
    ],
)
def test_a_child_that_dies_is_a_reason_that_may_pass(monkeypatch, command, reason):
    monkeypatch.setattr(child, "_COMMAND", [sys.executable, "-c", command])
    with pytest.raises(PointError, match=reason) as caught:
        measure_apart(a_point())
    assert not caught.value.lasting


@pytest.mark.parametrize("line", ["hello", "[1]", "{}", "null"])
def test_an_answer_that_is_none_is_a_reason_that_may_pass(monkeypatch, line):
    monkeypatch.setattr(child, "_COMMAND", [sys.executable, "-c", f"print({line!r})"])
    with pytest.raises(
        PointError, match=f"answered what is no answer: b'{re.escape(line)}"
    ) as caught:
        measure_apart(a_point())
    assert not caught.value.lasting


def test_what_is_printed_meanwhile_is_not_taken_for_the_answer(monkeypatch):
    program = (
        "import os, sys\n"
        "from marketcam.server.profiling import child\n"
        "def chatter(point):\n"
        "    print('by the way', flush=True)\n"
        "    os.write(1, b'and from below\\n')\n"
        "    raise child.PointError('no room')\n"
        "child.measure = chatter\n"
        "sys.exit(child.main())"
    )
    monkeypatch.setattr(child, "_COMMAND", [sys.executable, "-c", program])
    with pytest.raises(PointError, match=r"^no room$") as caught:
        measure_apart(a_point())
    assert caught.value.lasting


def test_a_child_leaves_when_nobody_asks_any_more():
    endless = {"point": a_point(effort=SMALL.__class__(frames=10**6, seconds=3600.0)).to_json()}
    process = subprocess.Popen(child._COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps(endless).encode() + b"\n")
    process.stdin.close()
    assert process.wait(PATIENCE) == 1
    process.stdout.close()


def test_a_grid_is_measured_and_written(tmp_path, capsys):
    out = tmp_path / "r.csv"
    report = tmp_path / "r.html"
    arguments = ["profile", "--agents", "4,3000", "--pair-budget-bytes", "1000000", *TINY]
    assert main([*arguments, "--out", str(out), "--report", str(report)]) == 0
    first, second = rows_of(out)
    assert (first["status"], first["agents"], first["frames"]) == ("measured", "4", "3")
    assert (second["status"], second["frames"]) == ("failed", "")
    assert "IG_CAM_PAIR_BUDGET_BYTES" in second["reason"]
    assert f"marketcam {' '.join(arguments[:3])}" in report.read_text()
    assert conditions()["numba"] in report.read_text()
    assert conditions()["machine"] not in report.read_text()
    said = capsys.readouterr()
    assert "failed: 3,000 agents" in said.out
    assert f"results are in {out}" in said.err
    assert (tmp_path / "r.journal").exists()


def test_a_tick_file_is_profiled(tmp_path):
    file, out = tmp_path / "run.jsonl", tmp_path / "r.csv"
    lines = tick_lines(crowd(3, 30, agents=6, lifetime=20, start=1))
    file.write_bytes(lines.replace(b'"t":20', b'"t":"20"'))
    assert main(["profile", "--ticks", str(file), *TINY, "--out", str(out)]) == 0
    (row,) = rows_of(out)
    assert (row["source"], row["agents"], row["frames"]) == ("run.jsonl", "", "3")


def test_what_is_kept_is_not_measured_again(tmp_path, measured, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "--agents", "3,4", *TINY]) == 0
    assert [point.agents for point in measured] == [3, 4]
    assert main(["profile", "--agents", "3,4,5", *TINY]) == 0
    assert [point.agents for point in measured] == [3, 4, 5]
    assert "2 of 3 points are kept in marketcam-profile.journal" in capsys.readouterr().err
    assert main(["profile", "--agents", "4", *TINY, "--zstd-level", "5"]) == 0
    assert [point.agents for point in measured] == [3, 4, 5, 4]
    assert main(["profile", "--agents", "4", *TINY, "--fresh"]) == 0
    assert [point.agents for point in measured] == [3, 4, 5, 4, 4]


def test_a_dry_run_measures_and_writes_nothing(tmp_path, measured, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "--agents", "3,4", *TINY, "--dry-run"]) == 0
    assert measured == []
    assert list(tmp_path.iterdir()) == []
    assert main(["profile", "--agents", "3", *TINY]) == 0
    capsys.readouterr()
    assert main(["profile", "--agents", "3,4", *TINY, "--dry-run"]) == 0
    assert capsys.readouterr().out.count("kept") == 1
    nobody = ["--dask", "tcp://127.0.0.1:1"]
    assert main(["profile", "--agents", "3,4", *TINY, "--dry-run", *nobody]) == 0
    assert capsys.readouterr().out.count("kept") == 1


def test_a_dry_run_for_workers_leaves_an_empty_journal_as_it_is(tmp_path):
    journal = tmp_path / "j"
    journal.touch()
    command = ["profile", "--agents", "3", *TINY, "--dry-run", "--workers", "1"]
    assert main([*command, "--journal", str(journal)]) == 0
    assert journal.read_bytes() == b""


def test_a_grid_of_failures_fails(tmp_path, monkeypatch, capsys):
    def refuse(point):
        raise PointError("no room")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "prepare_apart", lambda: None)
    monkeypatch.setattr(session, "measure_apart", refuse)
    assert main(["profile", "--agents", "3", *TINY, "--report", "r.html"]) == 1
    assert "no room" in capsys.readouterr().out
    assert "no room" in Path("r.html").read_text()


def test_results_of_other_conditions_stop_the_start(tmp_path, measured, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with Journal(tmp_path / "marketcam-profile.journal", CONDITIONS):
        pass
    assert main(["profile", "--agents", "3", *TINY]) == 2
    assert "holds results of other conditions (machine was here" in capsys.readouterr().err
    assert measured == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--W", "70000"], "--W (IG_CAM_W) must be 1 to 65535, got 70000"),
        (["--eps", "0.1:x"], "--prox-eps-pct (IG_CAM_PROX_EPS_PCT) must be a range such as"),
        (["--out", "r.xlsx"], "--out must end in .csv or .parquet, got r.xlsx"),
        (["--ticks", "/no/such"], "/no/such: no such file"),
        (["--report", "x.journal"], "--journal must be another file than --report, got x.journal"),
        (
            ["--journal", "r.csv", "--out", "../{folder}/r.csv"],
            "--journal must be another file than --out, got r.csv",
        ),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    arguments = [text.replace("{folder}", tmp_path.name) for text in arguments]
    assert main(["profile", *arguments]) in {1, 2}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"marketcam: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("effort", [("--frames", "0"), ("--frames", "x"), ("--seconds", "-1"),
                                    ("--seconds", "nan"), ("--all-edges", "0")])  # fmt: skip
def test_an_effort_out_of_range_is_one_line(capsys, effort):
    with pytest.raises(SystemExit) as caught:
        main(["profile", *effort])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"argument {effort[0]}: must be " in line
    assert f"got '{effort[1]}'" in line


def interrupted(number, folder):
    """Start a grid of two points, signal it once the first is kept; return its code and stderr."""
    process = marketcam(*TWO_POINTS, cwd=folder)
    wait_for_lines(folder / "r.journal", 2, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_is_kept_and_how_to_go_on(tmp_path, number):
    code, said = interrupted(number, tmp_path)
    assert code == 130
    assert said.splitlines()[-1] == (
        "marketcam: interrupted: 1 of 2 points are kept in r.journal; "
        "the same command goes on from there"
    )


def test_a_killed_run_goes_on(tmp_path):
    journal = tmp_path / "r.journal"
    code, _ = interrupted(signal.SIGKILL, tmp_path)
    assert code == -signal.SIGKILL
    before = journal.read_bytes()
    process = marketcam(*TWO_POINTS, cwd=tmp_path)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert journal.read_bytes().startswith(before)
    assert [row["agents"] for row in rows_of(tmp_path / "r.csv")] == ["3", "4"]
