"""The text at the head of Prophesee's files: what encoding follows, and for which sensor.

The head of RAW and DAT files is lines ``% keyword value``; the data begin after ``% end``, or where a line does not
begin with ``%`` and a space. What is read of them:

====================  ==========================================================================================
line                  meaning
====================  ==========================================================================================
``evt 3.0``           encoding: 2.0, 2.1 or 3.0
``format EVT3;...``   the same, with options ``width=``, ``height=``, ``endianness=``
``geometry 640x480``  size of the sensor, width first; ``Width 640`` and ``Height 480`` in DAT files
``endianness little`` order of the two halves of an EVT2.1 word, ``little`` or ``legacy``
``system_ID 21``      the camera, which tells the sensor and the encoding where an older file does not
====================  ==========================================================================================

Sources: the RAW and DAT pages of Prophesee's documentation; OpenEB (``psee_raw_file_header.cpp``,
``device_system_id.h``) for the cameras, and for which of them write EVT2.1 in which order.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

LONGEST = 1 << 16
"""Bytes in which a header has to end; real ones have some hundred."""

_VGA, _HD = (640, 480), (1280, 720)
_EVT2_VGA = (0x15, 0x17, 0x19, 0x1C, 0x1D, 0x21, 0x22, 0x23, 0x29, 0x97, 0x99, 0xA1, 0xA2)
SYSTEMS = {
    **dict.fromkeys(_EVT2_VGA, (_VGA, "2.0")),
    **dict.fromkeys((0x1A, 0x1F, 0x27), (_HD, "2.0")),
    **dict.fromkeys((0x1E, 0x2E, 0x30, 0x31, 0x32), (_HD, "3.0")),
    0x28: (_VGA, "3.0"),
}
"""Sensor (W, H) and encoding of Prophesee's older cameras by their ``system_ID``."""

FIRST_LITTLE = 0x37
"""The first ``system_ID`` of Prophesee's whose EVT2.1 words are little-endian as a whole."""

_TEXT = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\r?")
_LEFT_OVER = re.compile(rb"[\t\x20-\x7e]{5,}\r?\n")


class HeaderError(ValueError):
    """The reason why a file cannot be read."""


