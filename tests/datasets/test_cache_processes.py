"""The clip cache when several processes build it, and when one is killed or finds the disk full."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest
from cache_sets import Arrays, child, make, result, same

from snnkd.datasets import cache_store
from snnkd.datasets.cache_store import LOCK, read_index, remove
from snnkd.errors import DatasetError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make(tmp_path_factory.mktemp("arrays"))


def await_line(process, number):
    """The process' output up to so many sequences."""
    for line in process.stdout:
        if int(line.split()[0]) >= number:
            return
    raise AssertionError(process.stderr.read())


def test_two_processes_at_once_make_one_cache(root, tmp_path):
    first = child(root, tmp_path, delay=0.1)
    await_line(first, 1)
    second = child(root, tmp_path, delay=0.1)
    assert result(first) == {"same": True, "reads": 12}
    told = result(second)
    assert told == {"same": True, "reads": 0}  # it waited, and used the first one's
    (folder,) = tmp_path.glob("*/*")
    assert len(read_index(folder).entries) == 12
    assert same(Arrays(root), Arrays(root).use_cache(tmp_path))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_builder_leaves_a_whole_cache_and_no_lock(root, tmp_path, workers):
    first = child(root, tmp_path, delay=0.4, workers=workers)
    await_line(first, 8)  # beyond the first index that is saved on the way
    second = child(root, tmp_path, delay=0.0)
    time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    began = time.monotonic()
    told = result(second)
    assert told["same"]
    assert 0 < told["reads"] < 12  # it went on from what was there
    assert time.monotonic() - began < 60
    assert same(Arrays(root), Arrays(root).use_cache(tmp_path))
    left = {path.name.split("-")[0] for folder in tmp_path.glob("*/*") for path in folder.iterdir()}
    assert left == {"about.json", "index.json", LOCK, "windows"}


@pytest.mark.parametrize("bytes_left", [0, 1000, 8000])
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing_half(root, tmp_path, bytes_left):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))

    process = child(root, tmp_path, preexec_fn=limit)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    last = err.strip().splitlines()[-1]
    assert "cannot write the clip cache: File too large; free space, give another folder, or none" in last
    for folder in tmp_path.glob("*/*"):
        index = read_index(folder)  # whole, if there is one
        held = {path.name: path.stat().st_size for path in folder.iterdir()}
        assert not [name for name in held if name.endswith(".partial")]
        data = [size for name, size in held.items() if name.startswith("windows")]
        assert sum(data) == (0 if index is None else index.end)
    data = Arrays(root).use_cache(tmp_path, workers=0)  # with space again it goes on, without a warning
    assert same(Arrays(root), data)
    assert len(data.reads) <= 12


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(root, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DatasetError, match="cannot write the clip cache: Permission denied"):
        Arrays(root).use_cache(tmp_path)


def test_a_folder_that_is_a_file_is_named(root, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(DatasetError, match="cannot write the clip cache: "):
        Arrays(root).use_cache(tmp_path / "cache")


def test_a_cache_that_is_being_built_is_not_removed(root, tmp_path):
    process = child(root, tmp_path, delay=0.2)
    await_line(process, 1)
    (folder,) = tmp_path.glob("*/*")
    with pytest.raises(DatasetError, match="another process is building this cache"):
        remove(folder)
    assert result(process)["same"]
    mapped = Arrays(root).use_cache(tmp_path)
    remove(folder)
    assert not folder.exists()
    assert same(Arrays(root), mapped)  # who has it open keeps it


def test_a_builder_whose_cache_is_removed_while_it_waits_builds_its_own(root, tmp_path):
    Arrays(root).use_cache(tmp_path)
    (folder,) = tmp_path.glob("*/*")
    with cache_store.locked(folder, None):
        (folder / "index.json").unlink()
        process = child(root, tmp_path)
        while "waiting" not in (process.stderr.readline() or "waiting"):
            pass
        for path in Path(folder).iterdir():
            path.unlink()
        folder.rmdir()
    assert result(process) == {"same": True, "reads": 12}
