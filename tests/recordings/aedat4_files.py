"""AEDAT4 files byte by byte, from the format's documentation: what the reader is held against."""

import struct

import numpy as np

from snnkd.events import make_events

NAME = "aedat4/tonic_sample.aedat4"
MAGIC = b"#!AER-DAT4.0\r\n"


def flatbuffer(identifier, *fields):
    """A size-prefixed flatbuffer: a table of scalars ``(format, value)`` and vectors ``(bytes, elements)``.

    Every field gets eight bytes, so that all of it is aligned whatever the types are.
    """
    vtable = 16
    start = vtable + 4 + 2 * len(fields)
    table = start + (4 - start) % 8  # the fields, from table + 4 on, begin at a multiple of 8
    size = 4 + 8 * len(fields)
    slots, inline, vectors = [], b"", b""
    for i, field in enumerate(fields):
        if field is None:
            slots.append(0)
            inline += bytes(8)
            continue
        slots.append(4 + 8 * i)
        if isinstance(field[0], str):
            inline += struct.pack("<" + field[0], field[1]).ljust(8, b"\0")
        else:
            data, count = field
            vectors += bytes(-(table + size + len(vectors)) % 8 + 4)  # the elements at a multiple of 8
            place = table + 4 + 8 * i
            inline += struct.pack("<II", table + size + len(vectors) - place, 0)
            vectors += struct.pack("<I", count) + data
    body = struct.pack("<I4s4x", table - 4, identifier)
    body += struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), size, *slots)
    body = body.ljust(table - 4, b"\0") + struct.pack("<i", table - vtable) + inline + vectors
    return struct.pack("<I", len(body)) + body


def stream_xml(number, kind, size):
    attributes = "".join(f'<attr key="size{a}" type="int">{n}</attr>' for a, n in zip("XY", size, strict=True))
    return (
        f'<node name="{number}"><attr key="typeIdentifier" type="string">{kind}</attr>'
        f'<node name="info">{attributes}</node></node>'
    )


def file_bytes(streams, packets, table=-1, compression=0, description=None):
    if description is None:
        nodes = "".join(stream_xml(number, *rest) for number, *rest in streams)
        description = f'<dv version="2.0"><node name="outInfo">{nodes}</node></dv>'.encode()
    header = flatbuffer(
        b"IOHE", ("i", compression), None if table is None else ("q", table), (description, len(description))
    )
    return MAGIC + header + b"".join(struct.pack("<II", n, len(p)) + p for n, p in packets)


def event_packet(events):
    data = b"".join(struct.pack("<qhh?3x", *e[["t", "x", "y", "p"]]) for e in events)
    return flatbuffer(b"EVTS", (data, len(events)))


def frame_packet(t, pixels, kind=0):
    height, width = pixels.shape[:2]
    times = [("q", t + d) for d in (0, -10, 10, -5, 5)]
    data = pixels.tobytes()
    sizes = [("b", kind), ("h", width), ("h", height), ("h", 0), ("h", 0)]
    return flatbuffer(b"FRME", *times, *sizes, (data, len(data)))


EVENTS = make_events([0, 3, 2], [1, 2, 0], [100, 100, 105], [1, 0, 1])
LATER = make_events([1, 1], [1, 1], [105, 900], [0, 1])
GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
STREAMS = [(0, "EVTS", (4, 3)), (1, "FRME", (4, 3))]


def written(tmp_path, *arguments, **options):
    path = tmp_path / "made.aedat4"
    path.write_bytes(file_bytes(*arguments, **options))
    return path