@dataclass(frozen=True)
class Header:
    """The lines as ``{keyword: value}``, the byte where the data begin, and the first bytes there."""

    lines: dict[str, str]
    end: int
    data: bytes
    _lower: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._lower.update((keyword.lower(), value) for keyword, value in self.lines.items())

    def get(self, keyword: str) -> str | None:
        """Value of a keyword, however it is capitalised; None where there is none."""
        return self._lower.get(keyword)

    @property
    def encoding(self) -> str | None:
        """``2.0``, ``2.1``, ``3.0``, or what else the header calls it; None where it calls it nothing."""
        name = self._format[0]
        found = {_version(text) for text in (self.get("evt"), name) if text}
        if len(found) > 1:
            raise HeaderError(f"its header contradicts itself: evt {self.get('evt')}, but format {name}")
        return found.pop() if found else self._encoding_of_system

    @property
    def is_dat(self) -> bool:
        """Whether DAT follows, which names no encoding."""
        if self.get("evt") or self.get("format"):
            return False
        known = self._says_dat or self._encoding_of_system is not None
        return self._says_dat if known else self.data[:2] in (b"\x00\x08", b"\x0c\x08", b"\x0e\x08")

    def sensor_size(self, largest: int) -> tuple[tuple[int, int] | None, str]:
        """Size of the sensor, None where nothing tells it, and what tells it; at most ``largest`` a side."""
        options = self._format[1]
        found: dict[str, tuple[int, int]] = {}
        if geometry := self.get("geometry"):
            found["geometry"] = _size(*geometry.lower().partition("x")[::2], largest)
        if "width" in options or "height" in options:
            found["format"] = _size(options.get("width", ""), options.get("height", ""), largest)
        if self.get("width") or self.get("height"):
            found["Width and Height"] = _size(self.get("width") or "", self.get("height") or "", largest)
        if len(set(found.values())) > 1:
            sizes = ", ".join(f"{width}×{height} by {name}" for name, (width, height) in found.items())
            raise HeaderError(f"its header contradicts itself about the sensor: {sizes}")
        if found:
            return next(iter(found.values())), "header"
        system = self._system
        return (system[0], f"system_ID {self.get('system_id')}") if system else (None, "events")

    @property
    def endianness(self) -> str | None:
        """Order of an EVT2.1 word as the header, or the camera, has it; None where neither tells."""
        order = self._format[1].get("endianness") or self.get("endianness")
        if order not in (None, "little", "legacy"):
            raise HeaderError(f"its words are of endianness {order!r}, known are little and legacy")
        number = self._system_number
        if order is None and number is not None:
            return "legacy" if number < FIRST_LITTLE else "little"
        return order

    @property
    def _says_dat(self) -> bool:
        return (self.get("data") or "").startswith("file containing")

    @property
    def _encoding_of_system(self) -> str | None:
        system = None if self._says_dat else self._system
        return system[1] if system else None

    @property
    def _format(self) -> tuple[str, dict[str, str]]:
        name, *options = (self.get("format") or "").split(";")
        pairs = (option.partition("=") for option in options)
        return name.strip(), {key.strip().lower(): value.strip() for key, _, value in pairs}

    @property
    def _system_number(self) -> int | None:
        """The ``system_ID``, of cameras of Prophesee's; other makers count their own."""
        names = (self.get(f"{whose}integrator_name") for whose in ("", "camera_", "plugin_"))
        text = self.get("system_id") or ""
        return int(text) if text.isdecimal() and len(text) < 9 and {*names} <= {None, "Prophesee"} else None

    @property
    def _system(self) -> tuple[tuple[int, int], str] | None:
        number = self._system_number
        return None if number is None else SYSTEMS.get(number)


def read_header(path: Path) -> Header:
    """Read the header of a file; :class:`HeaderError` when there is none, or when it is cut or damaged."""
    with path.open("rb") as file:
        head = file.read(LONGEST + 64)
    lines: dict[str, str] = {}
    position, ended = 0, False
    while not ended and head.startswith(b"% ", position):
        end = head.find(b"\n", position)
        if end < 0 or end >= LONGEST:
            if len(head) <= LONGEST:
                raise HeaderError(f"cut within its header, in the line at byte {position}")
            raise HeaderError(f"its header does not end within {LONGEST} bytes")
        line = head[position:end]
        if not _TEXT.fullmatch(line):  # data that begin as a line does
            break
        keyword, _, value = line.decode("utf-8", "replace").strip("% \t\r").partition(" ")
        ended = keyword == "end" and not value
        if keyword and not ended:
            lines[keyword] = value.strip()
        position = end + 1
    if not ended and position and head[position:] == b"%":
        raise HeaderError(f"cut within its header, in the line at byte {position}")
    if not position:
        raise HeaderError("has no header of lines that begin with %, as Prophesee's files have")
    if not ended and _LEFT_OVER.match(head, position):
        raise HeaderError(f"its header is damaged: the line at byte {position} does not begin with %")
    return Header(lines, position, head[position : position + 64])


def _version(text: str) -> str:
    """``3.0`` of ``EVT3``, ``EVT3.0``, ``3.0`` and ``3``; ``2.1`` of ``EVT21``; else the text itself."""
    digits = re.fullmatch(r"(?:EVT)?(\d)\.?(\d?)", text.strip().upper())
    return f"{digits[1]}.{digits[2] or 0}" if digits else text.strip()


def _size(width: str, height: str, largest: int) -> tuple[int, int]:
    sides = [int(text) if text.strip().isdecimal() and len(text) < 9 else 0 for text in (width, height)]
    if not all(1 <= side <= largest for side in sides):
        raise HeaderError(f"its header gives a sensor of {width!r} × {height!r}, expected sides of 1..{largest}")
    return sides[0], sides[1]
