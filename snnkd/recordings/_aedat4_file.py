"""The outer structure of an AEDAT4 file: its header and where its packets begin and end.

A file is ``#!AER-DAT4.0\\r\\n``, a header, packets, and a table of them:

- header: uint32 length, then a flatbuffer with the fields compression (int32), position of the table
  (int64, −1 when the recorder never came to write it) and a description in XML that lists the streams;
- packet: uint32 stream, uint32 length, then that many bytes, compressed on their own.

The package ``aedat`` decodes what is in the packets. It trusts the header, though: a damaged one can abort
the whole process. So the header is checked here, and the packets are counted, before the package sees the
file.
"""

import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

MAGIC = b"#!AER-DAT4.0\r\n"
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
        packets, damage = _packets(file, end, size, table, set(streams))
        return Structure(COMPRESSIONS[compression], None if camera is None else camera.text, streams, packets, damage)


def _header(buffer: bytes) -> tuple[int, int, str]:
    """Compression, position of the table and description, from a flatbuffer that may hold anything.

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
    compression = struct.unpack_from("<i", buffer, places[0])[0] if places[0] else 0
    position = struct.unpack_from("<q", buffer, places[1])[0] if places[1] else -1
    if not places[2]:
        raise ValueError("it describes no streams")
    text = places[2] + struct.unpack_from("<I", buffer, places[2])[0]
    (size,) = struct.unpack_from("<I", buffer, text)
    if text + 4 + size > len(buffer):
        raise ValueError("its description is longer than it")
    return compression, position, buffer[text + 4 : text + 4 + size].decode("utf-8")


def _packets(
    file: BinaryIO | RawIOBase, position: int, size: int, table: int, streams: set[int]
) -> tuple[tuple[tuple[int, int], ...], str | None]:
    """The whole packets, and what is wrong with the first that is not."""
    packets: list[tuple[int, int]] = []
    limit = min(table, size) if table > 0 else size
    damage = None
    while position < limit and not damage:
        file.seek(position)
        head = file.read(8) or b""
        stream, length = struct.unpack("<II", head) if len(head) == 8 else (0, 0)
        end = position + 8 + length
        if len(head) < 8 or end > size:
            damage = "is cut"
        elif stream not in streams:
            damage = f"is damaged: it is of stream {stream}, which the header does not list"
        elif end > limit:
            damage = "is damaged: it runs into the table of packets"
        else:
            packets.append((position, stream))
            position = end
    if damage:
        damage = f"the packet at byte {position} {damage}; the last {size - position} bytes were left out"
    elif table > size:
        damage = f"the file is cut at byte {size}, before its table of packets; what came there was left out"
    return tuple(packets), damage
