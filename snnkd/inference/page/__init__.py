"""Pages: one self-contained HTML file a recording, and an index over many."""

from snnkd.inference.page.builder import build_page
from snnkd.inference.page.index import INDEX, build_index

__all__ = ["INDEX", "build_index", "build_page"]
