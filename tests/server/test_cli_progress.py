"""The progress bar of a film: how much is done, how fast, how long it still takes."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from marketcam.server.cli.progress import FilmBar


def shown(*, terminal: bool, **film) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, color_system=None)
    stub = SimpleNamespace(ticks=0, last_t=None, share=None)
    with FilmBar(stub, console) as bar:
        bar.look()
        vars(stub).update(film)
        bar.look()
        bar._progress.refresh()
    return text.getvalue()


@pytest.mark.parametrize(("share", "text"), [(0.5, "50%"), (0.0, "0%"), (1.0, "100%")])
def test_it_shows_the_share_the_tick_and_the_speed(share, text):
    line = shown(terminal=True, ticks=1200, last_t=1199, share=share)
    assert text in line
    assert "tick 1199, " in line
    assert " ticks/s" in line
    assert "left" in line


def test_of_a_pipe_nobody_knows_the_share():
    line = shown(terminal=True, ticks=1200, last_t=1199)
    assert "tick 1199, " in line
    assert "%" not in line


def test_what_is_no_terminal_is_left_alone():
    assert shown(terminal=False, ticks=1200, last_t=1199, share=0.5) == ""
