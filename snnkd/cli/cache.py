"""``snnkd data cache``: make, list and remove the clip caches of a dataset."""

import argparse


def cache(options: argparse.Namespace) -> int:
    """Make a cache, or list or remove those that there are."""
    from snnkd.datasets import open_dataset
    from snnkd.datasets.cache_listing import list_caches
    from snnkd.datasets.cache_store import remove
    from snnkd.terminal import counting

    if options.clear:
        found = list_caches(options.cache, options.dataset, options.size, options.window_us)
        for listed in found:
            remove(listed.folder)
        freed = sum(listed.bytes for listed in found)
        print(f"removed {len(found)} cache{'s' * (len(found) != 1)} of {options.dataset}, {_bytes(freed)}")
        return 0
    if not options.list:
        settings = {"size": options.size, "window_us": options.window_us}
        dataset = open_dataset(options.dataset, "all", steps=1, stride=1, **settings)
        with counting("caching") as progress:
            dataset.use_cache(options.cache, workers=options.workers, progress=progress)
    print(_table(options))
    return 0


def _table(options: argparse.Namespace) -> str:
    from snnkd.datasets.cache_listing import list_caches
    from snnkd.terminal import as_text, plain_table

    found = list_caches(options.cache, options.dataset)
    if not found:
        return f"{options.dataset}: no cache in {options.cache}"
    grid = plain_table()
    for name in ("size", "window", "sequences", "windows", "on disk", "outdated"):
        grid.add_column(name, justify="right")
    grid.add_column("folder", overflow="fold")
    for one in found:
        grid.add_row(
            f"{one.size[0]}x{one.size[1]}",
            f"{one.window_us:,} µs",
            f"{one.sequences:,}" if one.whole else "damaged",
            f"{one.windows:,}",
            _bytes(one.bytes),
            _bytes(one.outdated) if one.outdated else "–",
            str(one.folder),
        )
    total = _bytes(sum(one.bytes for one in found))
    title = f"{options.dataset}: {len(found)} cache{'s' * (len(found) != 1)}, {total}"
    return as_text(title, grid, width=160)


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
