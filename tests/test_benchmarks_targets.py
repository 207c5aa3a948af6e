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
        figures["ticks_per_second_slowest"]
        <= figures["ticks_per_second"]
        <= figures["ticks_per_second_fastest"]
    )
    assert 0 < figures["imported_bytes"] <= figures["peak_bytes"]
    assert figures["settings"]["W"] == 20


def run_of(rate: float, peak: int = 100) -> dict[str, float]:
    return {
        "ticks_per_second": rate,
        "ticks_per_second_overall": 0.9 * rate,
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
        ([(1_000,)], [(1_600,)], ["close"]),
        ([(1_000, 499)], [(1_000, 500)], ["memory"]),
        ([(10, 600)], [(1, 1)], ["ticks/s", "close", "memory"]),
    ],
)
def test_a_target_is_met_or_missed(far, near, missed):
    assert row(ASKED, far, near).missed() == missed


def test_the_plain_camera_must_be_left_behind_where_that_is_asked():
    asked = targets.Target(74, 1, plain_ticks=1, times_plain=1_000)
    assert row(asked, [(5,)], [(5,)], 1_000.0).missed() == ["times plain"]
    assert row(asked, [(5,)], [(5,)], 1_000.1).missed() == []
    assert row(asked, [(5,)], [(5,)]).missed() == []


def test_the_table_has_a_line_for_each_row():
    rows = [row(ASKED, [(2_000, 400)], [(2_000, 300)]), row(ASKED, [(1, 9_000)], [(1, 1)])]
    head, rule, *lines = targets.table(rows).splitlines()
    assert {line.count("|") for line in (head, rule, *lines)} == {13}
    assert lines[0].endswith("| met |")
    assert lines[1].endswith("| missed: ticks/s, memory |")


def test_one_row_end_to_end(tmp_path, capsys):
    path = tmp_path / "figures.json"
    short = ["--repetitions", "1", "--frames", "1", "--seconds", "0", "--no-baseline"]
    targets.main(["--agents", "10", *short, "--json", str(path)])
    assert "| 10 | `pairs` | 60,000 |" in capsys.readouterr().out
    figures = json.loads(path.read_text())
    (made,) = figures["rows"]
    assert made["target"]["rate"] == 60_000
    assert len(made["uniform"]) == len(made["close"]) == 1
    assert figures["machine"]["python"]
