"""The report of a run: one page that holds its figures, readable anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ._figures import displays
from ._neighbours import KINDS, rendered
from ._tables import sentences, tables

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --paper: #ffffff; --line: #d5dbe3;
  --soft: #f4f6f9; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --paper: #12171e; --line: #35404d;
  --soft: #1b222c; --accent: #7ab8ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }
p.lead { margin: 0 0 1rem; }
ul { padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; min-width: 50%; }
th, td { padding: 0.35rem 0.8rem 0.35rem 0; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; }
td.long { min-width: 15rem; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 1.2rem 0 0.3rem; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); }
@media (max-width: 40rem) { figure img { width: 40rem; max-width: none; } }
figcaption { font-size: 0.92rem; padding: 0.5rem 0; }
details { background: var(--soft); border-radius: 6px; padding: 0.6rem 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85rem; }
a { color: var(--accent); }
"""

_LONG = 40  # characters of a cell that is a sentence
_NOT_ALWAYS = {"neighbours", "labels"}  # figures that some data do not have

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def write_report(results: Mapping[str, Any], folder: Path, extra: Any = None) -> Path:
    """Write ``figures/*.png``, ``figures/*.svg`` and ``report.html``; return the page.

    ``extra`` is a drawing with the keys ``png``, ``svg`` and ``alt``: retrieved neighbours.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    shown: list[tuple[str, str, str, bytes]] = []
    for name, caption, display, options in displays(results):
        display.plot(**options)
        drawn = {kind: rendered(display.figure_, kind) for kind in KINDS}
        _write_figure(figures, name, drawn)
        shown.append((name, caption, display.describe(), drawn["png"]))
    if extra is not None:
        _write_figure(figures, "neighbours", extra)
        caption = "What is retrieved: a query on the left, the nearest of the other modality."
        shown.insert(1, ("neighbours", caption, extra["alt"], extra["png"]))
    for name in _NOT_ALWAYS - {name for name, *_ in shown}:
        for kind in KINDS:  # of an earlier run, on other data
            (figures / f"{name}.{kind}").unlink(missing_ok=True)
    settings = results["settings"]
    title = f"{settings['dataset']}: train on one modality, predict on the other"
    page = _PAGE.format(
        title=escape(title), style=_STYLE, body="\n".join(_body(title, results, shown))
    )
    path = folder / "report.html"
    partial = path.with_name(path.name + ".part")
    partial.write_text(page, "utf-8")
    partial.replace(path)
    return path


def _write_figure(folder: Path, name: str, drawn: Mapping[str, bytes]) -> None:
    for kind in KINDS:
        partial = folder / f"{name}.{kind}.part"
        partial.write_bytes(drawn[kind])
        partial.replace(folder / f"{name}.{kind}")


def _body(
    title: str, results: Mapping[str, Any], shown: Sequence[tuple[str, str, str, bytes]]
) -> Iterator[str]:
    settings = results["settings"]
    kept = sum(stage["reused"] for stage in results["stages"])
    earlier = f" ({kept} of {len(results['stages'])} stages kept from earlier runs)" if kept else ""
    yield f"<h1>{escape(title)}</h1>"
    yield (
        '<p class="lead">The experiment of Wu, Fuentes and Bello, "Exploring modality-agnostic '
        f'representations for music classification" (2021), preset {escape(settings["preset"])}, '
        f"{settings['repeats']} seed(s) from {settings['random_state']}, in "
        f"{results['seconds']:.0f} s on {results['machine']['cpus']} processors{earlier}.</p>"
    )
    yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in sentences(results)) + "</ul>"
    parts = tables(results)
    first, second, retrieval, scores, structure = parts
    yield _table(scores, parts[scores])
    yield "<h2>Data and encoders</h2>"
    yield _table(first, parts[first])
    yield _table(second, parts[second])
    headings = {
        "retrieval": "Which encoders? (section 4.1)",
        "transfer": "How does translation affect performance? (section 4.2)",
        "clusters-by-modality": "What is translation doing? (section 4.3)",
    }
    below = {"retrieval": retrieval, "clusters-by-class": structure}
    for name, caption, alt, png in shown:
        if name in headings:
            yield f"<h2>{escape(headings[name])}</h2>"
        image = base64.b64encode(png).decode("ascii")
        yield (
            f'<figure id="{escape(name)}"><div class="scroll" tabindex="0"><img '
            f'src="data:image/png;base64,{image}" alt="{escape(alt, quote=True)}"></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
        if name in below:
            yield _table(below[name], parts[below[name]])
    yield "<h2>What was not run</h2>"
    if results["not_run"]:
        yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in results["not_run"]) + "</ul>"
    else:
        yield "<p>Everything that was asked for was run.</p>"
    yield "<h2>How to run it again</h2>"
    for name, value in (
        ("Settings", settings),
        ("Versions", results["versions"]),
        ("Stages and their seconds", results["stages"]),
    ):
        text = escape(json.dumps(value, indent=1))
        yield f"<details><summary>{name}</summary><pre>{text}</pre></details>"


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    def kind(cells: Sequence[str]) -> str:
        if all(cell[:1] in "0123456789-." for cell in cells):
            return " class=number"
        return " class=long" if max(map(len, cells), default=0) > _LONG else ""

    kinds = [kind([row[column] for row in rows[1:]]) for column in range(len(rows[0]))]

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(row, kinds))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows[1:])
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(title)}</caption><thead><tr>'
        f"{cells(rows[0], 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
    )
