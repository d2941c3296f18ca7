"""An L1 and a rollup on it, for every test of the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.deployment import Deployment
from tests.l1 import TestL1, deployed, running_l1


@pytest.fixture
async def l1(tmp_path: Path) -> AsyncIterator[TestL1]:
    async with running_l1(tmp_path / "l1") as found:
        yield found


@pytest.fixture
async def deployment(l1: TestL1) -> Deployment:
    return await deployed(l1)
