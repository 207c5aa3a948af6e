"""`marketcam film`: the lines of the live camera, in files that depend on the ticks alone."""

from __future__ import annotations

import itertools
import re
import signal
from typing import TYPE_CHECKING

import pytest

from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_tick
from marketcam.io.store import KINDS, Store
from marketcam.server.cli import main
from marketcam.server.settings import Settings, described_settings
from tests.server_helpers import (
    PATIENCE,
    any_process,
    recorded,
    running_server,
    state_tick,
    tick_lines,
)
from tests.tick_tables import long_rows, match_rows, wide_rows, write_csv, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("--W", "40", "--stride", "4", "--edge-cap", "60")
SETTINGS = {"window": 40, "stride": 4, "edge_cap": 60}
TICKS = list(itertools.islice(InfiniteGameMarket(agents=12, seed=5, adjust_interval=50), 400))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def ticks(tmp_path) -> Path:
    file = tmp_path / "ticks.jsonl"
    file.write_bytes(b"".join(encode_tick(tick) + b"\n" for tick in TICKS))
    return file


def film(*arguments: object) -> int:
    return main(["film", *map(str, arguments)])


def contents(store: Path) -> dict[str, tuple[bytes, int]]:
    """Return all files, with the dates that the segments have."""
    return {
        str(path.relative_to(store)): (
            path.read_bytes(),
            int(path.stat().st_mtime) if path.suffix == ".zst" else 0,
        )
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


def filmed_live(folder: Path, ticks: Path, **options) -> Path:
    """Run a server on a tick file to its end; return its store."""
    settings = Settings(
        ticks=str(ticks), port=0, tick_rate=0, store_dir=folder / "live", **(SETTINGS | options)
    )
    with running_server(settings) as server:
        assert server.rig.pipeline.wait(PATIENCE)
    return folder / "live"


def test_two_films_of_one_recording_are_the_same_files(ticks, tmp_path):
    flags = (*SMALL, "--segment-seconds", "1", "--record-ticks")
    assert film(ticks, "--store", tmp_path / "a", *flags) == 0
    table = write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS))
    assert film(table, "--store", tmp_path / "b", *flags) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(Store(tmp_path / "a").segments("metrics")) == 4
    assert [run.id for run in Store(tmp_path / "a").runs()] == [
        next(iter(Store(tmp_path / "b").runs())).id
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"record_ticks": True},
        {"record_ticks": True, "match_share": 0.0, "prox_eps_pct": 0.02, "metric_downsample": 3},
        {"proximity": "neighbors", "burst_z": 1.0, "shock_z": 1.0, "segment_bytes": 20_000},
    ],
    ids=["default", "other edges", "neighbors"],
)
def test_lines_are_byte_for_byte_those_of_the_live_camera(options, ticks, tmp_path):
    live = filmed_live(tmp_path, ticks, **options)
    flags: list[object] = []
    for setting in described_settings():
        if setting.name in options:
            flags += [setting.flag, *([] if setting.is_switch else [options[setting.name]])]
    assert film(ticks, "--store", tmp_path / "film", *SMALL, *flags) == 0
    kinds = [kind for kind in KINDS if kind != "ticks" or "record_ticks" in options]
    for kind in kinds:
        lines = recorded(tmp_path / "film", kind)
        assert lines == recorded(live, kind)
        assert lines or kind == "events"


def test_what_a_store_has_recorded_can_be_filmed_again(ticks, tmp_path):
    live = filmed_live(tmp_path, ticks, record_ticks=True)
    assert film(live, "--store", tmp_path / "again", *SMALL) == 0
    assert recorded(tmp_path / "again", "frames") == recorded(live, "frames")
    run = Store(live).run().id
    wide = ("--W", "80", "--stride", "8", "--edge-cap", "60")
    assert film(live, "--run", run, "--store", tmp_path / "again", *wide) == 0
    assert [t["t"] for t in Store(tmp_path / "again").frames()] == list(range(80, 400, 8))
    assert film(live, "--run", "other", "--store", tmp_path / "again") == 2


def test_a_store_can_hold_the_films_of_its_own_ticks(ticks, tmp_path):
    live = filmed_live(tmp_path, ticks, record_ticks=True)
    before = {kind: recorded(live, kind) for kind in KINDS}
    run = Store(live).run().id
    assert film(live, "--store", live, "--W", 80, "--stride", 8, "--edge-cap", 60) == 0
    assert film(live, "--run", run, "--store", live, *SMALL, "--record-ticks") == 0
    store = Store(live)
    for kind in KINDS:
        assert recorded(live, kind) == list(store.lines(kind, run=run)) == before[kind]
    assert [run.about["camera"]["W"] for run in store.runs()] == [40, 80, 40]


