"""
The machine of docs/formats.md §10 on Unicorn, for tests only.

In:    the guest's ELF, a context, preimages. Out: the output word, the number of instructions.
Holds: whatever the format does not allow ends the run as `MachineFailedError`.
Not here: the machine that L1 plays (`bridge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coincurve import PublicKey
from eth_hash.auto import keccak
from unicorn import UC_ARCH_RISCV, UC_HOOK_BLOCK, UC_HOOK_INTR, UC_MODE_RISCV64, Uc, UcError
from unicorn.riscv_const import (
    UC_RISCV_REG_A0,
    UC_RISCV_REG_A1,
    UC_RISCV_REG_A2,
    UC_RISCV_REG_A3,
    UC_RISCV_REG_A4,
    UC_RISCV_REG_A5,
    UC_RISCV_REG_A6,
    UC_RISCV_REG_A7,
    UC_RISCV_REG_PC,
)

from state.guest.image import DATA_BYTES, DATA_START, TEXT_BYTES, TEXT_START, read_image

CONTEXT, KECCAK, LENGTH, TAGGED, RECOVER = range(5)
HALT, READ_PREIMAGE, HASH64 = 1, 2, 3
WORD = 32
PAIR = 64
PREIMAGE_BYTES_MAX = 1_088
# Exceptions 8 to 11 are ECALL, by mode.
ECALLS = range(8, 12)
INSTRUCTION_BYTES = 4

Preimages = Mapping[tuple[int, bytes], bytes]


class MachineFailedError(Exception):
    """The program broke a rule."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    output: bytes
    instructions: int


def recover(data: bytes) -> bytes:
    """What Ethereum's ecrecover answers for its 128 bytes of input."""
    digest, v = data[:32], int.from_bytes(data[32:64])
    if v not in (27, 28):
        return bytes(WORD)
    try:
        key = PublicKey.from_signature_and_message(data[64:] + bytes([v - 27]), digest, hasher=None)
    except Exception:  # coincurve raises bare exceptions for invalid signatures
        return bytes(WORD)
    return keccak(key.format(compressed=False)[1:])[12:].rjust(WORD, b"\0")


@dataclass
class Machine:
    """One run of one program."""

    elf: bytes
    context: bytes
    preimages: Preimages
    counts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.output: bytes | None = None
        self.problem: str | None = None
        self.instructions = 0

    def run(self) -> Ended:
        """Run to the end."""
        image = read_image(self.elf)
        uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV64)
        uc.mem_map(TEXT_START, TEXT_BYTES, 5)
        uc.mem_map(DATA_START, DATA_BYTES, 3)
        uc.mem_write(TEXT_START, image.text)
        uc.mem_write(DATA_START, image.data)
        uc.hook_add(UC_HOOK_BLOCK, self._on_block)
        uc.hook_add(UC_HOOK_INTR, self._on_interrupt)
        try:
            uc.emu_start(image.entry, TEXT_START + TEXT_BYTES)
        except UcError as error:
            pc = uc.reg_read(UC_RISCV_REG_PC)
            raise MachineFailedError(f"{self.problem or error} at {pc:#x}") from error
        if self.output is None:
            raise MachineFailedError(self.problem or "the program never halted")
        return Ended(self.output, self.instructions)

    def _on_block(self, _uc: Uc, _address: int, size: int, _data: object) -> None:
        self.instructions += size // INSTRUCTION_BYTES

    def _on_interrupt(self, uc: Uc, number: int, _data: Any) -> None:
        try:
            if number not in ECALLS:
                raise MachineFailedError(f"exception {number}")
            self._call(uc)
        except MachineFailedError as error:
            self.problem = str(error)
            uc.emu_stop()

    def _call(self, uc: Uc) -> None:
        call, a0, a1 = (
            uc.reg_read(register)
            for register in (UC_RISCV_REG_A7, UC_RISCV_REG_A0, UC_RISCV_REG_A1)
        )
        self.counts[call] = self.counts.get(call, 0) + 1
        if call == HALT:
            if a0 != 0:
                raise MachineFailedError(f"halted with code {a0}")
            self.output = bytes(uc.mem_read(_aligned(a1, WORD), WORD))
            uc.emu_stop()
        elif call == READ_PREIMAGE:
            key = b"".join(
                uc.reg_read(register).to_bytes(8, "little")
                for register in (
                    UC_RISCV_REG_A1,
                    UC_RISCV_REG_A2,
                    UC_RISCV_REG_A3,
                    UC_RISCV_REG_A4,
                )
            )
            offset, target = uc.reg_read(UC_RISCV_REG_A5), uc.reg_read(UC_RISCV_REG_A6)
            uc.mem_write(_aligned(target, WORD), self._read(a0, key, offset))
        elif call == HASH64:
            uc.mem_write(_aligned(a1, WORD), keccak(bytes(uc.mem_read(_aligned(a0, PAIR), PAIR))))
        else:
            raise MachineFailedError(f"unknown call {call}")

    def _read(self, kind: int, key: bytes, offset: int) -> bytes:
        if offset % WORD:
            raise MachineFailedError(f"offset {offset} is not a multiple of {WORD}")
        if kind == CONTEXT:
            if any(key) or offset >= len(self.context):
                raise MachineFailedError(f"no word at {offset} of the context")
            return self.context[offset : offset + WORD]
        data = self.preimages.get((KECCAK if kind == LENGTH else kind, key))
        if data is None:
            raise MachineFailedError(f"no preimage of type {kind} for {key.hex()}")
        _check(kind, key, data)
        if kind == LENGTH:
            return len(data).to_bytes(8, "little").ljust(WORD, b"\0")
        if kind == RECOVER:
            return recover(data)
        return data[offset : offset + WORD].ljust(WORD, b"\0")


def _aligned(address: int, alignment: int) -> int:
    if address % alignment:
        raise MachineFailedError(f"address {address:#x} is not {alignment}-aligned")
    return address


def _check(kind: int, key: bytes, data: bytes) -> None:
    """The check that L1 makes of the step's witness."""
    if kind not in (KECCAK, LENGTH, TAGGED, RECOVER) or len(data) > PREIMAGE_BYTES_MAX:
        raise MachineFailedError(f"no preimage of type {kind} with {len(data)} bytes")
    digest = keccak(data)
    if kind == TAGGED:
        digest = b"\0" + digest[1:]
    if digest != key or (kind == RECOVER and len(data) != 4 * WORD):
        raise MachineFailedError("a preimage does not hash to its key")
