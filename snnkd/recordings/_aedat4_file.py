"""The outer structure of an AEDAT4 file: its header and where its packets begin and end.

A file is ``#!AER-DAT4.0\\r\\n``, a header, packets, and a table of them:

- header: uint32 length, then a flatbuffer with the fields compression (int32), position of the table
  (int64, −1 when the recorder never came to write it) and a description in XML that lists the streams;
- packet: uint32 stream, uint32 length, then that many bytes, compressed on their own.

The table is a packet's content without its head: ``FTAB`` as flatbuffers name it, or compressed.

The package ``aedat`` decodes what is in the packets. It trusts the header, though: a damaged one can abort
the whole process. So the header is checked here, and the packets are counted, before the package sees the
file. It also takes memory for whatever a packet decompresses to: LZ4 makes at most 255 bytes of one, but four bytes
of Zstandard can stand for 128 KB. So the blocks of a Zstandard packet are added up here (RFC 8878, section 3.1.1), and
a packet that may become more than 16 MB and 255 times its length is damaged.
"""

import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

MAGIC = b"#!AER-DAT4.0\r\n"
ZSTANDARD, LZ4 = b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
LARGEST_BLOCK = 1 << 17
"""Bytes that a block of Zstandard becomes at most."""

LARGEST_PACKET, RATIO = 1 << 24, 255
COMPRESSIONS = ("none", "LZ4", "LZ4 high", "Zstandard", "Zstandard high")


class Aedat4Error(ValueError):
    """The reason why a file cannot be read."""


@dataclass(frozen=True)
class Structure:
    """What the header says, and the whole packets as (byte, stream); ``damage`` is what ended them early."""

    compression: str
    camera: str | None
    streams: tuple[int, ...]
    packets: tuple[tuple[int, int], ...]
    damage: str | None


def table_position(path: Path) -> int | None:
    """Return the byte where the table of packets begins; ``None`` as long as the header does not tell."""
    with path.open("rb") as file:
        head = file.read(len(MAGIC) + 4)
        position = _header(file.read(int.from_bytes(head[-4:], "little")))[1]
    return position if position > 0 else None


def unfinished_header(path: Path) -> bytes:
    """Return a file's head, up to the first packet, as it is while the file is being written: without a table."""
    with path.open("rb") as file:
        head = bytearray(file.read(len(MAGIC) + 4))
        head += file.read(int.from_bytes(head[-4:], "little"))
    place = len(MAGIC) + 4 + _places(bytes(head[len(MAGIC) + 4 :]))[1]
    if place > len(MAGIC) + 4:
        struct.pack_into("<q", head, place, -1)
    return bytes(head)


