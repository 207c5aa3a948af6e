"""`marketcam ls` and `marketcam cat` on stores written by the real recorder."""

import json
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from marketcam.io.store import Store, ZstdSegmentWriter
from marketcam.server.cli import main
from tests.store_helpers import SetClock

FULL = Path("/dev/full")
COMMAND = [sys.executable, "-m", "marketcam.server.cli"]


def write(store, kind, *segments):
    """Write segments of lines of these ticks, in one run; the lines that were written."""
    lines = []
    clock = SetClock()
    with ZstdSegmentWriter(kind, store, segment_seconds=1, clock=clock.clock) as writer:
        for ticks in segments:
            clock.advance(1)
            for t in ticks:
                line = {"type": kind[:-1], "t": t, "text": "x" * 100}
                writer.write_jsonline(line, t)
                lines.append(orjson.dumps(line))
    return lines


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def cat(capsysbinary, store, *arguments):
    code = main(["cat", str(store), *map(str, arguments)])
    out, err = capsysbinary.readouterr()
    return code, out.splitlines(), err.decode().splitlines()


def test_ls_shows_segments_and_totals(capsys, store):
    write(store, "frames", range(300, 400, 10))
    write(store, "metrics", range(2000), range(2000, 2001))

    assert main(["ls", str(store)]) == 0

    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["SEGMENT", "TICKS", "LINES", "SIZE", "CREATED", "RUN", "STATE"]
    frames, frames_total, first, second, metrics_total = (row.split() for row in rows)
    assert frames[0].startswith("frames/segment_")
    assert (frames[1], frames[2], frames[-1]) == ("300-390", "10", "closed")
    assert frames_total[:6] == ["frames,", "1", "in", "all", "10", frames[3]]
    assert (first[1], first[2]) == ("0-1999", "2,000")
    assert (second[1], second[2]) == ("2000-2000", "1")
    assert metrics_total[:5] == ["metrics,", "2", "in", "all", "2,001"]
    assert metrics_total[-2:] == ["0", "pending"]


def test_ls_shows_the_segment_being_written(capsys, store):
    writer = ZstdSegmentWriter("frames", store)
    writer.write_jsonline({"type": "frame", "t": 300}, 300)
    assert main(["ls", str(store)]) == 0
    _, row, total = capsys.readouterr().out.splitlines()
    assert row.split()[0].endswith("_pending.jsonl.zst")
    assert row.endswith("pending")
    assert total.endswith("1 pending")
    writer.close()


def test_ls_columns_are_aligned_and_never_cut(capsys, monkeypatch, store):
    monkeypatch.setenv("COLUMNS", "20")
    write(store, "metrics", range(5), range(5, 10_000))
    main(["ls", str(store)])
    header, first, second, total = capsys.readouterr().out.splitlines()
    for row, lines in ((header, "LINES"), (first, "5"), (second, "9,995"), (total, "10,000")):
        assert row[: header.index("LINES") + len("LINES")].endswith(f" {lines}")
        assert row[header.index("STATE") :] in {"STATE", "closed", "0 pending"}


