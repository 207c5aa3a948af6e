"""The journal survives every cut, and never mixes what must not be mixed."""

import json
import platform

import pytest

from marketcam.server.profiling.conditions import conditions, differences, shareable
from marketcam.server.profiling.errors import JournalError, PointError
from marketcam.server.profiling.journal import Journal, Result
from tests.profile_helpers import CONDITIONS, failure, figures, points, result

POINTS = points(window="6,7,8")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.journal"


@pytest.fixture
def full(path):
    """A journal of three results, one of them a failure."""
    with Journal(path, CONDITIONS) as journal:
        journal.add(result(POINTS[0]))
        journal.add(failure(POINTS[1]))
        journal.add(result(POINTS[2], weight_least_kept=None))
    return path


def read(path):
    with Journal(path, CONDITIONS) as journal:
        return dict(journal.results)


def test_what_is_added_is_there_again(full):
    assert read(full) == {
        POINTS[0]: result(POINTS[0]),
        POINTS[1]: failure(POINTS[1]),
        POINTS[2]: result(POINTS[2], weight_least_kept=None),
    }


def test_a_result_is_on_disk_when_add_returns(path):
    with Journal(path, CONDITIONS) as journal:
        for many, point in enumerate(POINTS, start=1):
            journal.add(result(point))
            assert path.read_bytes().count(b"\n") == many + 1


def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_goes_on(full):
    text = full.read_bytes()
    whole = read(full)
    for size in range(len(text)):
        full.write_bytes(text[:size])
        with Journal(full, CONDITIONS) as journal:
            lines = max(0, text[:size].count(b"\n") - 1)
            assert list(journal.results) == list(POINTS[:lines])
            for point in POINTS[lines:]:
                journal.add(whole[point])
        assert full.read_bytes() == text


def test_the_later_of_two_results_counts(full):
    with Journal(full, CONDITIONS) as journal:
        journal.add(result(POINTS[1]))
    assert read(full)[POINTS[1]].figures == figures()


def test_a_passing_failure_is_tried_again(path):
    with Journal(path, CONDITIONS) as journal:
        journal.add(Result.failed(POINTS[0], PointError("died", lasting=False)))
        journal.add(Result.failed(POINTS[1], PointError("no room")))
        assert [journal.settles(point) for point in POINTS] == [False, True, False]


def test_fresh_starts_over(full):
    with Journal(full, CONDITIONS, fresh=True) as journal:
        assert journal.results == {}
    assert read(full) == {}


def test_other_conditions_are_refused_and_named(full):
    text = full.read_bytes()
    now = CONDITIONS | {"numpy": "2.5", "NUMBA_DISABLE_JIT": "1"}
    with pytest.raises(JournalError) as caught:
        Journal(full, now)
    assert "numpy was 2.4, is 2.5; NUMBA_DISABLE_JIT was not set, is 1" in str(caught.value)
    assert "--fresh starts over" in str(caught.value)
    assert full.read_bytes() == text
    with Journal(full, now, fresh=True) as journal:
        assert journal.results == {}


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("text", [b"a,b\n1,2\n", b"no line end", b'{"other": 1}\n', b"\0" * 9])
def test_a_file_that_is_no_journal_is_left_alone(path, text, fresh):
    path.write_bytes(text)
    with pytest.raises(JournalError, match="is no journal of a profile"):
        Journal(path, CONDITIONS, fresh=fresh)
    assert path.read_bytes() == text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_line_is_named(full, number):
    lines = full.read_bytes().splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(b'"', b"'", 4)
    full.write_bytes(b"".join(lines))
    rule = f"damaged at line {number}" if number > 1 else "is no journal"
    with pytest.raises(JournalError, match=rule):
        Journal(full, CONDITIONS)


def test_another_format_is_refused(full):
    text = full.read_bytes()
    full.write_bytes(text.replace(b'"marketcam_profile":1', b'"marketcam_profile":2', 1))
    assert full.read_bytes() != text
    with pytest.raises(JournalError, match="has another format"):
        Journal(full, CONDITIONS)


def test_two_runs_do_not_share_a_journal(full):
    with Journal(full, CONDITIONS), pytest.raises(JournalError, match="is in use by another run"):
        Journal(full, CONDITIONS, fresh=True)
    assert len(read(full)) == 3


def test_conditions_say_what_figures_depend_on(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/somewhere")
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    before = conditions()
    assert {"machine", "cores", "python", "marketcam", "numpy", "numba", "code"} <= set(before)
    assert "NUMBA_CACHE_DIR" not in before
    assert json.loads(json.dumps(before)) == before
    assert differences(before, conditions()) == []
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert differences(before, conditions()) == ["NUMBA_BOUNDSCHECK was not set, is 1"]


def test_the_machine_is_told_apart_and_not_named(monkeypatch):
    here = conditions()
    assert "a-host-of-mine" not in str(here)
    monkeypatch.setattr(platform, "node", lambda: "a-host-of-mine")
    there = conditions()
    assert "a-host-of-mine" not in str(there)
    (difference,) = differences(here, there)
    assert difference.startswith("machine was ")
    assert shareable(here) == shareable(there)
    assert here.keys() - shareable(here).keys() == {"machine"}