def read_structure(path: Path) -> Structure:
    """Read the header and find the packets; :class:`Aedat4Error` when not even the header is whole."""
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise Aedat4Error("does not begin as an AEDAT4 file does")
        length = int.from_bytes(file.read(4), "little")
        end = len(MAGIC) + 4 + length
        if end > size:
            raise Aedat4Error(f"cut within its header, which ends at byte {end} of {size}")
        try:
            compression, table, description = _header(file.read(length))
            root = ElementTree.fromstring(description)
        except (struct.error, IndexError, UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
            raise Aedat4Error(f"its header is damaged: {error}") from error
        if not 0 <= compression < len(COMPRESSIONS):
            raise Aedat4Error(f"its header is damaged: compression {compression} does not exist")
        names = [node.get("name", "") for node in root.findall("node[@name='outInfo']/node")]
        streams = tuple(int(name) for name in names if name.isdecimal())
        camera = root.find(".//attr[@key='source']")
        packets, damage = _packets(file, end, size, table, set(streams), compression >= 3)
        source = None if camera is None else camera.text
        return Structure(COMPRESSIONS[compression], source, streams, packets, damage)


def _header(buffer: bytes) -> tuple[int, int, str]:
    """Compression, position of the table and description, from a flatbuffer that may hold anything."""
    places = _places(buffer)
    compression = struct.unpack_from("<i", buffer, places[0])[0] if places[0] else 0
    position = struct.unpack_from("<q", buffer, places[1])[0] if places[1] else -1
    if not places[2]:
        raise ValueError("it describes no streams")
    text = places[2] + struct.unpack_from("<I", buffer, places[2])[0]
    (size,) = struct.unpack_from("<I", buffer, text)
    if text + 4 + size > len(buffer):
        raise ValueError("its description is longer than it")
    return compression, position, buffer[text + 4 : text + 4 + size].decode("utf-8")


def _places(buffer: bytes) -> list[int]:
    """Where in a flatbuffer its first three fields lie, 0 for those that have their default.

    A flatbuffer begins with the offset of its table; the table begins with the way back to its vtable, a
    list of uint16: its own length, the table's, and each field's place in the table, 0 for one that has its
    default.
    """
    (table,) = struct.unpack_from("<I", buffer, 0)
    (back,) = struct.unpack_from("<i", buffer, table)
    vtable = table - back
    if vtable < 0:
        raise ValueError("the list of its fields begins before it")
    (length,) = struct.unpack_from("<H", buffer, vtable)
    places = [0, 0, 0]
    for i in range(min(3, (length - 4) // 2)):
        (slot,) = struct.unpack_from("<H", buffer, vtable + 4 + 2 * i)
        places[i] = table + slot if slot else 0
    return places


def _packets(
    file: BinaryIO | RawIOBase, begin: int, size: int, table: int, streams: set[int], zstandard: bool
) -> tuple[tuple[tuple[int, int], ...], str | None]:
    """The whole packets, and what is wrong with the first that is not, or with the table's place.

    The table ends the packets only if it is one, and lies where a packet ends: its place may be damaged.
    """
    packets: list[tuple[int, int]] = []
    position, damage = begin, None
    while position < size and not damage:
        file.seek(position)
        head = file.read(12) or b""
        if position == table and (len(head) < 12 or _is_table(head)):
            break
        stream, length = struct.unpack_from("<II", head) if len(head) >= 8 else (0, 0)
        end = position + 8 + length
        if len(head) < 8 or end > size:
            damage = "is cut"
        elif stream not in streams:
            damage = f"is damaged: it is of stream {stream}, which the header does not list"
        elif zstandard and _swells(file, position + 8, length):
            limit = LARGEST_PACKET + RATIO * length
            damage = f"is damaged: its {length} bytes would become more than {limit}"
        else:
            packets.append((position, stream))
            position = end
    if damage:
        damage = f"the packet at byte {position} {damage}; the last {size - position} bytes were left out"
    if table > size:
        cut = f"the file is cut at byte {size}, before its table of packets; what came there was left out"
        damage = damage or cut
    elif table > 0 and position != table:
        misplaced = f"the header is damaged: no table of packets is at byte {table}"
        damage = f"{misplaced}; {damage}" if damage else misplaced
    return tuple(packets), damage


def _is_table(head: bytes) -> bool:
    return head[8:12] == b"FTAB" or head.startswith((ZSTANDARD, LZ4))


def _swells(file: BinaryIO | RawIOBase, position: int, length: int) -> bool:
    """Whether a packet of Zstandard may become more than its bound; looks at the heads of its blocks alone."""
    if length // 4 * LARGEST_BLOCK <= LARGEST_PACKET:  # a block has four bytes or more
        return False
    end, most, limit = position + length, 0, LARGEST_PACKET + RATIO * length

    def read(count: int) -> bytes:
        file.seek(position)
        return file.read(count) or b""

    while position < end and most <= limit:
        head = read(8)
        if head[1:4] == b"\x2a\x4d\x18":  # a frame to skip, which says its length
            position += 8 + int.from_bytes(head[4:], "little")
            continue
        if not head.startswith(ZSTANDARD) or len(head) < 5:
            break
        flags = head[4]
        single = flags >> 5 & 1
        position += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        last = 0
        while not last and position < end and most <= limit:
            block = int.from_bytes(read(3), "little")
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            most += LARGEST_BLOCK if kind == 2 else size
            position += 3 + (1 if kind == 1 else size)
        position += 4 * (flags >> 2 & 1)  # a checksum
    return most > limit
