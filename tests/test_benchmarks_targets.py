"""The workload of the targets is what it says, and the table's verdicts are right."""

from __future__ import annotations

import json
from itertools import islice, pairwise

import numpy as np
import pytest

from benchmarks import sustained, targets
from benchmarks.workloads import PRICES, close_prices, endless_market


@pytest.mark.parametrize("eps_pct", [0.0005, 0.003, 0.05])
@pytest.mark.parametrize("agents", [2, 3, 200])
def test_close_prices_are_all_within_eps(eps_pct, agents):
    for tick in islice(endless_market(agents, prices=close_prices(eps_pct)), 50):
        assert np.ptp(tick.price) <= eps_pct * tick.mid
    assert np.ptp(close_prices(eps_pct)) > 0.9 * eps_pct * 50_000


def test_uniform_prices_cover_the_range_and_never_repeat():
    ticks = list(islice(endless_market(500, start=7), 40))
    assert [tick.t for tick in ticks] == list(range(7, 47))
    prices = np.concatenate([tick.price for tick in ticks])
    assert np.unique(prices).size == prices.size
    assert PRICES[0] <= prices.min() < 40_100
    assert 59_900 < prices.max() <= PRICES[1]
    assert all(tick.mid == np.median(tick.price) for tick in ticks)
    assert all(not np.array_equal(a.side, b.side) for a, b in pairwise(ticks))


@pytest.mark.parametrize("agents", [10, 1_000, 100_000])
@pytest.mark.parametrize("stride", [1, 10, 7])
def test_ticks_made_ahead_are_whole_strides_in_bounded_memory(agents, stride):
    tick = next(endless_market(agents))
    ticks = sustained.ticks_a_chunk(tick, stride)
    assert ticks >= stride
    assert ticks % stride == 0
    size = sustained.tick_bytes(tick)
    assert ticks * size <= max(sustained.CHUNK_BYTES, stride * size)


def test_a_process_reports_rates_and_memory():
    options = {"agents": 5, "W": 20, "frames": 12, "seconds": 0}
    figures = targets.figures_of("benchmarks.sustained", options)
    assert figures["frames"] >= 12
    assert (
        figures["slowest_chunk"]
        <= min(figures["ticks_per_second"], figures["median_chunk"])
        <= max(figures["ticks_per_second"], figures["median_chunk"])
        <= figures["fastest_chunk"]
    )
    assert 0 < figures["imported_bytes"] <= figures["peak_bytes"]
    assert figures["settings"]["W"] == 20


def test_the_rate_is_that_of_all_chunks_together():
    chunks = [sustained.Chunk(seconds, 100, 10, 50, 1) for seconds in (1.0, 1.0, 8.0)]
    figures = sustained.rates(chunks)
    assert figures["ticks_per_second"] == 30
    assert [figures[f"{name}_chunk"] for name in ("slowest", "median", "fastest")] == [
        12.5,
        100,
        100,
    ]


def run_of(rate: float, peak: int = 100) -> dict[str, float]:
    return {
        "ticks_per_second": rate,
        "slowest_chunk": 0.5 * rate,
        "fastest_chunk": 2.0 * rate,
        "peak_bytes": peak,
        "tick_bytes": 7,
    }


def row(target: targets.Target, far, near, ratio=None) -> targets.Row:
    baseline = [] if ratio is None else [{"ratio": ratio}]
    uniform, close = ([run_of(*run) for run in runs] for runs in (far, near))
    return targets.Row(target, uniform, close, baseline)


ASKED = targets.Target(10, 1_000, most_bytes=500)


@pytest.mark.parametrize(
    ("far", "near", "missed"),
    [
        ([(1_000,)], [(1_000,)], []),
        ([(999,)], [(999,)], ["ticks/s"]),
        ([(1,), (1_000,), (9_000,)], [(1,), (1_000,), (9_000,)], []),
        ([(1_500,)], [(1_000,)], []),
        ([(1_501,)], [(1_000,)], ["close"]),
        ([(1_000,)], [(9_000,)], []),
        ([(1_000, 499)], [(1_000, 500)], ["memory"]),
        ([(10, 600)], [(1, 1)], ["ticks/s", "close", "memory"]),
        ([(3_000,), (1_000,)], [(2_500,)], []),
        ([(3_000,), (1_000,)], [(1_500,)], ["close"]),
    ],
)
def test_a_target_is_met_or_missed(far, near, missed):
    assert row(ASKED, far, near).missed() == missed


