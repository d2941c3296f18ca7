"""The image of the guest: layout, hash, and what the gate refuses."""

from __future__ import annotations

import json
import struct

import pytest

from state.guest import ELF, MANIFEST
from state.guest.image import (
    DATA_START,
    TEXT_START,
    BadImageError,
    Image,
    gate,
    read_image,
    write_elf,
)

SMALL = Image(TEXT_START, b"\x13\0\0\0" * 8, b"constants", 4096)


def test_the_committed_program_is_the_one_that_the_manifest_describes() -> None:
    manifest = json.loads(MANIFEST.read_text())
    image = read_image(ELF.read_bytes())
    assert image.sha256() == manifest["image_sha256"]
    assert image.keccak256() == manifest["image_keccak256"]
    assert (hex(image.entry), len(image.text)) == (manifest["entry"], manifest["text_bytes"])
    assert write_elf(image) == ELF.read_bytes()


def test_the_committed_program_names_no_folder() -> None:
    content = ELF.read_bytes()
    assert b".rs" not in content
    assert b"/home" not in content


def test_what_is_written_reads_back() -> None:
    assert read_image(write_elf(SMALL)) == SMALL


def test_every_part_of_an_image_is_in_its_hash() -> None:
    others = [
        Image(SMALL.entry, SMALL.text + b"\x13\0\0\0", SMALL.data, 4096),
        Image(SMALL.entry, SMALL.text, SMALL.data + b"\0", 4096),
        Image(SMALL.entry, SMALL.text, SMALL.data, 4097),
    ]
    assert len({image.sha256() for image in [SMALL, *others]}) == 4


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (4, b"\x01", "little-endian"),
        (18, struct.pack("<H", 62), "not RISC-V"),
        (24, struct.pack("<Q", DATA_START), "entry"),
        (64 + 16, struct.pack("<Q", 0x8000), "text and data wanted"),
        (64 + 56 + 40, struct.pack("<Q", 2**29), "out of bounds"),
    ],
)
def test_a_program_that_the_machine_cannot_load_is_refused(
    at: int, value: bytes, message: str
) -> None:
    elf = bytearray(write_elf(SMALL))
    elf[at : at + len(value)] = value
    with pytest.raises(BadImageError, match=message):
        read_image(bytes(elf))


def test_the_gate_refuses_a_program_without_symbols() -> None:
    with pytest.raises(BadImageError, match="no symbols"):
        gate(write_elf(SMALL))


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("__adddf3", True),
        ("__fixunsdfti", True),
        ("__floatundisf", True),
        ("_RNvNtCs1_4core9panicking18panic_bounds_check", True),
        ("__udivti3", False),
        ("memcpy", False),
    ],
)
def test_the_gate_tells_floats_and_panics_by_their_symbols(name: str, refused: bool) -> None:
    elf = with_symbols(["_start", name])
    if refused:
        with pytest.raises(BadImageError, match="floats or panics"):
            gate(elf)
    else:
        gate(elf)


def with_symbols(names: list[str]) -> bytes:
    """An ELF file of three sections: nothing, .symtab, its strings."""
    strings = b"\0.symtab\0.strtab\0"
    symbols = bytes(24)
    for name in names:
        symbols += struct.pack("<IBBHQQ", len(strings), 0x12, 0, 0xFFF1, 0, 0)
        strings += name.encode() + b"\0"
    at = 64
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 243, 1, 0, 0, at + len(symbols) + len(strings), 0, 64, 56, 0, 64, 3, 2
    )
    section = struct.Struct("<IIQQQQIIQQ")
    table = bytes(64)
    table += section.pack(1, 2, 0, 0, at, len(symbols), 2, 0, 8, 24)
    table += section.pack(9, 3, 0, 0, at + len(symbols), len(strings), 0, 0, 1, 0)
    return header + symbols + strings + table
