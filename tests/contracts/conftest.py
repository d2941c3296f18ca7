"""The contracts on each of the two chains; every test gets them as just deployed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.chains import AnvilChain, Chain, PyEvmChain, anvil_binary
from tests.contracts.world import KEYS, World, deploy_world


def _chain(kind: str) -> Chain:
    if kind == "py-evm":
        return PyEvmChain(KEYS)
    binary = anvil_binary()
    if binary is None:
        pytest.skip("anvil is not installed: run `npm ci` in bridge/contracts")
    return AnvilChain(binary, KEYS)


@pytest.fixture(scope="session", params=["py-evm", "anvil"])
def deployed(request: pytest.FixtureRequest) -> Iterator[World]:
    chain = _chain(request.param)
    try:
        yield deploy_world(chain)
    finally:
        chain.close()


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    snapshot = deployed.chain.snapshot()
    yield deployed
    deployed.chain.revert(snapshot)