def test_the_plain_camera_must_be_left_behind_where_that_is_asked():
    asked = targets.Target(74, 1, plain_ticks=1, times_plain=1_000)
    assert row(asked, [(5,)], [(5,)], 1_000.0).missed() == ["times plain"]
    assert row(asked, [(5,)], [(5,)], 1_000.1).missed() == []
    assert row(asked, [(5,)], [(5,)], 1_000.1).verdict() == "met"
    assert row(asked, [(5,)], [(5,)]).missed() == []
    assert row(asked, [(5,)], [(5,)]).verdict() == "not measured: times plain"
    assert row(asked, [(0,)], [(5,)]).verdict() == "missed: ticks/s; not measured: times plain"


def test_the_table_has_a_line_for_each_row():
    rows = [row(ASKED, [(2_000, 400)], [(2_000, 300)]), row(ASKED, [(1, 9_000)], [(1, 1)])]
    head, rule, *lines = targets.table(rows).splitlines()
    assert {line.count("|") for line in (head, rule, *lines)} == {14}
    assert lines[0].endswith("| met |")
    assert lines[1].endswith("| missed: ticks/s, memory |")


def test_one_row_end_to_end(tmp_path, capsys):
    path = tmp_path / "figures.json"
    short = ["--repetitions", "1", "--frames", "1", "--seconds", "0", "--no-baseline"]
    code = targets.main(["--agents", "10", *short, "--json", str(path)])
    assert "| 10 | `pairs` | 60,000 |" in capsys.readouterr().out
    figures = json.loads(path.read_text())
    (made,) = figures["rows"]
    assert made["target"]["rate"] == 60_000
    assert len(made["uniform"]) == len(made["close"]) == 1
    assert made["seconds"] > 0.0
    assert code == (made["verdict"] != "met")
    assert figures["machine"]["python"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def processes(monkeypatch):
    """Put figures in the place of processes; a rate of -1 is Ctrl-C. Returns the list to fill."""
    rates, asked = [], []

    def answer(module, options, *flags):
        if options.get("frames") == 1:
            return {}  # only compiles
        asked.append((module.rpartition(".")[2], options["agents"], options.get("prices")))
        if (rate := rates.pop(0)) == -1:
            raise KeyboardInterrupt
        return {**run_of(rate), "ratio": rate}

    monkeypatch.setattr(targets, "figures_of", answer)
    return rates, asked


def test_a_run_that_meets_or_misses_says_so_by_its_exit_code(processes, capsys):
    rates, _ = processes
    rates += [60_000, 60_000, 1]
    assert targets.main(["--agents", "10", "--repetitions", "1"]) == 0
    rates += [59_999, 60_000, 1]
    assert targets.main(["--agents", "10", "--repetitions", "1"]) == 1
    assert "measured in" in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_measured(processes, tmp_path, capsys):
    rates, asked = processes
    rates += [7_000, 7_000, 300, 300, 8_000, -1]
    path = tmp_path / "figures.json"
    assert targets.main(["--agents", "1000", "10000", "--json", str(path)]) == 130
    printed = capsys.readouterr()
    assert "| 1,000 | `pairs` | 6,000 | 7,500 |" in printed.out
    assert "| 10,000 | `pairs` | 200 | 300 |" in printed.out
    assert "interrupted" in printed.err
    assert [made["ticks_per_second"] for made in json.loads(path.read_text())["rows"]] == [
        7_500,
        300,
    ]
    assert asked[-1] == ("sustained", 1_000, "close")


def test_an_interrupt_before_anything_prints_no_table(processes, capsys):
    processes[0].append(-1)
    assert targets.main(["--agents", "1000"]) == 130
    assert capsys.readouterr().out == ""


def test_what_is_slow_or_repeats_itself_is_measured_once(processes):
    rates, asked = processes
    rates += [100] * 99
    targets.main(["--agents", "74", "30000", "--repetitions", "3"])
    assert asked.count(("baseline", 74, None)) == 1
    assert asked.count(("sustained", 74, "close")) == 3
    assert asked.count(("sustained", 30_000, "uniform")) == 3
    assert asked.count(("sustained", 30_000, "close")) == 1
