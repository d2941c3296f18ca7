"""Logs: one stream for all parts, in one form."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine

from sequencer import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    logging.basicConfig(level=level, handlers=handlers, force=True)
    server = logging.getLogger("aiohttp.server")
    for each in list(server.filters):
        server.removeFilter(each)


def test_lines_of_the_bridge_come_in_the_same_form_as_our_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", "json")

    logging.getLogger("bridge.poster").info("batch.posted record=%d", 3)
    logging.getLogger("bridge.poster").debug("not asked for")

    (row,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert row["event"] == "batch.posted record=3"
    assert (row["logger"], row["level"]) == ("bridge.poster", "info")


def test_a_client_cannot_fill_the_log_but_our_own_fault_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", "json")
    server = logging.getLogger("aiohttp.server")

    for fault in (BadStatusLine("nonsense"), RuntimeError("ours")):
        try:
            raise fault
        except (BadStatusLine, RuntimeError):
            server.exception("Error handling request")

    (row,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert "ours" in row["exception"]
