"""
What every test may use: seeds, profiles of hypothesis, recorded market data.

NOVATION_SEED        repeats a run: the header of each run prints the seed it used.
HYPOTHESIS_PROFILE   dev (50 examples), ci (500) or night (20,000).
NOVATION_DATA        folder of the recorded market data; else `../shared/data` beside the checkout.
"""

import os
import random
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SEED = int(os.environ.get("NOVATION_SEED") or secrets.randbits(32))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or "dev"

for _name, _examples in {"dev": 50, "ci": 500, "night": 20_000}.items():
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,  # the first example loads native code; pytest-timeout bounds the test
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis start from the run's seed, unless it was given one of its own."""
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(SEED)


def pytest_report_header() -> str:
    """Name the seed and the profile at the head of the run."""
    return _how_to_repeat()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Name them again below failures, where quiet runs show them too."""
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        terminalreporter.write_line(f"to repeat this run: {_how_to_repeat()}")


def _how_to_repeat() -> str:
    return f"NOVATION_SEED={SEED} HYPOTHESIS_PROFILE={PROFILE}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers from the run's seed and the test's name, whatever the order of tests."""
    return random.Random(f"{SEED}:{request.node.nodeid}")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the recorded market data."""
    given = os.environ.get("NOVATION_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}; set NOVATION_DATA")
    return folder
