"""`marketcam export`: what was recorded comes back from Parquet; whole files or none."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from pyarrow import parquet

from marketcam.engine import LimitError
from marketcam.io import ExportError, ExportOptions, Store, arrow_schema, arrow_table, encode_tick
from marketcam.io import parquet as exporting
from marketcam.io.parquet_folder import ExportTargetError
from marketcam.io.sources.tick_tables import TickTable
from marketcam.io.store import ZstdSegmentWriter
from marketcam.server.cli import main
from tests.held_commands import interrupted
from tests.history_helpers import film_into, raw_ticks
from tests.server_helpers import fed_server

TABLES = ["nodes", "edges", "metrics", "ticks"]


@pytest.fixture
def store(tmp_path):
    film_into(tmp_path / "store", raw_ticks(), segment_bytes=20_000)
    return tmp_path / "store"


def export(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_table_is_a_file(capsys, store, tmp_path):
    out = tmp_path / "out.parquet"
    assert export(store, out) == 0
    history = Store(store)
    for table in TABLES:
        assert parquet.read_table(out / f"{table}.parquet") == arrow_table(history, table)
    printed = capsys.readouterr()
    assert [line.split("  ")[0] for line in printed.out.splitlines()] == [
        f"{out / table}.parquet" for table in TABLES
    ]
    assert printed.err == ""
    assert names(tmp_path) == ["out.parquet", "store"]


def test_files_are_compressed_in_row_groups(monkeypatch, store, tmp_path):
    from marketcam.io import arrow_tables  # noqa: PLC0415

    monkeypatch.setattr(arrow_tables, "BATCH_ROWS", 100)
    assert export(store, tmp_path / "out.parquet") == 0
    file = parquet.ParquetFile(tmp_path / "out.parquet" / "edges.parquet")
    groups = [file.metadata.row_group(k) for k in range(file.num_row_groups)]
    assert len(groups) > 3
    assert all(100 <= group.num_rows < 200 for group in groups[:-1])
    assert {group.column(k).compression for group in groups for k in range(5)} == {"ZSTD"}
    assert file.schema_arrow == arrow_schema("edges")


def test_a_part_of_some_kinds_thinned(store, tmp_path):
    out = tmp_path / "out.parquet"
    flags = ["--from-t", 20, "--to-t", 41, "--kinds", "ticks,frames", "--every", 2]
    assert export(store, out, *flags) == 0
    assert names(out) == ["edges.parquet", "nodes.parquet", "ticks.parquet"]
    ticks = parquet.read_table(out / "ticks.parquet", columns=["t"])["t"].to_pylist()
    assert ticks == list(range(20, 42, 2))
    nodes = parquet.read_table(out / "nodes.parquet", columns=["t"])["t"].to_pylist()
    assert sorted(set(nodes)) == [20, 28, 36]


def test_one_run_or_all(store, tmp_path):
    second = film_into(store, raw_ticks(20))
    first_run, second_run = (run.id for run in Store(store).runs())
    for name, flags, runs in (
        ("latest", [], {second_run}),
        ("first", ["--run", first_run], {first_run}),
        ("all", ["--run", "all"], {first_run, second_run}),
    ):
        assert export(store, tmp_path / name, *flags) == 0
        table = parquet.read_table(tmp_path / name / "ticks.parquet")
        assert set(table["run"].to_pylist()) == runs
    assert parquet.read_table(tmp_path / "all" / "ticks.parquet").num_rows == 60 + len(
        second["ticks"]
    )


def test_from_a_camera(store, tmp_path):
    (run,) = (run.id for run in Store(store).runs())
    with fed_server(tmp_path, store_dir=store) as (server, _):
        for place, name in ((server.listening.url, "far"), (store, "near")):
            assert export(place, tmp_path / name, "--run", run) == 0
    for table in TABLES:
        far, near = (parquet.read_table(tmp_path / n / f"{table}.parquet") for n in ("far", "near"))
        assert far == near


def test_what_is_there_is_not_overwritten(capsys, store, tmp_path):
    out = tmp_path / "out.parquet"
    assert export(store, out, "--kinds", "metrics") == 0
    capsys.readouterr()
    assert export(store, out) == 2
    said = f"marketcam: {out} is there already; only --force replaces an earlier export\n"
    assert capsys.readouterr().err == said
    assert names(out) == ["metrics.parquet"]
    assert export(store, out, "--force", "--kinds", "frames") == 0
    assert names(out) == ["edges.parquet", "nodes.parquet"]
    assert names(tmp_path) == ["out.parquet", "store"]


def test_only_an_export_is_replaced(capsys, store, tmp_path):
    precious = tmp_path / "home"
    precious.mkdir()
    (precious / "letter.txt").write_text("dear")
    for target in (precious, precious / "letter.txt", store):
        assert export(store, target, "--force") == 2
        assert capsys.readouterr().err.endswith("is no earlier export, and is not replaced\n")
    assert (precious / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--from-t", 5, "--to-t", 4], 2, "--from-t must be at most --to-t, 4, got 5"),
        (["--run", "yesterday"], 1, "yesterday"),
    ],
)
def test_what_makes_no_sense(capsys, store, tmp_path, arguments, code, problem):
    assert export(store, tmp_path / "out.parquet", *arguments) == code
    assert problem in capsys.readouterr().err
    assert names(tmp_path) == ["store"]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--kinds", "frames,films"], "--kinds: must be some of frames, metrics, ticks, got"),
        (["--every", "0"], "--every: must be 1 or more, got '0'"),
        (["--from-t", "noon"], "--from-t: must be a tick number, got 'noon'"),
    ],
)
def test_bad_usage(capsys, store, tmp_path, flags, problem):
    with pytest.raises(SystemExit) as caught:
        export(store, tmp_path / "out.parquet", *flags)
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


def test_no_store_no_lines_no_parent(capsys, store, tmp_path):
    assert export(tmp_path / "nowhere", tmp_path / "out.parquet") == 1
    assert export(store, tmp_path / "no" / "out.parquet") == 2
    (tmp_path / "empty" / "frames").mkdir(parents=True)
    assert export(tmp_path / "empty", tmp_path / "out.parquet") == 1
    said = capsys.readouterr().err.splitlines()
    assert "there is no store at" in said[0]
    assert "must be a folder that is there, for out.parquet" in said[1]
    assert "no run" in said[2]


def test_a_kind_that_is_not_there_is_said(capsys, tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path / "store") as writer:
        metric = {"t": 0, "s": dict.fromkeys(("price_norm", "volatility", "liquidity"), 0.5)}
        metric["s"]["imbalance"] = 0.0
        writer.write_jsonline({"type": "metric", "N": 1, "avg_exp": 0, "matches_n": 0} | metric, 0)
    out = tmp_path / "out.parquet"
    assert export(tmp_path / "store", out, "--kinds", "ticks,metrics") == 1
    run = Store(tmp_path / "store").run().id
    assert capsys.readouterr().err == f"marketcam: there are no ticks to export in run {run}\n"
    assert export(tmp_path / "store", out) == 0
    assert names(out) == ["metrics.parquet"]


def test_a_run_that_has_what_the_latest_has_not_is_named(capsys, store, tmp_path):
    first = Store(store).run().id
    with ZstdSegmentWriter("metrics", store) as writer:
        writer.write_jsonline({"type": "metric", "t": 0}, 0)
    assert export(store, tmp_path / "out.parquet", "--kinds", "frames,ticks") == 1
    latest = Store(store).run().id
    said = f"there are no frames and no ticks to export in run {latest}; run {first} has them\n"
    assert capsys.readouterr().err == f"marketcam: {said}"


def test_a_range_without_a_line_is_said(capsys, store, tmp_path):
    assert export(store, tmp_path / "out.parquet", "--from-t", 10**6) == 0
    out, err = capsys.readouterr()
    assert out.count("  0 rows  ") == len(TABLES)
    assert err.startswith("marketcam: nothing was recorded of what was asked for")


def test_damage_leaves_nothing_behind(capsys, store, tmp_path):
    segment = min((store / "frames").glob("*.zst"))
    data = bytearray(segment.read_bytes())
    data[0] ^= 0xFF
    segment.write_bytes(data)
    out = tmp_path / "out.parquet"
    assert export(store, out) == 1
    assert segment.name in capsys.readouterr().err
    assert names(tmp_path) == ["store"]


def test_an_earlier_export_stays_until_the_new_one_is_whole(store, tmp_path):
    out = tmp_path / "out.parquet"
    assert export(store, out, "--kinds", "metrics") == 0

    def fail(kind, done, total):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        exporting.export_parquet(Store(store), out, ExportOptions(force=True), fail)
    assert names(out) == ["metrics.parquet"]
    assert names(tmp_path) == ["out.parquet", "store"]


@pytest.mark.parametrize("after", [False, True], ids=["refused", "interrupted after it"])
@pytest.mark.parametrize("which", [0, 1], ids=["first", "second"])
def test_whatever_ends_the_renaming_leaves_one_whole_export(
    monkeypatch, store, tmp_path, which, after
):
    out = tmp_path / "out.parquet"
    assert export(store, out, "--kinds", "metrics") == 0
    rename, done = Path.rename, []

    def failing(path, target):
        done.append(path)
        if len(done) != which + 1:
            return rename(path, target)
        if after:
            rename(path, target)
            raise KeyboardInterrupt
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", failing)
    assert export(store, out, "--kinds", "ticks", "--force") == (130 if after else 1)
    whole = "ticks.parquet" if (which, after) == (1, True) else "metrics.parquet"
    assert names(out) == [whole]
    assert names(tmp_path) == ["out.parquet", "store"]


def test_where_the_earlier_export_cannot_be_put_back_it_is_said_where_it_is(
    capsys, monkeypatch, store, tmp_path
):
    out = tmp_path / "out.parquet"
    assert export(store, out, "--kinds", "metrics") == 0
    rename = Path.rename

    def only_away(path, target):
        if target == out:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", only_away)
    assert export(store, out, "--force") == 1
    old = tmp_path / f".out.parquet.{os.getpid()}.old"
    said = f"{out} could not be replaced, and the earlier export lies in {old}: Input/output error"
    assert said in capsys.readouterr().err
    assert names(old) == ["metrics.parquet"]


def test_what_a_killed_replacement_left_is_told_and_goes_with_force(capsys, store, tmp_path):
    out, old = tmp_path / "out.parquet", tmp_path / ".out.parquet.123.old"
    assert export(store, out, "--kinds", "metrics") == 0
    out.rename(old)
    (tmp_path / ".out.parquet.notes.old").mkdir()
    capsys.readouterr()
    assert export(store, out) == 2
    assert f"{old} is an earlier export to out.parquet, whose" in capsys.readouterr().err
    assert export(store, out, "--force") == 0
    assert names(tmp_path) == [".out.parquet.notes.old", "out.parquet", "store"]


@pytest.mark.parametrize("force", [False, True])
def test_what_comes_under_the_name_meanwhile_is_not_touched(store, tmp_path, force):
    out = tmp_path / "out.parquet"

    def come(kind, done, total):
        out.mkdir(exist_ok=True)
        (out / "letter.txt").write_text("dear")

    problem = "is no earlier export" if force else "is there already"
    with pytest.raises(ExportTargetError, match=problem):
        exporting.export_parquet(Store(store), out, ExportOptions(force=force), come)
    assert (out / "letter.txt").read_text() == "dear"
    assert names(tmp_path) == ["out.parquet", "store"]


def test_progress_goes_to_its_end(store, tmp_path):
    steps: list[tuple[int, int]] = []
    exporting.export_parquet(
        Store(store), tmp_path / "out", None, lambda _, done, total: steps.append((done, total))
    )
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert len({total for _, total in steps}) == 1
    assert steps[-1][0] == steps[-1][1]


def test_options_are_checked():
    with pytest.raises(LimitError, match=r"from_t must be at most to_t \(4\), got 5"):
        ExportOptions(5, 4)
    with pytest.raises(LimitError, match="every must be at least 1, got 0"):
        ExportOptions(every=0)


def test_nothing_to_export(tmp_path):
    film_into(tmp_path / "store", raw_ticks(5))
    with pytest.raises(ExportError, match="there are no frames to export"):
        exporting.export_parquet(
            Store(tmp_path / "store"), tmp_path / "out", ExportOptions(kinds=("frames",))
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_and_says_so(number, store, tmp_path):
    out = tmp_path / "out.parquet"
    method = "marketcam.io.parquet_folder.ParquetFile.write"
    said = interrupted(method, number, out, "export", store, out)
    assert said == f"marketcam: interrupted: {out} was not written\n"
    assert names(tmp_path) == ["store"]


def test_ticks_come_back_as_they_were(store, tmp_path):
    assert export(store, tmp_path / "out.parquet", "--kinds", "ticks") == 0
    ticks = TickTable(tmp_path / "out.parquet" / "ticks.parquet")
    assert [encode_tick(tick) for tick in ticks] == list(Store(store).lines("ticks"))
