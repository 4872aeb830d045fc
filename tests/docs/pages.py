"""Code blocks of the documentation's pages, and whether they can be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_GENERATED = {"_build", "auto_examples", "generated", "_templates", "_ext"}
_BLOCK = re.compile(r"^( *)\.\. (?:code-block|code):: *(\S*)[ \t]*$")
_NOT_RUN = re.compile(r"^ *\.\. not run: *(.*)$")


@dataclass(frozen=True)
class Block:
    """One code block: where it starts, its language, its text, and why it is not run, if so."""

    line: int
    language: str
    text: str
    not_run: str | None


def hand_written_pages() -> list[Path]:
    """Return the pages that somebody wrote, in order."""
    pages = sorted(DOCS.rglob("*.rst"))
    return [page for page in pages if not _GENERATED & set(page.relative_to(DOCS).parts)]


def code_blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in order.

    A comment ``.. not run: REASON`` in the lines before a block says why it cannot be run.
    """
    lines = page.read_text("utf-8").splitlines()
    blocks = []
    not_run = None
    for number, line in enumerate(lines):
        found = _NOT_RUN.match(line)
        if found:
            not_run = found[1]
            continue
        found = _BLOCK.match(line)
        if found:
            text = _indented(lines[number + 1 :], len(found[1]))
            blocks.append(Block(number + 1, found[2], text, not_run))
        if line.strip():
            not_run = None
    return blocks


def _indented(lines: list[str], outer: int) -> str:
    """Return the lines that are indented by more than ``outer``, without options and indent."""
    body = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= outer:
            break
        body.append(line)
    while body and (not body[0].strip() or re.match(r" *:[a-z-]+:", body[0])):
        body.pop(0)
    indent = min((len(line) - len(line.lstrip()) for line in body if line.strip()), default=0)
    return "\n".join(line[indent:] for line in body).rstrip() + "\n"
