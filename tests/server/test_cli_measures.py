"""`marketcam measures`: lines for a pipe, or a folder of Parquet that is whole or not there."""

from __future__ import annotations

import inspect
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest
from pyarrow import parquet

from marketcam.io import MeasureOptions, Store, measures_table
from marketcam.io.store import ZstdSegmentWriter
from marketcam.server.cli import main
from marketcam.server.cli.progress import TickBar
from tests.held_commands import interrupted
from tests.history_helpers import film_into, raw_ticks
from tests.server_helpers import fed_server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path):
    film_into(tmp_path / "store", raw_ticks(), segment_bytes=20_000)
    return tmp_path / "store"


def run(*arguments: object) -> int:
    return main(["measures", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_lines_are_the_rows(capfdbinary, store):
    assert run(store) == 0
    out, err = capfdbinary.readouterr()
    assert [orjson.loads(line) for line in out.splitlines()] == measures_table(
        Store(store)
    ).to_pylist()
    assert err == b""


def test_a_part_of_it(capfdbinary, store):
    flags = ["--from-t", 12, "--to-t", 50, "--every", 2, "--edges", "both,match"]
    assert run(store, *flags, "--measures", "modularity,edges", "--resolution", "1.5") == 0
    rows = [orjson.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    options = MeasureOptions(("both", "match"), ("modularity", "edges"), resolution=1.5)
    assert rows == measures_table(Store(store), 12, 50, every=2, options=options).to_pylist()
    assert list(rows[0])[4:6] == ["both_edges", "both_modularity"]


def test_files_are_the_tables(capsys, store, tmp_path):
    out = tmp_path / "out.parquet"
    assert run(store, out, "--communities") == 0
    tables = ["measures", "communities", "memberships"]
    for table in tables:
        expected = measures_table(Store(store), table=table)
        assert parquet.read_table(out / f"{table}.parquet") == expected
    said, err = capsys.readouterr()
    assert [line.split("  ")[0] for line in said.splitlines()] == [
        f"{out / table}.parquet" for table in tables
    ]
    assert err == ""
    assert run(store, out) == 2
    assert "is there already; only --force replaces" in capsys.readouterr().err
    assert run(store, out, "--force", "--run", Store(store).run().id) == 0
    assert names(out) == ["measures.parquet"]
    assert names(tmp_path) == ["out.parquet", "store"]


def test_an_export_of_something_else_is_not_replaced(capsys, store, tmp_path):
    out = tmp_path / "out.parquet"
    assert main(["export", str(store), str(out)]) == 0
    assert run(store, out, "--force") == 2
    assert "is no earlier export, and is not replaced" in capsys.readouterr().err
    assert "edges.parquet" in names(out)


def test_from_a_camera(store, tmp_path):
    of_run = Store(store).run().id
    with fed_server(tmp_path, store_dir=store) as (server, _):
        for place, name in ((server.listening.url, "far"), (store, "near")):
            assert run(place, tmp_path / name, "--run", of_run) == 0
    far, near = (parquet.read_table(tmp_path / n / "measures.parquet") for n in ("far", "near"))
    assert far == near
    assert far.num_rows == 13


def test_betweenness_that_was_left_out_is_said(capsys, store, tmp_path):
    assert run(store, tmp_path / "out", "--betweenness-steps", 0, "--edges", "match") == 0
    said = "13 graphs have no betweenness_centralization: it would have taken more than "
    assert capsys.readouterr().err == f"marketcam: {said}--betweenness-steps\n"


def test_a_range_without_a_frame_is_said(capsys, store, tmp_path):
    assert run(store, tmp_path / "out", "--from-t", 10**6) == 0
    out, err = capsys.readouterr()
    assert "  0 rows  " in out
    said = "marketcam: nothing was recorded of what was asked for"
    assert err.startswith(said)
    assert run(store, "--from-t", 10**6) == 0
    assert capsys.readouterr() == ("", f"{said}\n")


def test_a_bar_shows_how_far_it_is_where_lines_go_into_a_file(capfdbinary, monkeypatch, store):
    shown = []
    monkeypatch.setattr(TickBar, "show", lambda _, *far: shown.append(far))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(store, "--edges", "match", "--measures", "density") == 0
    assert len(shown) == len(capfdbinary.readouterr().out.splitlines()) == 13
    assert shown[-1][0] == "frames"
    assert shown[-1][1] == shown[-1][2]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(store, "--edges", "match", "--measures", "density") == 0
    assert len(shown) == 13


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--from-t", 5, "--to-t", 4], "--from-t must be at most --to-t, 4, got 5"),
        (["--measures", "radius"], "--measures must be some of edges, weight, density, "),
        (["--edges", "all"], "--edges must be some of match, quote_proximity, both, got 'all'"),
        (["--overlap", "2"], "--overlap must be above 0 and at most 1, got 2.0"),
        (["--resolution", "0"], "--resolution must be a number above 0, got 0.0"),
        (["--communities"], "--communities is for OUT.parquet, which was not given"),
        (["--force"], "--force is for OUT.parquet, which was not given"),
    ],
)
def test_what_makes_no_sense(capsys, store, flags, problem):
    assert run(store, *flags) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--every", "0"], "--every: must be 1 or more, got '0'"),
        (["--overlap", "much"], "--overlap: must be a number, got 'much'"),
        (["--absence", "-1"], "--absence: must be 0 or more, got '-1'"),
    ],
)
def test_bad_usage(capsys, store, flags, problem):
    with pytest.raises(SystemExit) as caught:
        run(store, *flags)
    assert caught.value.code == 2
    assert problem in capsys.readouterr().err


