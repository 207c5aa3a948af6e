"""Structured logging: one line an event, to stderr and, if asked, to a rotating file.

>>> log = get_logger(__name__)
>>> log.info("segment_closed", path="frames/segment_20260124_120000_1000.jsonl.zst", lines=400)

A terminal gets aligned, colored lines; everything else gets logfmt, the file included::

    timestamp=2026-01-24T12:05:00.123Z level=info logger=marketcam.server.app event=segment_closed …

Standard output is never written to: it belongs to data.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import structlog
from structlog.stdlib import ProcessorFormatter

from marketcam.server.settings import unknown_variables
from marketcam.server.variables import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict, Processor, WrappedLogger

    from marketcam.server.settings import Settings

__all__ = [
    "LOG_FILES_KEPT",
    "LOG_FILE_BYTES",
    "UVICORN_FAULTS",
    "configure",
    "get_logger",
    "warn_of_unknown_variables",
]

LOG_FILE_BYTES: Final = 16 * 2**20
"""A log file that has grown to this size is renamed to `….1` and a new one begun."""

LOG_FILES_KEPT: Final = 4
"""Older log files kept beside the current one, `….1` to `….4`; the oldest is removed."""

UVICORN_FAULTS: Final = "uvicorn.error.faults"
"""Logger for uvicorn's protocols that lets pass what is a fault of the server. The rest is a line
for each handshake, with its whole address and what secrets a client put there, and for each request
that is none."""

_OURS: Final = "marketcam"
_HANDLERS: Final = ("marketcam.stderr", "marketcam.file")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROLS_BUT_NEWLINE: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; keywords become the fields of its events.

    It needs no configuration to exist: until `configure` is called, events go where the standard
    library's logging sends them.
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def configure(settings: Settings) -> None:
    """Send all events to stderr and to the log file, from the configured level.

    Calling it again replaces what the last call set up. Handlers of others on the root logger
    stay. uvicorn's loggers are routed here; its access log is off. Libraries log from `warning`
    on, whatever the level: at `debug` some of them log every call.

    Raises:
        SettingsError: the log file cannot be opened.
    """
    handlers = [_stderr_handler()]
    if settings.log_file is not None:
        handlers.append(_file_handler(settings.log_file))
    root = logging.getLogger()
    _remove_handlers(root)
    for name, handler in zip(_HANDLERS, handlers, strict=False):
        handler.set_name(name)
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.getLogger(_OURS).setLevel(level)
    _route_uvicorn(level)


def warn_of_unknown_variables() -> None:
    """Log the variables that look like settings and are none; once, at the start."""
    log = get_logger(__name__)
    for variable, nearest in unknown_variables().items():
        log.warning("unknown_variable", variable=variable, nearest=nearest)


def _remove_handlers(root: logging.Logger) -> None:
    for handler in [h for h in root.handlers if h.name in _HANDLERS]:
        root.removeHandler(handler)
        handler.close()


def _route_uvicorn(level: int) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger(UVICORN_FAULTS).setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(max(level, logging.INFO))
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def _stderr_handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_terminal_format() if sys.stderr.isatty() else _logfmt())
    return handler


def _file_handler(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(
            path, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8"
        )
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"IG_LOG_FILE must be a path that can be written, got {path} ({reason})"
        raise SettingsError([message]) from error
    handler.setFormatter(_logfmt())
    return handler


class _LogFile(logging.handlers.RotatingFileHandler):
    """A rotating file whose failure is said once on stderr and stops nothing.

    The standard library prints a traceback for every event that could not be written.
    """

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging's
        del record
        if not self._failed:
            self._failed = True
            print(f"marketcam: log file {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)


def _terminal_format() -> logging.Formatter:
    colors = "NO_COLOR" not in os.environ
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)
    return _formatter(_escape_controls, renderer)


def _logfmt() -> logging.Formatter:
    order = ("timestamp", "level", "logger", "event")
    renderer = structlog.processors.LogfmtRenderer(key_order=order, bool_as_flag=False)
    return _formatter(structlog.processors.format_exc_info, _escape_but_newlines, renderer)


def _formatter(*processors: Processor) -> logging.Formatter:
    chain = [_add_record_fields, ProcessorFormatter.remove_processors_meta, *processors]
    return ProcessorFormatter(processors=chain)


def _add_record_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    moment = datetime.fromtimestamp(record.created, UTC)
    event["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["level"] = record.levelname.lower()
    if isinstance(client := event.get("client"), tuple):  # as servers have it
        host, port = client[:2]
        event["client"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    event["logger"] = record.name
    return event


def _escape_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return _escaped(event, _CONTROLS)


def _escape_but_newlines(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return _escaped(event, _CONTROLS_BUT_NEWLINE)  # newlines are the logfmt renderer's to escape


def _escaped(event: EventDict, controls: re.Pattern[str]) -> EventDict:
    """Keep what clients sent from breaking a line or steering the operator's terminal."""
    for key, value in event.items():
        if key != "exc_info" and not isinstance(value, bool | int | float | None):
            event[key] = controls.sub(lambda found: ascii(found[0])[1:-1], str(value))
    return event
