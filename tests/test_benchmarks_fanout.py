"""The fan-out benchmarks measure what they say, with a handful of clients and messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks import fanout
from benchmarks.fanout_messages import FIRST_T, Turn, as_dict, as_text
from benchmarks.fanout_readers import Crowd, Expected
from benchmarks.fanout_servers import allow_files, running

if TYPE_CHECKING:
    from pathlib import Path

FEW = ["--clients", "4", "--readers", "2", "--repetitions", "1"]


def test_both_forms_of_a_message_are_of_the_size_asked_for():
    turn = Turn(FIRST_T, 1, 200)
    text, fields = as_text(turn, FIRST_T), as_dict(turn, FIRST_T)
    again = json.dumps(fields, separators=(",", ":")).encode()
    assert (len(text), len(again)) == (200, 200)
    read = json.loads(text)
    assert list(read) == list(fields)
    assert (read["type"], read["t"]) == ("metric", FIRST_T)


@pytest.mark.parametrize("together", [1, 2])
def test_every_server_delivers_all_to_everyone(together: int, tmp_path: Path, capsys):
    figures = tmp_path / "figures.json"
    flags = ["--together", str(together), "--moments", "3", "--rate", "50", "--json", str(figures)]
    assert fanout.main(["deliveries", *FEW, *flags]) in {0, 1}  # the machine may be busy
    assert f"| {together}, broadcast |" in capsys.readouterr().out
    [samples] = json.loads(figures.read_bytes())["samples"].values()
    assert set(samples) == {"bare", "hub", "broadcast", "plain"}
    for [sample] in samples.values():
        assert sample["complete"]
        assert sample["deliveries"] == 4 * 3 * together
        assert sample["p99"] >= sample["p50"] > 0
        assert sample["processor"] > 0


def test_large_frames_come_whole(tmp_path: Path):
    figures = tmp_path / "figures.json"
    flags = ["--size", "300000", "--json", str(figures)]
    assert fanout.main(["frames", *FEW, *flags]) in {0, 1}
    samples = json.loads(figures.read_bytes())["samples"]
    assert set(samples) == {"bare", "hub", "broadcast", "plain"}
    assert all(sample["complete"] for [sample] in samples.values())


def test_what_is_lost_or_doubled_is_noticed():
    with running("broadcast") as server:
        crowd = Crowd(server.port, 1)
        try:
            crowd.connect(2)
            crowd.expect(Expected(FIRST_T, FIRST_T + 5))
            server.send(Turn(FIRST_T, 2, 200, seconds=0.0))
            server.send(Turn(FIRST_T + 1, 1, 200, seconds=0.0))  # again
            server.send(Turn(FIRST_T + 4, 2, 200, seconds=0.0))  # two are left out
            came = crowd.arrivals()
        finally:
            crowd.leave()
    assert (came.readers, came.counted, came.least, came.wrong) == (2, 10, 5, 4)
    assert not came.are_complete(6)


def test_a_limit_on_files_that_is_too_low_is_told():
    with pytest.raises(SystemExit, match=r"may open \d+ files, this needs 1000000000000"):
        allow_files(10**12)


def test_those_who_do_not_read_are_sent_away_and_told(tmp_path: Path, capsys):
    figures = tmp_path / "figures.json"
    flags = ["--clients", "8", "--readers", "1", "--stalled", "4", "--slow-seconds", "1"]
    assert fanout.main(
        ["stalled", *flags, "--fill", "1000000", "--moments", "4", "--json", str(figures)]
    ) in {0, 1}
    assert "| some do not |" in capsys.readouterr().out
    found = json.loads(figures.read_bytes())
    assert (found["sent_away"], found["files_left"]) == (4, 0)
    [(told, count)] = found["ends"].items()
    assert told.startswith("1013 too slow")
    assert count == 2
    assert all(of_server["complete"] for of_server in found["servers"].values())


def test_the_whole_server_is_measured_from_its_input_to_the_sockets(tmp_path: Path):
    figures = tmp_path / "figures.json"
    flags = ["--clients", "30", "--readers", "2", "--seconds", "0.5", "--json", str(figures)]
    assert fanout.main(["crowd", *flags]) in {0, 1}
    found = json.loads(figures.read_bytes())
    assert found["checks"]["every client was sent every message once, in order"]
    assert found["deliveries"] >= 30 * 10
    assert 0 < found["p50"] <= found["p99"]


def test_nothing_is_left_of_those_who_come_and_go(tmp_path: Path):
    figures = tmp_path / "figures.json"
    flags = ["--clients", "3", "--readers", "1", "--leavers", "1", "--minutes", "0.1"]
    assert fanout.main(["soak", *flags, "--json", str(figures)]) in {0, 1}
    found = json.loads(figures.read_bytes())
    assert found["files_left"] == 0
    assert found["connections"] > 0
    assert found["checks"]["every client that stayed was sent everything"]
