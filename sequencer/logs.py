"""
Logs: one event per line, `noun.verb key=value`.

In:  the level and form of `sequencer.config`.
Out: structlog, to standard error; console on a terminal, JSON otherwise.

Holds: no keys and no whole transactions are logged; a refused transaction is `debug`.
Not here: what is counted (`sequencer.metrics`).
"""

from __future__ import annotations

import logging
import sys

import structlog

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: str, form: str) -> None:
    """Set up logging for the process."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if console:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    else:
        processors.append(structlog.processors.JSONRenderer())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Get the logger of one part."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
