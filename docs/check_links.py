"""Check the built pages: links within them, anchors, images and their descriptions.

    python docs/check_links.py docs/_build/html
    python docs/check_links.py docs/_build/html --external

Sphinx checks references between sources; this reads what a browser gets, so that raw HTML, the
gallery and what the theme adds are checked as well. The status is 1 when something is wrong.
Nothing is asked of the network: addresses elsewhere are only listed, with ``--external``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: The attribute in which a tag names another file.
_TARGETS = {
    "a": "href",
    "area": "href",
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}
#: Folders of files that themes and packages bring, which are no pages of ours.
_NO_PAGES = {"_static", "_sources", "_downloads"}
#: Pictures that stand inside a link whose text says what they show.
_DECORATIVE = "sphx-glr-thumbcontainer"
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source",
         "track", "wbr"}  # fmt: skip


@dataclass
class Page:
    """What a page links to, offers as anchors, and leaves undescribed."""

    links: list[tuple[int, str]] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    undescribed: list[tuple[int, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collect a :class:`Page` from its HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[tuple[str, bool]] = []  # tags, and whether pictures in them may be bare

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        line = self.getpos()[0]
        for name in ("id", "name") if tag == "a" else ("id",):
            if given.get(name):
                self.page.anchors.add(given[name])
        target = given.get(_TARGETS.get(tag, ""))
        if target is not None:
            self.page.links.append((line, target.strip()))
        decorative = any(bare for _, bare in self._open)
        if tag == "img" and not given.get("alt", "").strip() and not decorative:
            self.page.undescribed.append((line, given.get("src", "")))
        if tag not in _VOID:
            hidden = given.get("aria-hidden") == "true" or given.get("role") == "presentation"
            bare = hidden or _DECORATIVE in given.get("class", "").split()
            self._open.append((tag, bare))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return


def read_page(text: str) -> Page:
    """Return what stands in the HTML of a page."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.page


def check_site(root: Path) -> tuple[list[str], dict[str, set[str]]]:
    """Return what is wrong, one sentence each, and the addresses elsewhere with their pages."""
    root = root.resolve()
    pages = {
        path: read_page(path.read_text("utf-8"))
        for path in sorted(root.rglob("*.html"))
        if not _NO_PAGES & set(path.relative_to(root).parts)
    }
    wrong: list[str] = []
    external: dict[str, set[str]] = defaultdict(set)
    for path, page in pages.items():
        name = path.relative_to(root).as_posix()
        for line, target in page.links:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https") or parts.netloc:
                external[target].add(name)
            elif not parts.scheme:
                fault = _fault_of(target, path, root, pages)
                if fault:
                    wrong.append(f"{name}, line {line}: {fault}")
        for line, source in page.undescribed:
            shown = source if len(source) < 80 else source[:77] + "..."
            wrong.append(f"{name}, line {line}: an image without alt text: {shown}")
    return wrong, external


def _fault_of(target: str, path: Path, root: Path, pages: dict[Path, Page]) -> str:
    """Say what is wrong with a link to a place within the site; "" where nothing is."""
    parts = urlsplit(target)
    if not (parts.path or parts.fragment or parts.query):
        return "" if target == "#" else "an empty link"
    at = path
    if parts.path:
        place = unquote(parts.path)
        at = root / place.lstrip("/") if place.startswith("/") else path.parent / place
        at = Path(at.resolve())
        if at.is_dir():
            at = at / "index.html"
        if root not in at.parents:
            return f"{target!r} leads out of the site"
        if not at.is_file():
            return f"there is no file {target!r}"
    # What follows ":~:" is text for the browser to look for, no anchor.
    anchor = unquote(parts.fragment.partition(":~:")[0])
    if anchor and anchor != "top" and at in pages and anchor not in pages[at].anchors:
        return f"there is no anchor {target!r}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Print what is wrong with a site; return 1 when something is, else 0."""
    parser = argparse.ArgumentParser(description="Check links within built pages.")
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument("--external", action="store_true", help="list addresses elsewhere")
    chosen = parser.parse_args(arguments)
    if not (chosen.site / "index.html").is_file():
        parser.error(f"there is no index.html in {chosen.site}: build the pages first")
    wrong, external = check_site(chosen.site)
    if chosen.external:
        for address, pages in sorted(external.items()):
            print(f"{address}  ({len(pages)} pages, such as {min(pages)})")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"{len(wrong)} faults; {len(external)} addresses elsewhere, not asked for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
