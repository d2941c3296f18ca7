"""Broken WebSocket frames and HTTP requests: the connection ends, the node and the root do not."""

from __future__ import annotations

import asyncio
import base64
import random
import struct
from pathlib import Path

from tests.conftest import SEED
from tests.end_to_end.bad_venue import Venue, unmoved

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
FINAL, MASKED = 0x80, 0x80
PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
WAIT_S = 5


def frame(opcode: int, payload: bytes, *, first: int = FINAL, mask: bool = True) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    size = len(payload)
    bit = MASKED if mask else 0
    if size < 126:
        head = bytes([first | opcode, bit | size])
    elif size < 1 << 16:
        head = bytes([first | opcode, bit | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first | opcode, bit | 127]) + struct.pack(">Q", size)
    return head + (bytes(4) if mask else b"") + payload


FRAMES = {
    "an opcode of no meaning": (frame(3, b"x"), PROTOCOL_ERROR),
    "a reserved bit": (frame(TEXT, b"x", first=FINAL | 0x40), PROTOCOL_ERROR),
    "a ping in parts": (frame(PING, b"x", first=0), PROTOCOL_ERROR),
    "a ping of 126 bytes": (frame(PING, bytes(126)), PROTOCOL_ERROR),
    "a close of one byte": (frame(CLOSE, b"x"), PROTOCOL_ERROR),
    "a continuation of nothing": (frame(0, b"x"), PROTOCOL_ERROR),
    "a text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), NOT_UTF8),
    "a length of 2^62": (b"\x82\xff" + struct.pack(">Q", 1 << 62) + bytes(4), TOO_BIG),
    "the start of 17 MB": (frame(BINARY, bytes(17 << 20))[:1_000], TOO_BIG),
}


async def connected(venue: Venue) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection after the handshake."""
    reader, writer = await raw_connection(venue)
    key = base64.b64encode(bytes(16)).decode()
    lines = (
        "GET /ws HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def raw_connection(venue: Venue) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", venue.node.service.server.rpc_port)


async def said(venue: Venue, sent: bytes, *, websocket: bool) -> bytes:
    """What the node says to these bytes before it hangs up."""
    reader, writer = await (connected(venue) if websocket else raw_connection(venue))
    try:
        writer.write(sent)
        # It may hang up before it has read everything.
        return await asyncio.wait_for(reader.read(), WAIT_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_bad_frame_ends_its_socket_with_the_code_of_the_rfc(tmp_path: Path) -> None:
    async with unmoved(tmp_path) as venue:
        for name, (sent, code) in FRAMES.items():
            answer = await said(venue, sent, websocket=True)
            assert answer[:1] == bytes([FINAL | CLOSE]), (name, answer)
            assert struct.unpack(">H", answer[2:4]) == (code,), name


async def test_random_bytes_on_any_connection_harm_nobody(
    tmp_path: Path, rng: random.Random
) -> None:
    async with unmoved(tmp_path) as venue:
        for number in range(60):
            noise = rng.randbytes(rng.randrange(2, 2_000))
            if number % 2:
                answer = await said(venue, noise + frame(3, b""), websocket=True)
                assert answer == b"" or answer[0] in (FINAL | CLOSE, FINAL | 10), answer
            else:
                answer = await said(venue, noise + b"\r\n\r\n", websocket=False)
                assert answer.startswith(b"HTTP/1.") and b" 400 " in answer[:20], answer
        print(f"60 connections of noise; seed {SEED}")


async def test_a_broken_chunked_body_is_refused(tmp_path: Path) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with unmoved(tmp_path) as venue:
        for body in (b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}{}\r\n0\r\n\r\n"):
            answer = await said(venue, head + body, websocket=False)
            assert b" 400 " in answer[:20] or b"parse_error" in answer, answer
