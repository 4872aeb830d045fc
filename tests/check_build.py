"""Build wheel and sdist twice; they must be byte-identical and hold what they should.

python tests/check_build.py          (needs the package "build"; ``make build-check``)
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SDIST = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "skxmodal", "tests", "docs"}
UNWANTED = (
    "__pycache__",
    ".pyc",
    ".venv",
    "/_build/",
    "auto_examples",
    ".h5",
    ".wav",
    ".mp4",
)


def built(folder):
    """Build once; return the files by name."""
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    command = [sys.executable, "-m", "build", "--outdir", folder, str(ROOT)]
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def names_in(path):
    """List a wheel's or an sdist's files."""
    if path.suffix == ".whl":
        return zipfile.ZipFile(path).namelist()
    with tarfile.open(path) as archive:
        return [name.partition("/")[2] for name in archive.getnames()]


def problems(folder):
    """Yield what is wrong with the files in a folder."""
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "skxmodal").rglob("*.py")}
    for path in Path(folder).iterdir():
        names = set(names_in(path))
        for name in sorted(modules - names):
            yield f"{path.name} lacks {name}"
        for name in sorted(names):
            if any(part in name for part in UNWANTED):
                yield f"{path.name} holds {name}"
        tops = {name.partition("/")[0] for name in names}
        if path.suffix == ".whl":
            strange = {top for top in tops if not top.startswith("skxmodal")}
            if strange:
                yield f"{path.name} installs {sorted(strange)}"
            if not any(name.endswith("licenses/LICENSE") for name in names):
                yield f"{path.name} has no licence"
        elif not tops >= SDIST:
            yield f"{path.name} lacks {sorted(SDIST - tops)}"


def main():
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one, two = built(first), built(second)
        wrong = list(problems(first))
        if one != two:
            wrong.append("two builds of the same source differ")
        for name, content in one.items():
            print(f"{hashlib.sha256(content).hexdigest()}  {name}  {len(content)} bytes")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
