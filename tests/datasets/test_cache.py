"""The clip cache gives what the files give, whatever happens to files, settings or the cache."""

import json
import os
import pickle
import shutil
import time

import numpy as np
import pytest
import torch
from cache_sets import LENGTH, SIZE, Arrays, fill, make, same
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from snnkd.datasets import collate
from snnkd.datasets.cache_blob import encode_windows, gather_clips, places
from snnkd.datasets.cache_store import ALIGNMENT, Entry
from snnkd.datasets.sample import Windows
from snnkd.errors import DatasetError, SnnkdWarning


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make(tmp_path_factory.mktemp("arrays"))


@pytest.fixture
def own(root, tmp_path):
    """A dataset that a test may change."""
    shutil.copytree(root, tmp_path / "own")
    time.sleep(2.2)
    return tmp_path / "own"


def store(folder):
    (path,) = folder.glob("*/*/windows-*.bin")
    return path


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_windows_come_back(data):
    height, width, number = (data.draw(st.integers(1, n)) for n in (9, 200, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    density = data.draw(st.sampled_from([0, 0.0003, 0.01, 0.3, 1]))
    most = data.draw(st.sampled_from([1, 3, 4, 255]))
    counts = rng.integers(0, most + 1, (number, 2, height, width)) * (rng.random((number, 2, height, width)) < density)
    frames = rng.integers(0, 2, (number, 1, 1), dtype=np.uint8) * np.ones((1, height, width), np.uint8)
    made = Windows(counts.astype(np.uint8), frames)
    blob, images = encode_windows(made)
    before = bytes(ALIGNMENT * data.draw(st.integers(0, 2)))
    file = np.frombuffer(before + blob + b"next", np.uint8)
    rows = np.array([places(Entry("x", len(before), len(blob), 0, number, images), height * width)], np.int64)
    chosen = np.array(data.draw(st.lists(st.integers(0, number - 1), min_size=1)), np.int64)
    events, seen = gather_clips(file, rows, chosen[:, None], (width, height))
    np.testing.assert_array_equal(events[:, 0], made.events[chosen])
    np.testing.assert_array_equal(seen[:, 0], made.frames[chosen])


def test_wide_gaps_come_back():
    counts = np.zeros((1, 2, 300, 200), np.uint8)
    counts[0, 0, 0, 0], counts[0, 1, 299, 199], counts[0, 1, 0, 5] = 255, 4, 1  # 60,000 and 119,994 places apart
    made = Windows(counts, np.zeros((1, 300, 200), np.uint8))
    blob, images = encode_windows(made)
    rows = np.array([places(Entry("x", 0, len(blob), 0, 1, images), 60_000)], np.int64)
    events, _ = gather_clips(np.frombuffer(blob, np.uint8), rows, np.zeros((1, 1), np.int64), (200, 300))
    np.testing.assert_array_equal(events[0], counts)


def test_windows_of_another_type_are_refused():
    with pytest.raises(ValueError, match="cannot be cached"):
        encode_windows(Windows(np.zeros((1, 2, 3, 3), np.uint16), np.zeros((1, 3, 3), np.uint8)))


def test_cached_clips_are_the_files_clips(root, tmp_path):
    data, plain = Arrays(root).use_cache(tmp_path), Arrays(root)
    assert same(plain, data)
    for i in (0, 5, -1):
        torch.manual_seed(i + 3)
        a = data[i]
        torch.manual_seed(i + 3)
        b = plain[i]
        assert torch.equal(a["events"], b["events"])
        assert torch.equal(a["frames"], b["frames"])
        assert (a["label"], a["index"]) == (b["label"], b["index"])


def test_a_batch_is_what_its_samples_make(root, tmp_path):
    for data in (Arrays(root), Arrays(root).use_cache(tmp_path)):
        torch.manual_seed(1)
        whole = collate(data.__getitems__([3, 1, 7]))
        torch.manual_seed(1)
        one_by_one = collate([data[i] for i in (3, 1, 7)])
        assert all(torch.equal(whole[key], one_by_one[key]) for key in whole)


def test_a_second_opening_reads_no_file(root, tmp_path):
    Arrays(root).use_cache(tmp_path)
    again = Arrays(root, steps=6, stride=1, start="first")
    again.use_cache(tmp_path, workers=0)
    assert again.reads == []
    assert same(Arrays(root), again)


@pytest.mark.parametrize("workers", [0, 2])
def test_filling_a_cache_moves_no_ones_draws(root, tmp_path, workers):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    Arrays(root).use_cache(tmp_path, workers=workers)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_subset_adds_to_the_same_cache(root, tmp_path):
    part = Arrays(root)
    part.sequences = part.sequences[2:5]
    part.use_cache(tmp_path, workers=0)
    assert sorted(part.reads) == [0, 1, 2]
    whole = Arrays(root).use_cache(tmp_path, workers=0)
    assert len(whole.reads) == 9
    plain = Arrays(root)
    assert same(plain, whole)
    plain.sequences = plain.sequences[2:5]
    assert same(plain, part)


def test_processes_read_the_same(root, tmp_path):
    counted = []
    data = Arrays(root).use_cache(tmp_path, workers=2, progress=lambda done, total: counted.append((done, total)))
    assert data.reads == []  # the workers did
    assert counted == [(i + 1, 12) for i in range(12)]
    assert same(Arrays(root), data)


def test_a_changed_setting_has_a_cache_of_its_own(root, tmp_path):
    one, two = Arrays(root).use_cache(tmp_path), Arrays(root, gain=2).use_cache(tmp_path)
    assert one.cache.folder != two.cache.folder
    assert same(Arrays(root, gain=2), two)
    assert same(Arrays(root), one)


def test_a_changed_border_of_a_segment_is_read_anew(root, tmp_path):
    Arrays(root).use_cache(tmp_path)
    later = Arrays(root, first=2).use_cache(tmp_path, workers=0)
    assert len(later.reads) == 12
    assert same(Arrays(root, first=2), later)


def test_a_changed_file_is_read_anew_though_size_and_mtime_are_the_same(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    path = own / "s04" / "frames.npy"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    data = Arrays(own).use_cache(tmp_path / "cache", workers=0)
    assert data.reads == [4]
    assert same(Arrays(own), data)


def test_a_file_changed_in_the_clock_tick_of_its_first_reading_is_read_anew(tmp_path, monkeypatch):
    """A coarse clock: all that happens within the test has one time."""
    root = make(tmp_path / "own", 2, aged=False)
    from snnkd.datasets import cache_keys

    real = cache_keys._files
    frozen = {}

    def files(dataset, index):
        for name, path, stat in real(dataset, index):
            yield name, path, frozen.setdefault(path, stat)

    monkeypatch.setattr(cache_keys, "_files", files)
    Arrays(root).use_cache(tmp_path / "cache")
    fill(root / "s01", seed=77)
    data = Arrays(root).use_cache(tmp_path / "cache", workers=0)
    assert data.reads == [1]
    assert same(Arrays(root), data)


def test_a_file_more_is_a_change(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    (own / "s03" / "deeper").mkdir()
    (own / "s03" / "deeper" / "note.txt").write_text("x")
    assert Arrays(own).use_cache(tmp_path / "cache", workers=0).reads == [3]


def test_a_touched_dataset_keeps_its_cache(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    size = store(tmp_path / "cache").stat().st_size
    for path in own.glob("*/*.npy"):
        path.touch()
    data = Arrays(own).use_cache(tmp_path / "cache", workers=0)
    assert data.reads == []
    assert store(tmp_path / "cache").stat().st_size == size


def test_labels_are_not_cached(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    data = Arrays(own)
    data.sequences = [type(s)(s.name, s.person, None, s.lighting, s.length) for s in data.sequences]
    data.use_cache(tmp_path / "cache", workers=0)
    assert data.reads == []
    assert data[2]["label"] == -1


def damage_cut(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)


def damage_flip(path):
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 16]))


@pytest.mark.parametrize("damage", [damage_cut, damage_flip, lambda path: path.write_bytes(b""), os.unlink])
def test_damaged_windows_are_named_and_read_anew(root, tmp_path, damage):
    Arrays(root).use_cache(tmp_path)
    path = store(tmp_path)
    damage(path)
    with pytest.warns(SnnkdWarning, match=r"windows-\w+\.bin: was cut or changed at \d+ of 12 sequences.* read anew"):
        data = Arrays(root).use_cache(tmp_path, workers=0)
    assert 0 < len(data.reads) <= 12
    assert same(Arrays(root), data)
    again = Arrays(root).use_cache(tmp_path, workers=0)  # and without a warning
    assert again.reads == []


@pytest.mark.parametrize("damage", [damage_cut, damage_flip, lambda path: path.write_bytes(b"")])
def test_a_damaged_index_is_named_and_made_anew(root, tmp_path, damage):
    Arrays(root).use_cache(tmp_path)
    before = store(tmp_path)
    damage(next(tmp_path.glob("*/*/index.json")))
    with pytest.warns(SnnkdWarning, match=r"index\.json: .*made anew") as caught:
        data = Arrays(root).use_cache(tmp_path, workers=0)
    assert len(caught) == 1
    assert len(data.reads) == 12
    assert same(Arrays(root), data)
    assert store(tmp_path) != before  # the damaged one is gone


@pytest.mark.parametrize("place", range(0, 2000, 97))
def test_no_flipped_bit_gives_another_clip(root, tmp_path, place):
    Arrays(root).use_cache(tmp_path)
    path = store(tmp_path)
    content = bytearray(path.read_bytes())
    content[place * len(content) // 2000] ^= 1 << (place % 8)
    path.write_bytes(content)
    with pytest.warns(SnnkdWarning) if place else pytest.warns():
        data = Arrays(root).use_cache(tmp_path, workers=0)
    assert same(Arrays(root), data)


def test_touched_files_of_a_damaged_cache_are_read_anew(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    for path in own.glob("*/*.npy"):
        path.touch()
    damage_flip(store(tmp_path / "cache"))
    with pytest.warns(SnnkdWarning, match="at 1 of 12"):
        data = Arrays(own).use_cache(tmp_path / "cache", workers=0)
    assert len(data.reads) == 1
    assert same(Arrays(own), data)


def test_a_dataset_that_went_elsewhere_is_another(own, tmp_path):
    Arrays(own).use_cache(tmp_path / "cache")
    shutil.move(own, tmp_path / "moved")
    assert same(Arrays(tmp_path / "moved"), Arrays(tmp_path / "moved").use_cache(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_missing_source_is_named_and_what_was_read_stays(own, tmp_path):
    data = Arrays(own)
    (own / "s07" / "frames.npy").unlink()
    with pytest.raises(DatasetError, match=r"frames\.npy: cannot be read: No such file"):
        data.use_cache(tmp_path / "cache", workers=2)
    fill(own / "s07", 7)
    data = Arrays(own).use_cache(tmp_path / "cache", workers=0)
    assert 7 in data.reads
    assert len(data.reads) < 12
    assert same(Arrays(own), data)
    shutil.rmtree(own / "s02")
    with pytest.raises(DatasetError, match=r"s02: .*'s02' cannot be read: .*; fetch it again"):
        data.use_cache(tmp_path / "cache")


def test_a_file_that_changes_all_the_time_is_refused(own, tmp_path, monkeypatch):
    read = Arrays.read

    def restless(self, index, windows):
        (self.root / self.sequences[index].name / "frames.npy").touch()
        return read(self, index, windows)

    monkeypatch.setattr(Arrays, "read", restless)
    with pytest.raises(DatasetError, match="changes while it is read"):
        Arrays(own).use_cache(tmp_path / "cache", workers=0)


def test_a_warning_of_a_worker_arrives(own, tmp_path, monkeypatch):
    import warnings

    read = Arrays.read

    def telling(self, index, windows):
        if index == 3:
            warnings.warn("a count was stopped", SnnkdWarning, stacklevel=2)
        return read(self, index, windows)

    monkeypatch.setattr(Arrays, "read", telling)
    with pytest.warns(SnnkdWarning, match="a count was stopped"):
        Arrays(own).use_cache(tmp_path / "cache", workers=2)


def test_what_a_dataset_keeps_in_memory_is_not_cached(own, tmp_path):
    class Remembering(Arrays):
        def read(self, index, windows):
            memory = self.__dict__.setdefault("memory", {})
            if index not in memory:
                memory[index] = super().read(index, np.arange(LENGTH))
            return Windows(*(part[windows] for part in memory[index]))

        def __getstate__(self):
            return {key: value for key, value in self.__dict__.items() if key != "memory"}

    data = Remembering(own)
    data[1]
    fill(own / "s01", 50)
    data.use_cache(tmp_path / "cache", workers=0)
    assert same(Arrays(own), data)


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_workers_of_a_loader_share_it(root, tmp_path, how):
    data = Arrays(root, start="centre").use_cache(tmp_path)
    assert len(pickle.dumps(data)) < 10_000  # no windows in it
    loader = DataLoader(data, 5, collate_fn=collate, num_workers=2, multiprocessing_context=how)
    plain = DataLoader(Arrays(root, start="centre"), 5, collate_fn=collate)
    for a, b in zip(loader, plain, strict=True):
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_cache_removed_under_a_pickle_is_named(root, tmp_path):
    sent = pickle.dumps(Arrays(root).use_cache(tmp_path))
    store(tmp_path).unlink()
    with pytest.raises(DatasetError, match="was removed"):
        pickle.loads(sent)


def test_a_window_that_is_not_there_is_refused(root, tmp_path):
    cache = Arrays(root).use_cache(tmp_path).cache
    for windows in ([[LENGTH]], [[-1]]):
        with pytest.raises(IndexError):
            cache.gather([0], np.array(windows))
    with pytest.raises(ValueError, match="as many rows"):
        cache.gather([0, 1], np.array([[0]]))
    assert cache.gather([0], np.array([[0, 1]]))[0].shape == (2, 1, 2, SIZE[1], SIZE[0])


def test_a_cache_says_what_it_holds(root, tmp_path):
    folder = Arrays(root, gain=3).use_cache(tmp_path).cache.folder
    said = json.loads((folder / "about.json").read_text())
    assert said["root"] == str(root.resolve())
    assert said["reading"]["gain"] == 3
