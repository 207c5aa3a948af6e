"""Films by real worker processes, one of which is killed in the middle: the same bytes."""

from __future__ import annotations

import itertools
import pickle
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import encode_tick
from marketcam.io.store import Store, StoreError
from marketcam.server.cli import main
from marketcam.server.cli.film_seeds import settings_of_seeds, without_secrets
from marketcam.server.cluster import Choice, open_cluster
from marketcam.server.pieces import seeds
from marketcam.server.pieces.seeds import SeedFilm, SeedRequest, film_seed, folder_aside, store_of
from marketcam.server.settings import Settings, described_settings
from tests.cluster_helpers import Losing, importable_tests
from tests.piece_helpers import files, filmed
from tests.server_helpers import PATIENCE, any_process, recorded, state_tick, tick_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketcam.server.cluster import Cluster

START = datetime(2000, 1, 1, tzinfo=UTC)
SMALL = ("--W", "20", "--stride", "4", "--edge-cap", "40")
CAMERA = {"window": 20, "stride": 4, "edge_cap": 40}
MARKET = {"agents": 8, "adjust_interval": 50}
FLAGS = ("--agents", "8", "--adjust-interval", "50", *SMALL)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for setting in described_settings():
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with importable_tests(), open_cluster(Choice(workers=2), PATIENCE) as cluster:
        yield cluster


def contents(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in files(store)}


def test_a_recording_of_which_a_worker_is_killed_in_the_middle(cluster, tmp_path):
    file = tmp_path / "ticks.jsonl"
    ticks = itertools.islice(InfiniteGameMarket(seed=5, **MARKET), 400)
    file.write_bytes(b"".join(encode_tick(tick) + b"\n" for tick in ticks))
    given = CAMERA | {"ticks": str(file), "record_ticks": True}
    losing = Losing(cluster)
    pieces = filmed(tmp_path / "pieces", START, losing, 30, **given)
    assert losing.killed is not None
    assert pieces == filmed(tmp_path / "one", START, **given)


def test_seeds_of_which_a_worker_is_killed_in_the_middle(cluster, tmp_path):
    store = tmp_path / "seeds"
    settings = [Settings(store_dir=store, seed=seed, **CAMERA, **MARKET) for seed in range(6)]
    losing = Losing(cluster)
    with folder_aside(store) as aside:
        requests = [SeedRequest(of_seed, START, 100, aside) for of_seed in settings]
        films = dict(losing.spread(film_seed, requests, in_order=False))
    assert losing.killed is not None
    assert {str(request) for request in films} == {f"seed {seed}" for seed in range(6)}
    for seed in (0, 5):
        given = CAMERA | MARKET | {"seed": seed}
        alone = filmed(tmp_path / f"alone_{seed}", START, market_ticks=100, **given)
        assert contents(store_of(store, seed)) == alone["files"]
    assert sorted(path.name for path in store.iterdir() if path.is_dir()) == [
        f"seed_{seed}" for seed in range(6)
    ]


def test_seeds_that_are_there_are_kept_and_other_films_are_refused(tmp_path, capsys):
    store = tmp_path / "seeds"
    command = ["film", "--market", "60", "--store", str(store), *FLAGS]
    assert main([*command, "--seeds", "1,3"]) == 0
    assert "filmed 2 seeds: 120 ticks" in capsys.readouterr().err
    before = contents(store_of(store, 3))
    assert main([*command, "--seeds", "1:4:1"]) == 0
    assert "filmed 4 seeds, 2 of them before: 120 ticks" in capsys.readouterr().err
    assert contents(store_of(store, 3)) == before
    assert main([*command, "--seeds", "3", "--stride", "5"]) == 1
    assert f"{store_of(store, 3)} is there, and does not hold the run" in capsys.readouterr().err
    assert main(["film", "--market", "60", "--store", str(tmp_path / "one"), *FLAGS]) == 0
    assert Store(store_of(store, 1)).run().about["seed"] == 1


def test_a_folder_that_a_worker_does_not_see_is_said(tmp_path):
    settings = Settings(store_dir=tmp_path, **CAMERA, **MARKET)
    with pytest.raises(StoreError, match=r"nowhere is not to be seen from a worker: seeds are"):
        film_seed(SeedRequest(settings, START, 10, tmp_path / "nowhere"))


def test_what_a_killed_process_left_aside_is_removed(tmp_path):
    (tmp_path / ".filming_0" / "seed_1_x").mkdir(parents=True)
    with folder_aside(tmp_path) as aside:
        assert [path.name for path in tmp_path.glob(".filming_*")] == [aside.name]
    assert not list(tmp_path.glob(".filming_*"))


