"""Text: every spelling of columns, units and polarity, what must be asked instead of guessed, and damage."""

import numpy as np
import pytest
from fuzzing import hold
from hypothesis import given, settings
from hypothesis import strategies as st

import snnkd.recordings.text
from snnkd.errors import RecordingError, SnnkdWarning
from snnkd.recordings import open_recording
from snnkd.recordings._column_names import role_of
from snnkd.recordings.text import TextRecording

T0 = 1_657_711_738_105_396
EVENTS = [(120, 45, T0, True), (121, 45, T0 + 5, False), (0, 259, T0 + 5, True), (345, 0, T0 + 1_000_000, False)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.txt"


def lines(template, events=EVENTS, end="\n"):
    return "".join(template.format(x=x, y=y, t=t, p=int(p), s=t / 1e6, sign=2 * p - 1) + end for x, y, t, p in events)


@pytest.mark.parametrize(
    ("header", "template"),
    [
        ("", "{t} {x} {y} {p}"),
        ("", "{t},{x},{y},{p}"),
        ("", "{t}\t{x}\t{y}\t{p}"),
        ("", "  {t}   {x} {y}  {p} "),
        ("", "{t}; {x}; {y}; {sign}"),
        ("", "{t} {x} {y} {sign}"),
        ("", "{t} {x}.0 {y}.00 {p}e0"),
        ("", "{t}.0 {x} {y} {p}"),
        ("", "{x} {y} {t} {p}"),
        ("", "{x},{y},{p},{t}"),
        ("t x y p\n", "{t} {x} {y} {p}"),
        ("x,y,p,t\n", "{x},{y},{p},{t}"),
        ("timestamp,x,y,polarity\n", "{t},{x},{y},{p}"),
        ('"Polarity";"Row";"Column";"Time (us)"\n', "{p};{y};{x};{t}"),
        ("t_us x y on\n", "{t} {x} {y} {p}"),
        ("time [s],x,y,p\n", "{s:.6f},{x},{y},{p}"),
        ("# made by hand\n# x y p t\n", "{x} {y} {p} {t}"),
        ("% words\n\n// more words, of any kind\n", "{t} {x} {y} {p}"),
        ("\ufefft x y p\n", "{t} {x} {y} {p}"),
        ("%geometry:346,260\n", "{x},{y},{p},{t}"),
        ("t_s x y p\n", "{s!r} {x} {y} {p}"),
        ("t_s x y p\n", "{s:.18e} {x} {y} {p}"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spellings(path, header, template, end):
    path.write_bytes((header.replace("\n", end) + lines(template, end=end)).encode())
    recording = open_recording(path)
    assert recording.format == "text"
    assert recording.events.tolist() == EVENTS
    assert recording.sensor_size == (346, 260)
    assert recording.metadata["sensor_size_from"] == ("header" if "geometry" in header else "largest coordinates")
    assert (recording.event_count, recording.start_us, recording.duration_us) == (4, T0, 1_000_000)
    assert recording.warnings == []


def test_a_micro_sign_in_latin_1(path):
    path.write_bytes("time (µs),x,y,p\n".encode("latin-1") + lines("{t}.25,{x},{y},{p}").encode())
    recording = open_recording(path)
    assert recording.events.tolist() == EVENTS
    assert recording.metadata["time_unit"] == "us"


def test_what_pandas_writes(path):
    path.write_text(",x,y,t,p\n" + "".join(f"{i},{x},{y},{t},{p}\n" for i, (x, y, t, p) in enumerate(EVENTS)))
    with pytest.warns(SnnkdWarning, match="columns were left out: one without a name"):
        recording = open_recording(path)
    assert recording.events.tolist() == EVENTS


def test_other_columns_may_be_words(path):
    path.write_text("label,t,x,y,p\n" + lines("eye {x},{t},{x},{y},{p}"))
    with pytest.warns(SnnkdWarning, match="columns were left out: label"):
        assert open_recording(path).events.tolist() == EVENTS


def test_the_sensor_may_stand_in_the_first_line(path):
    path.write_text("640 480\n" + lines("{t} {x} {y} {p}"))
    recording = open_recording(path)
    assert recording.sensor_size == (640, 480)
    assert recording.metadata["sensor_size_from"] == "header"
    assert recording.events.tolist() == EVENTS


def test_arguments_decide(path):
    path.write_text("0.25 7 3 0 9\n1.5 8 3 1 9\n")
    recording = TextRecording(path, columns="tyxp-", unit="ms", sensor_size=(10, 20))
    assert recording.events.tolist() == [(3, 7, 250, False), (3, 8, 1500, True)]
    assert recording.sensor_size == (10, 20)
    assert recording.metadata["time_unit"] == "ms"
    path.write_text("1000499 1 2 1\n1000500 1 2 1\n")
    assert TextRecording(path, unit="ns").events["t"].tolist() == [1000, 1001]
    for wrong in ({"columns": "txy"}, {"columns": "ttxyp"}, {"unit": "minutes"}, {"sensor_size": (0, 3)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TextRecording(path, **wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0.001 1 2 1\n0.002 1 2 0\n", "times with up to three decimals may be s or ms: say the unit"),
        ("1657711738105396123 1 2 1\n", "is no µs: say the unit"),
        ("5 1 2 1\n6 1 2 0\n7.5 1 2 0\n", "s or ms"),
        ("1 2 3\n", "has 3 columns without names, expected t x y p"),
        ("a b c d\n1 2 3 4\n", "no column for t, x, y, p among 'a', 'b', 'c', 'd'; say which is which"),
        ("t ts x y p\n1 1 2 3 1\n", "both 't' and 'ts' would be t"),
        ("t,x,y,p\n1,2,3\n", "names for 4 columns, but the line at byte 8 has 3"),
        ("# nothing but words\n", "no line of numbers"),
        ("hello", "no line of numbers"),
        ("1657711738105396 120", "has 2 columns without names"),
        ("70000 1\n1 2 3 1\n", "its header gives the sensor as 70000×1"),
    ],
)
def test_what_cannot_be_told_is_asked(path, content, message):
    path.write_text(content)
    with pytest.raises(RecordingError, match=message) as error:
        open_recording(path)
    assert "\n" not in str(error.value)


GOOD = "1 2 3 1\n2 2 3 0\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 2 3", r"line 3 \(byte 16\) has 3 columns, expected 4"),
        ("3 2 3 1 1", r"line 3 \(byte 16\) has 5 columns, expected 4"),
        ("3 2 x 1", r"line 3 \(byte 16\) has y = 'x', which is no number"),
        ("3 nan 3 1", r"event 2 \(line 3, byte 16\) has x = nan, expected a whole number"),
        ("3 2 3-4 1", r"line 3 \(byte 16\) has y = '3-4', which is no number"),
        ("3 2 \xff 1", r"line 3 \(byte 16\) has y = '\\\\xff', which is no number"),
        ("3 2 2.5 1", r"event 2 \(line 3, byte 16\) has y = 2.5, expected a whole number"),
        ("3 2 3 2", r"event 2 \(line 3, byte 16\) has polarity 2"),
        ("3 2 3 -1", r"event 2 \(line 3, byte 16\) has polarity -1"),
        ("3 -2 3 1", r"event 2 \(line 3, byte 16\) lies at \(x, y\) = \(-2, 3\)"),
        ("3 2 4096 1", r"event 2 \(line 3, byte 16\) lies at \(x, y\) = \(2, 4096\).*say the size"),
        ("1 2 3 1", r"time runs backwards: event 2 \(line 3, byte 16\) is at 1 µs after 2 µs"),
        ("99999999999999999999 2 3 1", r"event 2 \(line 3, byte 16\) has t = 1e\+20, expected whole µs"),
        ("1e400 2 3 1", r"event 2 \(line 3, byte 16\) has t = inf"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_byte(path, line, message):
    path.write_bytes((GOOD + line + "\n").encode("latin1") + b"9 2 3 1\n" * 3)
    with pytest.raises(RecordingError, match=message) as error:
        _ = open_recording(path).events
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_fraction_far_behind_whole_times_is_told(path):
    path.write_text("".join(f"{t} 1 2 1\n" for t in range(5000)) + "5000.5 1 2 1\n")
    with pytest.raises(RecordingError, match=r"event 5000 \(line 5001, .*has t = 5000.5, expected whole µs like the"):
        _ = open_recording(path).events


def test_places_hold_across_blocks_and_blank_lines(path, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.text, "BLOCK", 64)
    rows = [f"{t} {t % 40} 7 1" for t in range(100)]
    rows[50:50] = ["", "  "]
    rows[90] = "88 40 -1 0"
    content = "# a comment\n" + "\n".join(rows) + "\n"
    path.write_text(content)
    at = content.index("88 40 -1 0")
    with pytest.raises(RecordingError, match=rf"event 88 \(line 92, byte {at}\) lies at"):
        list(open_recording(path))
    path.write_text(content.replace("-1 0", "1 1"))
    recording = open_recording(path)
    assert recording.events["t"].tolist() == list(range(100))
    assert sum(len(window.events) for window in recording.windows(7)) == 100


def test_a_line_without_end_is_told(path, monkeypatch):
    monkeypatch.setattr(snnkd.recordings.text, "BLOCK", 64)
    path.write_text(GOOD + "1" * 500)
    with pytest.raises(RecordingError, match="no line end in 64 bytes from byte 16 on"):
        _ = open_recording(path).events


def test_only_names_are_no_events(path):
    path.write_text("t,x,y,p\n")
    recording = open_recording(path)
    assert (len(recording.events), recording.duration_us) == (0, 0)
    with pytest.raises(RecordingError, match="the size of its sensor is unknown: it holds no events; say the size"):
        _ = recording.sensor_size
    assert open_recording(path, sensor_size=(9, 7)).sensor_size == (9, 7)
    assert list(recording) == []


@pytest.mark.parametrize("template", ["{t} {x} {y} {p}", "{t} {x} {y} {sign}"])
def test_cut_anywhere(path, template):
    content = lines(template)
    whole = content.encode()
    for length in range(content.index("\n") + 1, len(whole)):
        path.write_bytes(whole[:length])
        kept = min(whole[:length].count(b"\n") + _last_is_whole(whole, length), 4)
        rest = whole[:length].rpartition(b"\n")[2]
        if rest.strip() and not _last_is_whole(whole, length):
            recording = TextRecording(path)
            with pytest.warns(SnnkdWarning, match="the last line, at byte .* may be cut; it was left out"):
                assert recording.events.tolist() == EVENTS[:kept]
        else:
            assert TextRecording(path).events.tolist() == EVENTS[:kept]


def _last_is_whole(whole, length):
    return whole[length : length + 1] == b"\n"


def test_a_last_line_that_ends_in_a_time_may_be_cut(path):
    path.write_text("x,y,p,t\n1,2,1,5\n1,2,1,61")
    recording = open_recording(path)
    with pytest.warns(SnnkdWarning, match="the last line, at byte 16, has no end and may be cut"):
        assert recording.events.tolist() == [(1, 2, 5, True)]


def test_the_ending_does_not_matter(tmp_path):
    for name in ("events", "events.dat", "events.csv"):
        (tmp_path / name).write_text(lines("{t} {x} {y} {p}"))
        assert open_recording(tmp_path / name).events.tolist() == EVENTS


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("t", ("t", None)),
        (" Timestamp ", ("t", None)),
        ("time_ms", ("t", "ms")),
        ("t (µs)", ("t", "us")),
        ("ts[ns]", ("t", "ns")),
        ("Time in seconds", ("t", "s")),
        ("xs", ("x", None)),
        ("Column", ("x", None)),
        ("pol", ("p", None)),
        ("on", ("p", None)),
        ("time (\ufffds)", None),
        ("x_velocity", None),
        ("time_of_day", None),
        ("pressure", None),
        ("", None),
    ],
)
def test_names(name, role):
    assert role_of(name) == role


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 4095), st.integers(0, 2**40), st.booleans()), min_size=1),
    st.permutations(["t", "x", "y", "p"]),
    st.sampled_from([",", " ", ";", "\t", ", "]),
    st.sampled_from([("us", "{}"), ("s", None), ("ns", "{}000")]),
)
def test_round_trip_of_anything(tmp_path_factory, events, order, separator, unit):
    """Exact, whatever the order of columns; seconds are written as decimals of the whole number."""
    events = sorted(events, key=lambda event: event[2])
    rows = []
    for x, y, t, p in events:
        time = f"{t // 10**6}.{t % 10**6:06d}" if unit[0] == "s" else unit[1].format(t)
        values = {"t": time, "x": str(x), "y": str(y), "p": str(int(p))}
        rows.append(separator.join(values[name] for name in order))
    names = separator.join(f"t_{unit[0]}" if name == "t" else name for name in order)
    path = tmp_path_factory.mktemp("text") / "x.csv"
    path.write_text("\n".join([names, *rows, ""]))
    assert open_recording(path).events.tolist() == [(x, y, t, p) for x, y, t, p in events]


def test_damage(tmp_path):
    rng = np.random.default_rng(0)
    events = [(int(x), int(y), T0 + 70 * i, bool(x % 2)) for i, (x, y) in enumerate(rng.integers(0, 260, (30, 2)))]
    found = hold(tmp_path / "x.txt", lines("{t} {x} {y} {p}", events).encode(), multiple=2)
    assert {what for _, what in found} == {"read", "warned", "refused"}
