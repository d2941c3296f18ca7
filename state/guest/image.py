"""
The image of the guest: what L1 knows of the program.

In:    an ELF file. Out: its loadable segments, their hash, an ELF file of nothing else.
Holds: docs/formats.md §10; reading what `write_elf` wrote gives the same image.
Not here: compiling (`build.py`), running.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from dataclasses import dataclass

from eth_utils.crypto import keccak

TEXT_START = 0x0001_0000
TEXT_BYTES = 1 << 20
DATA_START = 0x1000_0000
DATA_BYTES = 1 << 28
EM_RISCV = 243
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_READ_EXECUTE, _READ_WRITE = 5, 6

_FLOAT = re.compile(
    r"^__(add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|unord|cmp|fix|float|extend|trunc|pow)"
    r"\w*[hsdt]f\w*$"
)


class BadImageError(Exception):
    """The program breaks a rule of the machine, or is no program."""


@dataclass(frozen=True, slots=True)
class Image:
    """Code, data, and where the machine starts."""

    entry: int
    text: bytes
    data: bytes
    data_memory_bytes: int

    def hashed(self) -> bytes:
        """The bytes that are hashed: each segment with its address and sizes."""
        return b"".join(
            struct.pack("<QQQ", start, memory, len(content)) + content
            for start, memory, content in (
                (TEXT_START, len(self.text), self.text),
                (DATA_START, self.data_memory_bytes, self.data),
            )
        )

    def sha256(self) -> str:
        """For files and people."""
        return hashlib.sha256(self.hashed()).hexdigest()

    def keccak256(self) -> str:
        """For L1."""
        return "0x" + keccak(self.hashed()).hex()


def read_image(elf: bytes) -> Image:
    """Segments of an ELF file for this machine: one of text, one of data."""
    if len(elf) < _HEADER.size or elf[:6] != b"\x7fELF\x02\x01":
        raise BadImageError("not a little-endian ELF file of 64 bits")
    header = _HEADER.unpack_from(elf)
    machine, entry, table, count = header[2], header[4], header[5], header[10]
    if machine != EM_RISCV:
        raise BadImageError(f"the machine is {machine}, not RISC-V ({EM_RISCV})")
    rows = [_SEGMENT.unpack_from(elf, table + at * _SEGMENT.size) for at in range(count)]
    loads = [row for row in rows if row[0] == 1]
    if [row[3] for row in loads] != [TEXT_START, DATA_START]:
        raise BadImageError(f"segments at {[hex(row[3]) for row in loads]}: text and data wanted")
    text, data = (elf[row[2] : row[2] + row[5]] for row in loads)
    if not 0 < len(text) <= TEXT_BYTES or loads[1][6] > DATA_BYTES:
        raise BadImageError(f"text has {len(text)} bytes, data {loads[1][6]}: out of bounds")
    if entry != TEXT_START:
        raise BadImageError(f"the entry is {entry:#x}, not the start of the text {TEXT_START:#x}")
    return Image(entry, text, data, loads[1][6])


def write_elf(image: Image) -> bytes:
    """An ELF file of the two segments, without sections or symbols."""
    table = _HEADER.size
    text_at = table + 2 * _SEGMENT.size
    data_at = text_at + len(image.text)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = _HEADER.pack(
        ident, 2, EM_RISCV, 1, image.entry, table, 0, 0, _HEADER.size, _SEGMENT.size, 2, 0, 0, 0
    )
    text, data = len(image.text), len(image.data)
    rows = _SEGMENT.pack(1, _READ_EXECUTE, text_at, TEXT_START, TEXT_START, text, text, 1)
    rows += _SEGMENT.pack(
        1, _READ_WRITE, data_at, DATA_START, DATA_START, data, image.data_memory_bytes, 1
    )
    return header + rows + image.text + image.data


def gate(elf: bytes) -> None:
    """Refuse floats and panics by their symbols; the ELF file must still have them."""
    # Only the build and its tests have this package.
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

    table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise BadImageError("the program has no symbols: nothing can be told of it")
    names = {symbol.name for symbol in table.iter_symbols()}
    if "_start" not in names:
        raise BadImageError("the program has no _start")
    found = sorted(name for name in names if "9panicking" in name or _FLOAT.match(name))
    if found:
        raise BadImageError(f"floats or panics in the program: {', '.join(found)}")