def test_a_long_table_is_filmed_with_its_matches(ticks, tmp_path):
    agents = write_csv(tmp_path / "agents.csv.gz", long_rows(TICKS))
    matches = write_parquet(tmp_path / "matches.parquet", match_rows(TICKS))
    assert film(agents, "--matches", matches, "--store", tmp_path / "a", *SMALL) == 0
    assert film(ticks, "--store", tmp_path / "b", *SMALL) == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_table_can_be_served_as_well(ticks, tmp_path):
    table = write_parquet(tmp_path / "ticks.parquet", wide_rows(TICKS))
    live = filmed_live(tmp_path, table)
    assert film(ticks, "--store", tmp_path / "film", *SMALL) == 0
    assert recorded(live, "frames") == recorded(tmp_path / "film", "frames")


def test_the_embedded_market_is_filmed_for_as_many_ticks_as_asked(ticks, tmp_path, monkeypatch):
    monkeypatch.setenv("IG_TICKS", "/nowhere")  # of another source: it is named here
    flags = ("--agents", 12, "--seed", 5, "--adjust-interval", 50, *SMALL)
    assert film("--market", 400, "--store", tmp_path / "market", *flags) == 0
    assert film(ticks, "--store", tmp_path / "ticks", *SMALL) == 0
    for kind in KINDS[:2]:
        assert recorded(tmp_path / "market", kind) == recorded(tmp_path / "ticks", kind)
    about = Store(tmp_path / "market").run().about
    assert (about["source"], about["film"]["agents"], about["film"]["ticks"]) == ("market", 12, 400)


def test_the_market_with_groups_is_filmed_and_named(tmp_path):
    flags = ("--scenario", "ecology", "--agents", 12, "--seed", 5, *SMALL)
    assert film("--market", 100, "--record-ticks", "--store", tmp_path, *flags) == 0
    expected = [encode_tick(tick) for tick in itertools.islice(EcologyMarket(12, 5), 100)]
    assert recorded(tmp_path, "ticks") == expected
    assert Store(tmp_path).run().about["scenario"] == "ecology"


def test_the_start_and_the_rate_are_the_clock(ticks, tmp_path):
    flags = ("--start", "2026-01-24T13:00:00+01:00", "--tick-rate", "10")
    assert film(ticks, "--store", tmp_path, "--segment-seconds", "30", *flags, *SMALL) == 0
    entries = Store(tmp_path).segments("metrics")
    assert [(entry.path, entry.created_at) for entry in entries] == [
        ("metrics/segment_20260124_120000_0.jsonl.zst", "2026-01-24T12:00:30Z"),
        ("metrics/segment_20260124_120030_300.jsonl.zst", "2026-01-24T12:00:39Z"),
    ]
    run = Store(tmp_path).run()
    assert run.id.startswith("20260124_120000_")
    assert run.tick_rate == 10


def test_a_film_is_made_once_in_a_store_and_another_beside_it(ticks, tmp_path, capsys):
    store = tmp_path / "store"
    assert film(ticks, "--store", store, *SMALL) == 0
    before = contents(store)
    assert film(ticks, "--store", store, *SMALL) == 1
    assert "already, which began at the same moment" in capsys.readouterr().err
    assert contents(store) == before
    assert film(ticks, "--store", store, *SMALL, "--start", "2001-01-01") == 0
    assert len(Store(store).runs()) == 2


