"""How a publisher ends: by its end, a refusal, a failing program, a fork, or none of these."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from marketcam.io import PublishError, Refusal, TickRefusedError
from tests.fake_camera import (
    TOKEN,
    Line,
    be_patient,
    fake_camera,
    publisher_of,
    refuse_second,
    taking,
)
from tests.server_helpers import PATIENCE, state_tick


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Broken connections are made again at once."""
    be_patient(monkeypatch)


def test_a_refusal_that_nobody_asked_for_is_raised_by_closing_which_closes_all_the_same():
    with fake_camera(refuse_second) as camera:
        publisher = publisher_of(camera)
        for t in (1, 2, 3):
            publisher.publish(state_tick(t))
        with pytest.raises(TickRefusedError):
            publisher.close()
        assert publisher.pending == 0
        publisher.close()
        with pytest.raises(PublishError, match="the publisher is closed"):
            publisher.publish(state_tick(4))


def test_where_the_block_fails_the_camera_is_not_told_of_an_end():
    with fake_camera() as camera:
        with suppress(ZeroDivisionError), publisher_of(camera) as publisher:
            publisher.publish(state_tick(1))
            _ = 1 / 0
        assert camera.taken == [1]
        assert not camera.ended.is_set()


def test_a_source_may_be_left_without_an_end():
    with fake_camera() as camera:
        publisher = publisher_of(camera)
        publisher.publish(state_tick(1))
        publisher.close(end=False)
        assert camera.taken == [1]
        assert not camera.ended.is_set()


def test_an_end_that_broke_off_is_said_again():
    def deaf(line: Line) -> None:
        line.hello()
        line.take(1)
        line.ack(1)
        assert line.connection.recv() == '{"type":"end"}'
        line.cut()

    with fake_camera(deaf, taking) as camera:
        with publisher_of(camera) as publisher:
            publisher.publish(state_tick(1))
        assert camera.ended.is_set()


def test_a_run_that_had_heard_the_end_does_not_have_to_hear_it_again():
    def over(line: Line) -> None:
        line.hello()
        line.take(1)
        line.ack(1)
        line.connection.recv()
        line.camera.statuses += [409, 429, 410]  # it takes a while to see that we have gone
        line.cut()

    with fake_camera(over) as camera:
        with publisher_of(camera) as publisher:
            publisher.publish(state_tick(1))
        assert len(camera.tokens) == 4


def test_an_end_that_another_connection_stands_in_the_way_of_is_said_in_the_end():
    def deaf(line: Line) -> None:
        line.hello()
        line.take(1)
        line.ack(1)
        line.connection.recv()
        line.camera.statuses += [409, 409]
        line.cut()

    with fake_camera(deaf, taking) as camera:
        with publisher_of(camera) as publisher:
            publisher.publish(state_tick(1))
        assert camera.ended.is_set()


def test_refusals_that_come_while_it_closes_do_not_keep_the_end_from_being_said():
    closing = threading.Event()

    def refuse_in_turn(line: Line) -> None:
        line.hello()
        line.take(3)
        closing.wait()
        for number in (1, 2, 3):
            line.say("refused", tick=number, t=number, error=f"no {number}")
            line.ack(number, refused=number)
            assert line.connection.ping().wait(PATIENCE)
            while publisher._outbox._refusals:  # it has seen each by itself
                assert line.connection.ping().wait(PATIENCE)
        line.take_all()

    with fake_camera(refuse_in_turn) as camera:
        publisher = publisher_of(camera)
        for t in (1, 2, 3):
            publisher.publish(state_tick(t))
        closing.set()
        with pytest.raises(TickRefusedError) as raised:
            publisher.close()
        assert raised.value.refusals == ((1, "no 1"), (2, "no 2"), (3, "no 3"))
        assert camera.ended.is_set()
        assert publisher.pending == 0


def test_where_the_callback_fails_the_next_call_tells_the_rest():
    def refuse_both(line: Line) -> None:
        line.hello()
        line.take(2)
        for number in (1, 2):
            line.say("refused", tick=number, t=number, error=f"no {number}")
        line.ack(2, refused=2)
        line.take_all()

    told: list[Refusal] = []

    def fail_at_first(refusal: Refusal) -> None:
        told.append(refusal)
        if len(told) == 1:
            raise ZeroDivisionError

    with fake_camera(refuse_both) as camera:
        publisher = publisher_of(camera, on_refused=fail_at_first)
        publisher.publish(state_tick(1))
        publisher.publish(state_tick(2))
        with pytest.raises(ZeroDivisionError):
            publisher.flush()
        publisher.close()
    assert told == [(1, "no 1"), (2, "no 2")]
    assert camera.ended.is_set()


FORKS = """
import os, sys
from marketcam.io import PublishError, TickPublisher

publisher = TickPublisher(*sys.argv[1:])
publisher.publish({"t": 1})
publisher.flush()
if os.fork() == 0:
    for act in (lambda: publisher.publish({"t": 2}), publisher.flush, publisher.wait_for_run):
        try:
            act()
        except PublishError as error:
            print(error, flush=True)
    publisher.close()
    os._exit(0)
os.wait()
publisher.publish({"t": 3})
publisher.close()
"""


def test_a_forked_child_has_nothing_of_it():
    with fake_camera() as camera:
        told = subprocess.run(
            [sys.executable, "-c", FORKS, camera.url, TOKEN],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert camera.ended.is_set()
    assert camera.taken == [1, 3]
    said = "a publisher cannot be used in a process that was forked off later\n"
    assert told.stdout == 3 * said


FORGETS = """
import sys
from marketcam.io import TickPublisher

publisher = TickPublisher(*sys.argv[1:])
publisher.publish({"t": 1})
publisher.flush()
"""


def test_a_program_that_does_not_close_it_ends_all_the_same_and_says_no_end():
    with fake_camera() as camera:
        ended = subprocess.run(
            [sys.executable, "-c", FORGETS, camera.url, TOKEN],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        assert ended.stderr == ""
        assert camera.taken == [1]
        assert not camera.ended.is_set()