def test_ls_json_gives_the_manifest_entries(capsys, store):
    write(store, "frames", range(300, 400, 10))
    write(store, "metrics", range(100))
    assert main(["ls", str(store), "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    manifests = [
        json.loads((store / kind / "manifest.json").read_text()) for kind in ("frames", "metrics")
    ]
    assert entries == [entry for manifest in manifests for entry in manifest]


def test_ls_lists_runs_and_segments_of_one(capsys, store):
    write(store, "metrics", range(100))
    write(store, "metrics", range(30), range(30, 50))
    first, second = Store(store).runs()

    assert main(["ls", str(store), "--runs"]) == 0
    header, *rows = (row.split() for row in capsys.readouterr().out.splitlines())
    assert header == ["RUN", "STARTED", "ENDED", "TICKS", "LINES", "SIZE", "HOLES"]
    assert [[row[0], row[1], row[3], row[4], row[-1]] for row in rows] == [
        [first.id, first.started_at, "0-99", "100", "0"],
        [second.id, second.started_at, "0-49", "50", "0"],
    ]

    assert main(["ls", str(store), "--runs", "--json", "--run", first.id]) == 0
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert record == {**first.to_dict(), "start_t": 0, "end_t": 99}

    for run, ticks in (("latest", ["0-29", "30-49"]), (first.id, ["0-99"]), ("all", None)):
        assert main(["ls", str(store), "--run", run]) == 0
        _, *rows, total = (row.split() for row in capsys.readouterr().out.splitlines())
        assert [row[1] for row in rows] == (ticks or ["0-99", "0-29", "30-49"])
        assert total[1] == str(len(rows))
        assert all(row[-2] in {first.id, second.id} for row in rows)


@pytest.mark.parametrize("command", [["ls"], ["cat", "metrics"]])
def test_no_such_run(capsys, store, command):
    write(store, "metrics", range(3))
    name, *rest = command
    assert main([name, str(store), *rest, "--run", "nobody"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"marketcam: the store at {store} has no run 'nobody'"


def test_cat_of_a_run_thinned_and_limited(capsysbinary, store):
    first = write(store, "metrics", range(100))
    second = write(store, "metrics", range(30), range(30, 50))
    name = Store(store).runs()[0].id
    for flags, expected in (
        ([], second),
        (["--run", "latest"], second),
        (["--run", name], first),
        (["--run", "all"], first + second),
        (["--every", 7], second[::7]),
        (["--run", "all", "--every", 9, "--limit", 12], (first + second)[::9][:12]),
        (["--limit", 0], []),
        (["--limit", 500], second),
        (["--from-t", 25, "--every", 10], second[25::10]),
    ):
        assert cat(capsysbinary, store, "metrics", *flags) == (0, expected, []), flags


@pytest.mark.parametrize("flags", [["--every", "0"], ["--limit", "-1"], ["--every", "x"]])
def test_cat_refuses_numbers_out_of_range(capsys, store, flags):
    with pytest.raises(SystemExit) as left:
        main(["cat", str(store), "metrics", *flags])
    assert left.value.code == 2
    least = 1 if flags[0] == "--every" else 0
    expected = f"{flags[0]}: must be {least} or more, got {flags[1]!r}"
    assert expected in capsys.readouterr().err


def test_ls_on_a_terminal(capsys, monkeypatch, store):
    write(store, "metrics", range(100))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "150")
    assert main(["ls", str(store)]) == 0
    out = capsys.readouterr().out
    assert "SEGMENT" in out
    assert "0-99" in out
    assert "metrics, 1 in all" in out


@pytest.mark.parametrize("arguments", [["ls"], ["cat", "frames"]])
def test_no_store(capsys, tmp_path, arguments):
    command, *rest = arguments
    assert main([command, str(tmp_path / "nowhere"), *rest]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"marketcam: there is no store at {tmp_path / 'nowhere'}\n")


def test_ls_of_another_folder(capsys, tmp_path):
    assert main(["ls", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line == f"marketcam: there is no store at {tmp_path}: it has no frames/, no metrics/, "
        "no ticks/, no events/"
    )


def test_cat_prints_all_lines_in_order(capsysbinary, store):
    lines = write(store, "metrics", range(100), range(100, 250))
    assert cat(capsysbinary, store, "metrics") == (0, lines, [])


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--from-t", 150], range(150, 250)),
        (["--to-t", 120], range(121)),
        (["--from-t", 90, "--to-t", 110], range(90, 111)),
        (["--from-t", 250], range(0)),
        (["--from-t=-5", "--to-t", 0], range(1)),
    ],
)
def test_cat_of_a_range_of_ticks(capsysbinary, store, flags, expected):
    lines = write(store, "metrics", range(100), range(100, 250))
    code, printed, _ = cat(capsysbinary, store, "metrics", *flags)
    assert code == 0
    assert printed == [lines[t] for t in expected]


def test_cat_of_the_segment_being_written(capsysbinary, store):
    write(store, "frames", range(10))
    writer = ZstdSegmentWriter("frames", store, flush_seconds=1e-9)
    writer.write_jsonline({"type": "frame", "t": 300}, 300)
    code, lines, errors = cat(capsysbinary, store, "frames", "--from-t", 300)
    assert (code, lines, errors) == (0, [b'{"type":"frame","t":300}'], [])
    writer.close()


def test_cat_of_a_damaged_segment_prints_what_is_whole_and_fails(capsysbinary, store):
    write(store, "metrics", range(50_000))
    (segment,) = (store / "metrics").glob("*.zst")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)

    code, lines, errors = cat(capsysbinary, store, "metrics")

    assert code == 1
    assert 0 < len(lines) < 50_000
    assert [json.loads(line)["t"] for line in lines] == list(range(len(lines)))
    assert len(errors) == 1
    assert segment.name in errors[0]


def test_cat_leaves_out_a_missing_file_and_says_so(capsysbinary, store):
    write(store, "metrics", range(5), range(5, 10))
    gone = min((store / "metrics").glob("*.zst"))
    gone.unlink()
    code, lines, errors = cat(capsysbinary, store, "metrics")
    assert code == 0
    assert len(lines) == 5
    assert errors == [f"note: metrics/{gone.name} is missing, no record says why: left out"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["movies"], "argument frames|metrics|ticks|events: invalid choice: 'movies'"),
        (["frames", "--from-t", "noon"], "argument --from-t: must be a tick number, got 'noon'"),
    ],
)
def test_cat_bad_usage(capsys, store, arguments, problem):
    with pytest.raises(SystemExit) as caught:
        main(["cat", str(store), *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"marketcam: {problem}")


def test_cat_of_a_range_the_wrong_way_round_is_bad_usage(capsys, store):
    write(store, "metrics", range(5))
    assert main(["cat", str(store), "metrics", "--from-t", "5", "--to-t", "4"]) == 2
    assert capsys.readouterr().err == "marketcam: --from-t must be at most --to-t, 4, got 5\n"


def test_cat_of_a_kind_that_was_not_recorded(capsys, store):
    write(store, "metrics", range(5))
    assert main(["cat", str(store), "ticks"]) == 1
    assert capsys.readouterr().err == f"marketcam: the store at {store} has no ticks\n"


def test_a_reader_that_has_had_enough_is_no_error(store):
    write(store, "metrics", range(50_000))
    with subprocess.Popen(
        [*COMMAND, "cat", store, "metrics"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert json.loads(process.stdout.readline())["t"] == 0
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(120) == 0


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(store):
    write(store, "metrics", range(5))
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "cat", store, "metrics"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"marketcam: no space left on device\n"
