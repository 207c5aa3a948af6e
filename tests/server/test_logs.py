"""The log: one line an event, in one format, to stderr and a rotating file."""

import errno
import io
import logging
import re
import shlex
import sys
from datetime import datetime
from pathlib import Path

import pytest

from marketcam.server import logs
from marketcam.server.settings import Settings, SettingsError


@pytest.fixture
def log():
    return logs.get_logger("marketcam.test")


def configure(**settings):
    logs.configure(Settings(**settings))


def fields(line):
    """Read a logfmt line."""
    return dict(field.split("=", 1) for field in shlex.split(line))


def test_an_event_is_one_line_of_fields(capsys, log):
    configure()
    log.info("segment closed", path="frames/a.zst", lines=400, pending=False, reason=None)

    out, err = capsys.readouterr()

    assert out == ""
    (line,) = err.splitlines()
    read = fields(line)
    moment = read.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    assert datetime.fromisoformat(moment).tzinfo is not None
    assert read == {
        "level": "info",
        "logger": "marketcam.test",
        "event": "segment closed",
        "path": "frames/a.zst",
        "lines": "400",
        "pending": "false",
        "reason": "",
    }


@pytest.mark.parametrize(
    "value", ["a\nb", "a b\nc", "\x1b[31mred", "\r\t\x00", "a\u2028b", 'q"u=o']
)
def test_no_value_breaks_the_line_or_reaches_the_terminal(capsys, log, value):
    configure()
    log.warning(value, path=value, names=[value])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


def test_a_traceback_stays_on_its_line(capsys, log):
    configure()
    try:
        Path("/nowhere").stat()
    except OSError:
        log.exception("failed", t=5)
    (line,) = capsys.readouterr().err.splitlines()
    assert "event=failed t=5" in line
    assert "FileNotFoundError: " in line


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level(capsys, log, level, shown):
    configure(log_level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)(name)
    assert [fields(line)["event"] for line in capsys.readouterr().err.splitlines()] == shown


def test_libraries_are_heard_from_warning_on(capsys):
    configure(log_level="debug")
    for name in ("numba.core.byteflow", "websockets.server", "asyncio"):
        logging.getLogger(name).debug("details")
        logging.getLogger(name).info("details")
        logging.getLogger(name).warning("trouble")
    lines = capsys.readouterr().err.splitlines()
    assert [fields(line)["event"] for line in lines] == ["trouble"] * 3


def test_uvicorn_speaks_in_the_same_format_and_not_of_every_request(capsys):
    for name in ("uvicorn", "uvicorn.access"):  # as its own command line sets them up
        logging.getLogger(name).addHandler(logging.StreamHandler(sys.stderr))
        logging.getLogger(name).propagate = False
    configure()

    logging.getLogger("uvicorn.error").info("Started %d", 7, extra={"color_message": "no"})
    logging.getLogger("uvicorn.access").info("GET /health")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('level=info logger=uvicorn.error event="Started 7"')


def test_configuring_again_replaces_and_leaves_others_alone(capsys, log, tmp_path):
    of_others = logging.NullHandler()
    logging.getLogger().addHandler(of_others)
    configure(log_file=tmp_path / "a.log")
    configure(log_file=tmp_path / "b.log")

    log.info("once")

    assert len(capsys.readouterr().err.splitlines()) == 1
    assert (tmp_path / "a.log").read_text() == ""
    assert len((tmp_path / "b.log").read_text().splitlines()) == 1
    assert of_others in logging.getLogger().handlers


def test_the_file_has_the_same_lines(capsys, log, tmp_path):
    path = tmp_path / "new" / "camera.log"
    configure(log_file=path)
    log.error("café", price=0.1)
    assert path.read_text(encoding="utf-8") == capsys.readouterr().err


def test_the_file_rotates_and_stays_bounded(monkeypatch, log, tmp_path):
    monkeypatch.setattr(logs, "LOG_FILE_BYTES", 1000)
    configure(log_file=tmp_path / "camera.log")
    for number in range(200):
        log.info("event", number=number)

    files = sorted(tmp_path.iterdir())

    assert [file.name for file in files] == [
        "camera.log",
        *(f"camera.log.{i}" for i in (1, 2, 3, 4)),
    ]
    assert all(file.stat().st_size <= 1000 for file in files)
    lines = [line for file in (*files[:0:-1], files[0]) for line in file.read_text().splitlines()]
    numbers = [int(fields(line)["number"]) for line in lines]
    assert numbers == list(range(numbers[0], 200))


def test_limits_of_the_file_are_named():
    assert logs.LOG_FILE_BYTES == 16 * 2**20
    assert logs.LOG_FILES_KEPT == 4


def test_a_file_that_cannot_be_opened_stops_the_start(log, tmp_path):
    with pytest.raises(SettingsError) as caught:
        configure(log_file=tmp_path)
    assert str(caught.value).startswith(
        f"IG_LOG_FILE must be a path that can be written, got {tmp_path}"
    )
    assert len(caught.value.problems) == 1


class FullDisk(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_fails_later_is_said_once_and_stops_nothing(monkeypatch, capsys, log, tmp_path):
    configure(log_file=tmp_path / "camera.log")
    (handler,) = [h for h in logging.getLogger().handlers if h.name == "marketcam.file"]
    monkeypatch.setattr(handler, "stream", FullDisk())

    log.info("one")
    log.info("two")

    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("marketcam: log file ")] == lines[1:2]
    assert [fields(line)["event"] for line in (lines[0], *lines[2:])] == ["one", "two"]


def test_a_terminal_gets_a_readable_line(monkeypatch, capsys, log):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    configure()
    log.warning("client slow", client=7, agent="evil\x1b[2J\n")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"\S+Z \[warning  \] client slow +\[marketcam.test\] ", line)
    assert "client=7" in line
    assert line.isprintable()


def test_a_terminal_gets_colors(monkeypatch, capsys, log):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    configure()
    log.warning("client slow")
    assert "\x1b[" in capsys.readouterr().err


def test_misspelt_variables_are_warned_of(monkeypatch, capsys):
    configure()
    monkeypatch.setenv("IG_CAM_STRID", "5")
    logs.warn_of_unknown_variables()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("event=unknown_variable variable=IG_CAM_STRID nearest=IG_CAM_STRIDE")


def test_a_logger_works_before_anything_is_configured(caplog, log):
    log.warning("early", field=1)
    assert "early" in caplog.text
