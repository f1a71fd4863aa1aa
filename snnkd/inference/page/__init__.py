"""Pages: one self-contained HTML file a recording, and an index over many."""

from snnkd.inference.page.builder import build_page
from snnkd.inference.page.index import build_index

__all__ = ["build_index", "build_page"]
