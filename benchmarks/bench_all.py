"""Every figure of the performance page: the three scripts one after the other, one table.

Run on an idle machine, beside which nothing else works (``make bench``)::

    python benchmarks/bench_all.py                          # about eight minutes on two cores
    python benchmarks/bench_all.py --quick                  # a tenth of the work
    python benchmarks/bench_all.py --table docs/performance_table.txt

Where an earlier run left its numbers, these stand beside the new ones: how far two runs differ
is the noise of the machine. Exits with 1 when a figure falls short of what is required.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = {
    "Training": "bench_training.py",
    "From files to predictions": "bench_pipelines.py",
    "Scores": "bench_ndcg.py",
}


def measure(folder: Path, quick: bool) -> dict:
    """Run the scripts; return the machine and the lines of each."""
    report: dict = {"machine": {}, "parts": {}}
    for title, script in PARTS.items():
        print(f"\n{title}", flush=True)
        path = folder / f"{Path(script).stem}.json"
        command = [sys.executable, str(HERE / script), "--json", str(path)]
        subprocess.run(command + ["--quick"] * quick, check=True)
        found = json.loads(path.read_text("utf-8"))
        report["machine"] |= found["machine"]
        report["parts"][title] = found["rows"]
    return report


def format_table(report: dict, before: dict) -> str:
    """Lay the lines out as reStructuredText, with those of an earlier run."""
    facts = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [f"Measured on: {facts}.", ""]
    for title, rows in report["parts"].items():
        earlier = {row["what"]: row["text"] for row in before.get("parts", {}).get(title, [])}
        lines += [
            f".. list-table:: {title}",
            "   :header-rows: 1",
            "   :widths: 34 12 12 10 12 20",
            "",
            "   * - what",
            "     - measured",
            "     - run before",
            "     - required",
            "     - verdict",
            "     - note",
        ]
        for row in rows:
            cells = (
                row["what"],
                row["text"],
                earlier.get(row["what"], ""),
                row["limit"],
                row["verdict"],
                row["note"],
            )
            first, *others = cells
            lines.append(f"   * - {first}")
            lines += [f"     - {cell}".rstrip() for cell in others]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run everything and write the numbers, and the page's table where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--out", type=Path, default=Path("reports/bench/all.json"))
    parser.add_argument("--table", type=Path, help="write the documentation's table here")
    options = parser.parse_args()
    before = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    report = measure(options.out.parent, options.quick)
    options.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if options.table is not None:
        options.table.write_text(format_table(report, before), "utf-8")
    short = [
        row["what"]
        for rows in report["parts"].values()
        for row in rows
        if row["verdict"] == "SHORT"
    ]
    print(f"\n{len(short)} figures fall short" + (": " + "; ".join(short) if short else ""))
    sys.exit(1 if short else 0)


if __name__ == "__main__":
    main()