def test_what_was_left_aside_and_is_still_written_is_no_matter(tmp_path, monkeypatch):
    def remove(path, *, ignore_errors=False):
        if not ignore_errors:
            raise OSError(f"{path} is not empty")

    (tmp_path / ".filming_0").mkdir()
    monkeypatch.setattr(seeds.shutil, "rmtree", remove)
    with folder_aside(tmp_path) as aside:
        assert aside.is_dir()


def test_a_twin_that_was_quicker_has_filmed_the_seed(tmp_path, monkeypatch):
    request = SeedRequest(Settings(store_dir=tmp_path, seed=1), START, 10, tmp_path)

    def film_with_a_twin(_, making):
        for store in (making, store_of(tmp_path, 1)):
            store.mkdir()
            (store / "runs.jsonl").touch()
        return SeedFilm("the run", is_new=True, ticks=10)

    monkeypatch.setattr(seeds, "_filmed", film_with_a_twin)
    assert film_seed(request) == SeedFilm("the run", is_new=False)
    assert [path.name for path in tmp_path.iterdir()] == ["seed_1"]


def test_a_seed_that_cannot_be_put_in_place_is_an_error(tmp_path, monkeypatch):
    request = SeedRequest(Settings(store_dir=tmp_path / "gone", seed=1), START, 10, tmp_path)
    monkeypatch.setattr(seeds, "_filmed", lambda _, making: making.mkdir())
    with pytest.raises(FileNotFoundError):
        film_seed(request)


def test_a_seed_that_is_spelt_in_several_ways_is_one():
    films = settings_of_seeds("1,01,+1,2", {"simulator": "", "ticks": ""})
    assert [film.seed for film in films] == [1, 2]


def test_no_secret_travels(tmp_path):
    shown = {"nats_user": "a secret nats_user", "nats_credentials": Path("a secret nats_file")}
    secrets = {
        setting.name: SecretStr(f"a secret {setting.name}")
        for setting in described_settings()
        if setting.is_secret
    }
    settings = Settings(seed=7).model_copy(update=secrets | shown)
    assert pickle.dumps(settings).count(b"a secret ") == len(secrets) + len(shown)
    request = SeedRequest(without_secrets(settings, tmp_path), START, 10, tmp_path)
    travelling = pickle.dumps(request)
    assert b"a secret" not in travelling
    assert pickle.loads(travelling).settings.seed == 7


def test_interrupted_it_keeps_the_pieces_that_it_says_it_has(tmp_path):
    store = tmp_path / "store"
    command = ("-m", "marketcam.server.cli", "film", "-", *SMALL, "--store", str(store))
    with any_process(tmp_path, *command, "--workers", "2", "--piece-ticks", "50") as process:
        process.feed(tick_lines(state_tick(t) for t in range(100)) + b"no tick\n")
        process.feed(tick_lines(state_tick(t) for t in range(100, 1000)))
        process.wait_for_log("line_skipped")  # told when its piece is recorded
        assert process.stop(signal.SIGINT) == 130
        line = process.wait_for_log("interrupted: ").replace(",", "")
    said = re.search(r"(\d+) ticks to tick (\d+)", line)
    assert said is not None, line
    assert int(said[1]) == len(recorded(store, "metrics")) >= 100
    assert int(said[2]) == Store(store).last_t("metrics")
    assert Store(store).run().ended_at is not None


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["t", "--seeds", "1"], "--seeds are those of the embedded market: give --market N"),
        (["--market", "5", "--seeds", "1", "--seed", "1"], "either --seed or --seeds must be"),
        (["--market", "5", "--seeds", "1", "--again"], "do not go with --seeds"),
        (["--market", "5", "--seeds", "1:x:2"], "--seeds must be a range such as"),
        (["--market", "5", "--seeds", "-1"], "--seed (IG_SEED) must be 0 to 2^32-1, got -1"),
        (["t", "--piece-ticks", "5"], "--piece-ticks goes with --workers or --dask"),
        (["t", "--workers", "0"], "argument --workers: must be 1 or more, got '0'"),
        (["t", "--workers", "100000"], "--workers must be 1 to"),
        (["t", "--dask", "here"], "--dask must be a scheduler's tcp://HOST:PORT"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(flags, problem, tmp_path, capsys):
    try:
        code = main(["film", *flags, "--store", str(tmp_path / "s")])
    except SystemExit as left:
        code = left.code
    assert code == 2
    err = capsys.readouterr().err
    assert problem in err
    assert err.count("\n") == 1
    assert not (tmp_path / "s").exists()
