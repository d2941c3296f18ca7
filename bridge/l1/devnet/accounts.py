"""
The accounts of the embedded L1, from a mnemonic that everybody knows.

In:    a mnemonic and a count.
Out:   keys and addresses; each has `BALANCE_WEI` at genesis.
Holds: the keys are public. They are for tests, and the devnet says so.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_keys.datatypes import PrivateKey

# The usual one of development chains, so that wallets which know it work at once.
TEST_MNEMONIC = "test test test test test test test test test test test junk"
BALANCE_WEI = 1_000_000 * 10**18


@dataclass(frozen=True, slots=True)
class Account:
    """A key of the test mnemonic."""

    index: int
    address: bytes
    key: bytes

    @property
    def checksum(self) -> str:
        """Return the address as wallets show it."""
        return PrivateKey(self.key).public_key.to_checksum_address()


@functools.cache
def account(index: int, mnemonic: str = TEST_MNEMONIC) -> Account:
    """Return account `index` at the path m/44'/60'/0'/0/index."""
    key = HDPath(f"m/44'/60'/0'/0/{index}").derive(_seed(mnemonic))
    return Account(index, PrivateKey(key).public_key.to_canonical_address(), key)


def accounts(count: int, mnemonic: str = TEST_MNEMONIC) -> list[Account]:
    """Return the first `count` accounts."""
    return [account(index, mnemonic) for index in range(count)]


@functools.cache
def _seed(mnemonic: str) -> bytes:
    return bytes(seed_from_mnemonic(mnemonic, ""))