def test_another_recording_with_the_same_settings_is_another_film(ticks, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_bytes(tick_lines(state_tick(t) for t in range(100)))
    store = tmp_path / "store"
    for recording in (ticks, other):
        assert film(recording, "--store", store, *SMALL) == 0
    runs = [run.id for run in Store(store).runs()]
    assert len(set(runs)) == 2
    assert [len(list(Store(store).lines("metrics", run=run))) for run in runs] == [400, 100]


@pytest.mark.parametrize(
    ("content", "flags", "said"),
    [
        (b"", (), "no tick was filmed: there is none"),
        (b"x\n{}\n", (), "no tick was filmed: each of the 2 was refused"),
        (b"\nx\n", ("--bad-tick", "fail"), "line 2: not JSON"),
    ],
    ids=["empty", "skipped", "failed"],
)
def test_without_a_tick_there_is_nothing_to_film_and_nothing_is_made(
    content, flags, said, tmp_path, capsys
):
    file = tmp_path / "ticks.jsonl"
    file.write_bytes(content)
    assert film(file, "--store", tmp_path / "store", *SMALL, *flags) == 1
    assert f"marketcam: ticks from {file}: {said}" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_where_the_camera_refuses_every_tick_it_fails(tmp_path, capsys):
    file = tmp_path / "ticks.jsonl"
    line = (
        b'{"t":%d,"mid":1.0,"agents":[{"id":1,"side":"buy","price":-1.0},{"id":1}],"matches":[]}\n'
    )
    file.write_bytes(line % 1 + line % 2)
    assert film(file, "--store", tmp_path / "store", *SMALL) == 1
    err = capsys.readouterr().err
    assert err.endswith("no tick was filmed: each of the 2 was refused\n")
    assert "filmed no tick" not in err


def test_it_says_what_it_has_made(ticks, tmp_path, capsys):
    assert film(ticks, "--store", tmp_path / "store", *SMALL) == 0
    out, err = capsys.readouterr()
    run = Store(tmp_path / "store").run().id
    assert out == ""
    assert f"marketcam: filmed 400 ticks, to tick 399, as run {run}\n" in err
    assert "90 frames, 400 metrics: " in err
    assert "ticks/s" in err


def test_bad_ticks_are_skipped_or_end_the_film(tmp_path, capsys):
    bad = b'{"t":150,"mid":"x"}\n'
    file = tmp_path / "ticks.jsonl"
    lines = [tick_lines([state_tick(t)]) if t != 150 else bad for t in range(300)]
    file.write_bytes(b"".join(lines))
    assert film(file, "--store", tmp_path / "skip", *SMALL) == 0
    assert "299 ticks, to tick 299, 1 refused" in capsys.readouterr().err
    live = filmed_live(tmp_path, file)
    assert recorded(tmp_path / "skip", "frames") == recorded(live, "frames")
    assert film(file, "--store", tmp_path / "fail", *SMALL, "--bad-tick", "fail") == 1
    err = capsys.readouterr().err
    assert "ended early: 150 ticks, to tick 149" in err
    assert f"marketcam: ticks from {file}: line 151: tick 150: mid must be a number, got 'x'" in err
    assert len(recorded(tmp_path / "fail", "metrics")) == 150
    assert Store(tmp_path / "fail").run().ended_at is not None


def test_a_tick_that_the_camera_refuses_is_named_with_its_place(tmp_path, capsys):
    file = tmp_path / "ticks.jsonl"
    file.write_bytes(tick_lines([state_tick(5), state_tick(5)]))
    assert film(file, "--store", tmp_path / "s", *SMALL, "--bad-tick", "fail") == 1
    assert f"ticks from {file}: line 2: tick 5: t must increase" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_closes_what_it_has_and_says_how_far_it_came(number, tmp_path):
    command = ("-m", "marketcam.server.cli", "film", "-", *SMALL)
    with any_process(tmp_path, *command, "--store", str(tmp_path / "store")) as process:
        process.feed(tick_lines(state_tick(t) for t in range(100)) + b"no tick\n")
        process.wait_for_log("line_skipped")  # so the ticks before it are taken in
        assert process.stop(number) == 130
        process.wait_for_log("interrupted: 100 ticks, to tick 99, 1 refused, as run")
    store = Store(tmp_path / "store")
    assert len(recorded(tmp_path / "store", "metrics")) == 100
    assert not any(entry.pending for kind in KINDS[:2] for entry in store.segments(kind))
    assert store.run().ended_at is not None


def test_interrupted_at_work_it_loses_no_tick_that_it_says_it_has(tmp_path):
    command = ("-m", "marketcam.server.cli", "film", "--market", "10000000", *SMALL)
    store = tmp_path / "store"
    with any_process(tmp_path, *command, "--store", str(store)) as process:
        while not any((store / "metrics").glob("segment_*")):
            assert process.process.poll() is None
        assert process.stop(signal.SIGINT) == 130
        line = process.wait_for_log("interrupted: ").replace(",", "")
        assert "the recorder is closed" not in process.log
    said = re.search(r"(\d+) ticks to tick (\d+)", line)
    assert said is not None, line
    last_t = Store(store).last_t("metrics")
    assert (int(said[1]), int(said[2])) == (len(recorded(store, "metrics")), last_t)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--store", "s"], "either TICKS or --market N must be given, and not both"),
        (["t", "--market", "5", "--store", "s"], "either TICKS or --market N"),
        (["t"], "the following arguments are required: --store"),
        (
            ["t", "--store", "s", "--tick-rate", "0"],
            "--tick-rate (IG_TICK_RATE) must be more than 0",
        ),
        (["t", "--store", "s", "--start", "noon"], "must be a moment such as 2000-01-01T00:00"),
        (["t", "--store", "s", "--start", "1960-01-01"], "must lie in 1970 or later"),
        (["--market", "0", "--store", "s"], "argument --market: must be 1 or more, got '0'"),
        (["/nowhere/t", "--store", "s"], "ticks cannot be read from /nowhere/t: no such file"),
        (["t", "--store", "s", "--W", "0"], "--W (IG_CAM_W) must be 1 to 65535, got 0"),
        (["--market", "5", "--matches", "m", "--store", "s"], "must be set with --ticks"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    arguments, problem, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    try:
        code = film(*arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2
    err = capsys.readouterr().err
    assert problem in err
    assert err.count("\n") == 1
    assert not (tmp_path / "s").exists()