def test_no_frames_no_run_and_no_store(capsys, store, tmp_path):
    with ZstdSegmentWriter("metrics", store) as writer:
        writer.write_jsonline({"type": "metric", "t": 0}, 0)
    first, latest = (each.id for each in Store(store).runs())
    assert run(store, tmp_path / "out") == 1
    assert run(store) == 1
    assert run(store, "--run", "yesterday") == 1
    assert run(tmp_path / "nowhere") == 1
    said = capsys.readouterr().err.splitlines()
    assert (
        said[0]
        == said[1]
        == (
            f"marketcam: {store}: there are no frames to measure in run {latest}; "
            f"run {first} has them"
        )
    )
    assert "yesterday" in said[2]
    assert "there is no store at" in said[3]
    assert names(tmp_path) == ["store"]


def test_damage_leaves_nothing_behind(capsys, store, tmp_path):
    segment = min((store / "frames").glob("*.zst"))
    data = bytearray(segment.read_bytes())
    data[0] ^= 0xFF
    segment.write_bytes(data)
    assert run(store, tmp_path / "out.parquet") == 1
    assert segment.name in capsys.readouterr().err
    assert names(tmp_path) == ["store"]


def test_without_igraph_it_is_said_how_to_get_it(capsys, monkeypatch, store):
    monkeypatch.setitem(sys.modules, "igraph", None)
    assert run(store) == 2
    said = "needs igraph, which is not here: pip install 'marketcam[measures]'\n"
    assert capsys.readouterr().err == f"marketcam: {said}"


def test_igraph_is_loaded_without_what_draws(store):
    program = (
        f"import sys; from marketcam.server.cli import main; main(['measures', {str(store)!r}])"
    )
    program += "; print('igraph' in sys.modules, 'matplotlib' in sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stderr == b"True False\n"


def test_the_defaults_in_the_help_are_those_of_the_options(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    text = " ".join(capsys.readouterr().out.split())
    for name, parameter in inspect.signature(MeasureOptions).parameters.items():
        if name not in ("graphs", "names", "communities"):
            flag = f"--{name.replace('_', '-')} "
            [default] = re.findall(rf"{flag}[A-Z]+ [^\[]+\[([^\]]+)\]", text)
            assert float(default) == parameter.default


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_and_says_so(number, store, tmp_path):
    out = tmp_path / "out.parquet"
    method = "marketcam.io.measuring.tables.FrameTables.add"
    said = interrupted(method, number, out, "measures", store, out)
    assert said == f"marketcam: interrupted: {out} was not written\n"
    assert names(tmp_path) == ["store"]
