"""Which caches a dataset has, and ``snnkd data cache``."""

import subprocess

import pytest
from cache_sets import Arrays, fill, make

from snnkd.cli import main
from snnkd.datasets import ClipCache, open_dataset
from snnkd.datasets.cache_listing import list_caches


def test_caches_are_listed_with_what_they_hold(tmp_path):
    root = make(tmp_path / "set", 3, aged=False)
    assert list_caches(tmp_path / "cache", root) == []
    Arrays(root).use_cache(tmp_path / "cache")
    Arrays(root, gain=2).use_cache(tmp_path / "cache")
    found = list_caches(tmp_path / "cache", root)
    assert [(one.size, one.window_us, one.sequences, one.windows) for one in found] == [((12, 10), 1000, 3, 27)] * 2
    held = subprocess.run(["du", "-sB1", *map(str, (one.folder for one in found))], capture_output=True, text=True)
    told = [int(line.split()[0]) for line in held.stdout.splitlines()]
    assert all(0 <= whole - one.bytes <= 8192 for whole, one in zip(told, found, strict=True))
    assert list_caches(tmp_path / "cache", root, (12, 10)) == found
    assert list_caches(tmp_path / "cache", root, (10, 10)) == list_caches(tmp_path / "cache", root, None, 5) == []
    assert list_caches(tmp_path / "cache", tmp_path) == []


def test_what_is_outdated_is_told(tmp_path):
    root = make(tmp_path / "set", 3, aged=False)
    Arrays(root).use_cache(tmp_path / "cache")
    fill(root / "s01", 9)
    Arrays(root).use_cache(tmp_path / "cache")
    (listed,) = list_caches(tmp_path / "cache", root)
    assert (listed.sequences, listed.windows) == (3, 27)
    assert 9 * 120 < listed.outdated < 4000
    next(tmp_path.glob("cache/*/*/index.json")).write_text("x")
    (listed,) = list_caches(tmp_path / "cache", root)
    assert not listed.whole


def test_the_command_makes_lists_and_removes(see_root, tmp_path, capsys):
    there = ["data", "cache", str(see_root), "--cache", str(tmp_path / "c")]
    assert main([*there, "--list"]) == 0
    assert "no cache in" in capsys.readouterr().out
    assert main([*there, "--size", "20", "--workers", "1"]) == 0
    told = capsys.readouterr().out
    assert "1 cache, " in told
    assert "20x20" in told
    assert main([*there, "--size", "16x12"]) == 0
    assert "2 caches" in capsys.readouterr().out
    before = list_caches(tmp_path / "c", see_root, (20, 20))
    ClipCache(tmp_path / "c", open_dataset(see_root, "all", size=(20, 20), steps=1))
    assert list_caches(tmp_path / "c", see_root, (20, 20))[0].windows == before[0].windows > 0
    assert list_caches(tmp_path / "c", see_root, (20, 20))[0].outdated == 0
    assert main([*there, "--clear", "--size", "20"]) == 0
    assert "removed 1 cache of" in capsys.readouterr().out
    assert main([*there, "--clear"]) == 0
    assert "removed 1 cache of" in capsys.readouterr().out
    assert list_caches(tmp_path / "c", see_root) == []


@pytest.mark.parametrize(("more", "words"), [(["--list", "--clear"], "not allowed with"), (["--size", "0"], "size")])
def test_what_is_wrong_is_said(see_root, capsys, more, words):
    assert main(["data", "cache", str(see_root), *more]) == 2
    assert words in capsys.readouterr().err
