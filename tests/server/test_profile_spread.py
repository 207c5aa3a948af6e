"""Grids measured by the workers of a cluster: kept as they come, and told how they were timed."""

from __future__ import annotations

import fcntl
from contextlib import closing

import pytest

from marketcam.server.cli import main
from marketcam.server.cluster import Choice, ClusterError, open_cluster
from marketcam.server.cluster.spreading import Here
from marketcam.server.errors import ConfigurationError, ServerError
from marketcam.server.profiling import spread
from marketcam.server.profiling.conditions import conditions, shareable
from marketcam.server.profiling.journal import Journal
from marketcam.server.profiling.spread import Measuring, conditions_of, measure_spread
from tests.profile_helpers import points, result
from tests.server_helpers import PATIENCE


class Unlike(Here):
    """Two workers, of which one has something else."""

    def everywhere(self, function):
        return {"a": function(), "b": function() | {"cores": "1000"}}


class Nowhere(Here):
    """No worker at all."""

    def everywhere(self, function):
        return {}


class Watcher:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def preparing(self):
        self.told.append("preparing")

    def measuring(self, point):
        self.told.append(point)

    def measured(self, result):
        self.told.append(result)


def test_conditions_say_how_points_were_timed_and_must_be_alike():
    assert conditions_of(Here(), side_by_side=False) == conditions()
    assert conditions_of(Here(), side_by_side=True) == conditions() | {"timed": "side by side"}
    with pytest.raises(
        ConfigurationError, match=r"must be alike: from a to b, cores was \d+, is 1000"
    ):
        conditions_of(Unlike(), side_by_side=False)
    with pytest.raises(ClusterError, match="there is no worker that could tell its conditions"):
        conditions_of(Nowhere(), side_by_side=False)


def test_a_worker_of_other_conditions_refuses_its_point():
    (point,) = points()
    with pytest.raises(ServerError, match="a worker is not like those at the start: cores was"):
        Measuring(shareable(conditions()) | {"cores": "1000"}, side_by_side=True)(point)


def test_a_machine_measures_one_point_at_a_time(monkeypatch, tmp_path):
    monkeypatch.setattr(spread.tempfile, "gettempdir", lambda: str(tmp_path))

    def is_taken() -> bool:
        [lock] = tmp_path.glob("marketcam-profile-*.lock")
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    monkeypatch.setattr(spread, "measured_point", lambda _: is_taken())
    assert Measuring(conditions(), side_by_side=False)(points()[0]) is True
    assert not is_taken()


def test_what_is_kept_is_not_measured_again(monkeypatch, tmp_path):
    first, second = points(window="6,8")
    monkeypatch.setattr(spread, "measured_point", result)
    how, watcher = Measuring(conditions(), side_by_side=True), Watcher()
    monkeypatch.setattr(spread, "prepare_apart", lambda: watcher.told.append("compiling"))
    with Journal(tmp_path / "j", {"numpy": "2"}) as journal:
        for due in ([first], [first, second], [first]):
            measure_spread(due, journal, watcher, Here(), how)
        assert set(journal.results) == {first, second}
    assert watcher.told == [
        told
        for point in (first, second)
        for told in ("preparing", "compiling", point, result(point))
    ]


def test_real_workers_measure_each_point_in_a_process_of_its_own():
    with open_cluster(Choice(workers=2), PATIENCE) as cluster:
        how = Measuring(conditions_of(cluster, side_by_side=True), side_by_side=True)
        grid = points(agents="3,4")
        with closing(cluster.spread(how, grid, in_order=False)) as results:
            found = dict(results)
    assert {point.agents: found[point].figures.nodes for point in grid} == {3: 3.0, 4: 4.0}


def test_side_by_side_is_for_schedulers(capsys):
    assert main(["profile", "--side-by-side"]) == 2
    assert "--side-by-side goes with --dask" in capsys.readouterr().err
