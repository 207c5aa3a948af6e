"""`marketcam verify`, `recover` and `prune` on stores written by the real writer."""

import json
import os

import pytest

from marketcam.io.store import Store, ZstdSegmentWriter
from marketcam.io.store.files import share
from marketcam.server.cli import main
from tests.store_helpers import leave_pending, line, lines, manifest, segment_files


@pytest.fixture
def store(tmp_path):
    """A store of four closed segments of one line each."""
    with ZstdSegmentWriter("metrics", tmp_path / "store", segment_bytes=1) as writer:
        for t in range(4):
            writer.write_line(line(t), t)
    return tmp_path / "store"


def told(capsys):
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_verify_a_clean_store(capsys, store):
    assert main(["verify", str(store)]) == 0
    (summary,), err = told(capsys)
    assert summary.startswith("4 segments, 4 lines, 0.0 MB of JSON in ")
    assert summary.endswith(": clean")
    assert err == []


def test_verify_lists_damage_and_notes(capsys, store):
    first = segment_files(store)[0]
    first.write_bytes(first.read_bytes()[:-1])
    (store / "metrics" / "mine.txt").write_text("")
    assert main(["verify", str(store), "--parse"]) == 1
    (torn, size, note, summary), _ = told(capsys)
    assert torn.startswith(f"damage  metrics/{first.name}: the segment ends 1 bytes before")
    assert " in the manifest, " in size
    assert note.startswith("note    metrics/mine.txt: is no segment")
    assert summary.endswith(": 2 damaged places")


def test_verify_as_json(capsys, store):
    segment_files(store)[0].unlink()
    assert main(["verify", str(store), "--json", "--kind", "metrics"]) == 1
    (text,), _ = told(capsys)
    found = json.loads(text)
    assert (found["clean"], found["segments"], found["lines"]) == (False, 3, 3)
    assert [one["path"] for one in found["damage"]] == [manifest(store)[0]["path"]]
    assert found["json_mb_per_second"] >= 0
    assert main(["verify", str(store), "--json", "--kind", "frames"]) == 0


@pytest.mark.parametrize("command", [["verify"], ["recover"], ["prune", "--keep", "1"]])
def test_what_cannot_be_done_is_said_in_one_line(capsys, store, tmp_path, command):
    name, *flags = command
    assert main([name, *flags, str(tmp_path / "nowhere")]) == 2
    (problem,) = told(capsys)[1]
    assert f"there is no store at {tmp_path / 'nowhere'}" in problem
    records = [record | {"format": 99} for record in manifest(store)]
    (store / "metrics" / "manifest.json").write_text(json.dumps(records))
    assert main([name, *flags, str(store)]) == 2
    (problem,) = told(capsys)[1]
    assert "format must be at most 1, got 99: a newer marketcam" in problem


@pytest.mark.parametrize("command", [["recover"], ["prune", "--keep", "1", "--yes"]])
def test_a_store_that_is_written_is_refused(capsys, tmp_path, command):
    name, *flags = command
    with ZstdSegmentWriter("metrics", tmp_path) as writer:
        writer.write_line(line(0), 0)
        assert main([name, *flags, str(tmp_path)]) == 2
    (problem,) = told(capsys)[1]
    assert f"is being written by process {os.getpid()}" in problem


def test_recover_tells_what_it_does_and_how_it_went(capsys, tmp_path):
    leave_pending(tmp_path)
    assert main(["recover", str(tmp_path)]) == 0
    *_, recovered, summary = told(capsys)[0]
    assert recovered.split() == [
        "segment",
        "recovered",
        manifest(tmp_path)[0]["path"],
        "lines",
        "40",
    ]
    assert summary == "whole: 1 recovered"
    assert main(["recover", str(tmp_path)]) == 0
    assert told(capsys)[0] == ["whole: nothing had to be done"]
    assert main(["verify", str(tmp_path)]) == 0


def test_recover_exit_codes_of_partial_and_nothing(capsys, tmp_path):
    with ZstdSegmentWriter("metrics", tmp_path) as writer:
        for t, text in enumerate(lines(0, 40)):
            writer.write_line(text, t)
            writer.flush()
    (path,) = segment_files(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert main(["recover", str(tmp_path)]) == 1
    assert told(capsys)[0][-1] == "partial: 1 recovered, 1 set aside, 1 saved in part"
    assert main(["verify", str(tmp_path)]) == 0
    path.write_bytes(b"nothing of it")
    told(capsys)
    assert main(["recover", str(tmp_path)]) == 3
    assert told(capsys)[0][-1] == "nothing: 1 recorded as removed, 1 set aside, 1 lost"


def test_prune_says_first_and_does_then(capsys, store):
    before = segment_files(store)
    assert main(["prune", "--keep", "1", str(store)]) == 0
    *gone, summary = told(capsys)[0]
    assert [text.split()[:3] for text in gone] == [
        ["would", "go", f"metrics/{path.name}"] for path in before[:3]
    ]
    assert summary.endswith("would go; --yes removes them")
    assert segment_files(store) == before
    with before[0].open("rb") as reader:
        share(reader)
        assert main(["prune", "--keep", "1", str(store)]) == 0
        assert told(capsys)[0][-2].split()[0] == "held"
        assert main(["prune", "--keep", "1", "--yes", str(store)]) == 1
    *_, held, summary = told(capsys)[0]
    assert held.split()[:2] == ["held", f"metrics/{before[0].name}"]
    assert summary.startswith("2 segments, ")
    assert segment_files(store) == [before[0], before[3]]
    assert main(["prune", "--bytes", "0", "--yes", str(store)]) == 0
    assert list(Store(store).lines("metrics", run="all")) == []
    assert main(["verify", str(store)]) == 0


def test_prune_by_age(capsys, store):
    assert main(["prune", "--older", "1", "--yes", str(store)]) == 0
    assert told(capsys)[0] == ["0 segments, 0 bytes removed"]
    leave_pending(store.parent / "old")
    main(["recover", str(store.parent / "old")])
    assert len(segment_files(store)) == 4


@pytest.mark.parametrize(
    "flags", [[], ["--keep", "-1"], ["--keep", "1", "--bytes", "5"], ["--older", "0"]]
)
def test_prune_bad_usage(capsys, store, flags):
    with pytest.raises(SystemExit) as caught:
        main(["prune", *flags, str(store)])
    assert caught.value.code == 2
    assert len(told(capsys)[1]) == 1
