"""Pages made from the package itself, and which examples can be run here."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from api_list import API


def write_pages(docs: Path) -> None:
    """Write the API reference, the commands and the changelog below ``docs/generated``."""
    folder = docs / "generated"
    (folder / "api").mkdir(parents=True, exist_ok=True)
    _write(folder / "api.rst", _api_index())
    for module, (about, sections) in API.items():
        _write(folder / f"{module}.rst", _api_module(module, about, sections))
    _write(folder / "commands.rst", commands_page())
    changelog = (docs.parent / "CHANGELOG.md").read_text("utf-8")
    _write(folder / "changelog.rst", markdown_to_rst(changelog))


def runnable_examples(folder: Path) -> tuple[str, dict[str, str]]:
    """Find the examples whose data are here: a pattern of their names, and why others are not."""
    left_out = {}
    names = []
    for path in sorted(folder.glob("plot_*.py")):
        reason = _missing_data(path.read_text("utf-8"))
        if reason:
            left_out[path.stem] = reason
        else:
            names.append(re.escape(path.name))
    return "(" + "|".join(names or ["(?!)"]) + ")$", left_out


def full_name(target: str, others: list[str]) -> str | None:
    """Return the one public name that ends in ``target``; ``None`` where there is none."""
    own = [
        f"{module}.{name}"
        for module, (_, sections) in API.items()
        for _, names in sections
        for name in names
    ]
    head, _, rest = target.partition(".")
    for name in own:
        if name.endswith(f".{head}"):
            return f"{name}.{rest}" if rest else name
    return next((name for name in others if name.endswith(f".{target}")), None)


def _missing_data(source: str) -> str:
    """Say which data an example needs that are neither here nor in the mirror; "": none."""
    from skxmodal.datasets import RemoteFileError, fetch_audioset, fetch_spoken_digits

    checks = {
        r"fetch_spoken_digits|fetch_audiovisual_digits": (
            lambda: fetch_spoken_digits("all", download_if_missing=_has_mirror()),
            "the recordings of spoken digits could not be had",
        ),
        r"fetch_audioset\(": (
            lambda: fetch_audioset(
                ["balanced_train", "eval"], download_if_missing=_has_mirror(), verbose=0
            ),
            "the lists of AudioSet could not be had",
        ),
    }
    for pattern, (load, reason) in checks.items():
        if re.search(pattern, source) and "skip_if_missing" not in source:
            try:
                load()
            except (RemoteFileError, OSError):
                return reason
    return ""


def _has_mirror() -> bool:
    """Whether files may be asked for: from a mirror, or where a network is wanted."""
    import os

    return bool(os.environ.get("SKXMODAL_MIRROR") or os.environ.get("SKXMODAL_DOCS_ONLINE"))


def _write(path: Path, text: str) -> None:
    """Write what has changed, so that Sphinx does not read the rest again."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def _title(text: str, mark: str = "=") -> str:
    return f"{text}\n{mark * len(text)}\n\n"


def _api_index() -> str:
    """The page of all modules, with a table for each."""
    text = _title("API reference")
    text += (
        "Every public name, in the order of the data flow. A module is loaded when it is first\n"
        "used; ``import skxmodal`` loads neither PyTorch nor any optional package.\n\n"
    )
    text += ".. toctree::\n   :hidden:\n   :maxdepth: 1\n\n"
    text += "".join(f"   {module}\n" for module in API) + "   commands\n\n"
    for module, (about, _) in API.items():
        text += f":doc:`{module}`\n   {about}\n\n"
    return text + ":doc:`commands`\n   The command line: ``skxmodal`` or ``python -m skxmodal``.\n"


def _api_module(module: str, about: str, sections: list[tuple[str, list[str]]]) -> str:
    """The page of one module."""
    text = _title(module) + f".. module:: {module}\n\n{about}\n\n"
    for title, names in sections:
        if title:
            text += _title(title, "-")
        text += f".. currentmodule:: {module}\n\n"
        text += ".. autosummary::\n   :toctree: api\n   :nosignatures:\n\n"
        text += "".join(f"   {name}\n" for name in names) + "\n"
    return text


def commands_page() -> str:
    """The help of every command."""
    from skxmodal.__main__ import _parser

    text = _title("Command line")
    text += (
        "``skxmodal COMMAND`` or ``python -m skxmodal COMMAND``. The status is 0 for success, 1\n"
    )
    text += "when the work could not be done, 2 for wrong use, 130 when it was interrupted.\n\n"
    for name, parser in _leaves(_parser(), "skxmodal"):
        parser.formatter_class = _fixed_width(parser.formatter_class)
        text += _title(name, "-") + ".. code-block:: text\n\n"
        text += "".join(f"   {line}".rstrip() + "\n" for line in parser.format_help().splitlines())
        text += "\n"
    return text


def _leaves(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, object]]:
    """Yield the commands that have no commands below them."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for action in below:
        for word, child in action.choices.items():
            yield from _leaves(child, f"{name} {word}")


def _fixed_width(formatter: type) -> type:
    """The same formatter, whatever the width of the terminal."""

    class Fixed(formatter):  # type: ignore[misc, valid-type]
        def __init__(self, prog: str) -> None:
            super().__init__(prog, max_help_position=28, width=88)

    return Fixed


def markdown_to_rst(text: str) -> str:
    """Turn the changelog (headings, lists, code) into reStructuredText."""
    lines = []
    for line in text.splitlines():
        heading = re.match(r"(#+) (.*)", line)
        if heading:
            mark = "=-~"[len(heading[1]) - 1]
            lines += [heading[2], mark * len(heading[2])]
        else:
            line = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
            line = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", line)
            lines.append(line)
    return "\n".join(lines) + "\n"
