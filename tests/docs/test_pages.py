"""Every code block of the guide runs, in order, as a reader would paste it."""

import argparse
import re
import shlex
import sys

import pytest

from skxmodal.__main__ import _parser

from .pages import DOCS, code_blocks, hand_written_pages

PAGES = [page for page in hand_written_pages() if code_blocks(page)]
#: Pages that train for longer than about five seconds.
SLOW = {"howto/encoder_pair", "howto/noisy_pairs"}
#: Pages whose code needs the real lists of AudioSet or the real recordings.
NEEDS_MIRROR = ("fetch_audioset", "fetch_spoken_digits", "fetch_audiovisual_digits")

#: Optional packages: a page that imports one is run where it is installed.
OPTIONAL = ("skops", "dask", "distributed", "onnxruntime", "polars")
#: What torchrun tells a process that is alone; port 0 is any that is free.
TORCHRUN = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}


def names(page):
    return page.relative_to(DOCS).with_suffix("").as_posix()


def runnable(page):
    return [
        block for block in code_blocks(page) if block.language == "python" and block.not_run is None
    ]


def as_parameter(page):
    marks = [pytest.mark.slow] if names(page) in SLOW else []
    return pytest.param(page, id=names(page), marks=marks)


# What is fetched from the mirror for the first time is pinned, and says so.
@pytest.mark.filterwarnings("ignore:.*has no published digest:UserWarning")
# Dask asks which of its addresses would reach the internet, which no test may.
@pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP address:RuntimeWarning")
@pytest.mark.parametrize("page", [as_parameter(page) for page in PAGES if runnable(page)])
def test_python_blocks_of_a_page_run_in_order(page, request, monkeypatch, tmp_path):
    blocks = runnable(page)
    text = "\n".join(block.text for block in blocks)
    if re.search(r"plt|matplotlib|\.plot\(|Display", text):
        pytest.importorskip("matplotlib").use("Agg")
    if any(name in text for name in NEEDS_MIRROR):
        request.getfixturevalue("mirror")
    for name in OPTIONAL:
        if re.search(rf"^ *(import|from) {name}\b", text, flags=re.MULTILINE):
            pytest.importorskip(name)
    if "init_process_group()" in text:
        for name, value in TORCHRUN.items():
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    # Classes that a block defines belong to a module, which pickling looks for.
    namespace = {"__name__": "__main__"}
    for block in blocks:
        # As many empty lines as stand above it, so that an error names the line of the page.
        code = "\n" * block.line + block.text
        exec(compile(code, str(page), "exec"), namespace)
    if "matplotlib" in sys.modules:
        from matplotlib import pyplot as plt

        plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_blocks_that_are_not_run_say_why_and_are_python_all_the_same(page):
    for block in code_blocks(page):
        if block.language == "python" and block.not_run is not None:
            assert block.not_run != "", f"{names(page)}, line {block.line}: give a reason"
            compile("\n" * block.line + block.text, str(page), "exec")


def commands(page):
    """Return the command lines of ``skxmodal`` and the make targets that a page shows."""
    found = []
    for block in code_blocks(page):
        if block.language in ("console", "bash"):
            text = re.sub(r"\\\n\s*>?", " ", block.text)
            for line in text.splitlines():
                line = re.sub(r"^(\$ )?([A-Z_]+=\S+ )*", "", line.strip())
                found.append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_that_a_page_shows_are_understood(page, capsys):
    makefile = (DOCS.parent / "Makefile").read_text("utf-8")
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[:1] == ["skxmodal"]:
            if "--help" in words or "--version" in words:
                continue
            try:
                _parser().parse_args(words[1:])
            except (SystemExit, argparse.ArgumentError):
                pytest.fail(f"{names(page)}: {line!r}: {capsys.readouterr().err}")
        if words[:1] == ["make"]:
            for target in words[1:]:
                if "=" not in target:
                    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), line


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_extras_that_a_page_names_exist(page):
    project = (DOCS.parent / "pyproject.toml").read_text("utf-8")
    for group in re.findall(r"skxmodal\[([a-z0-9,]+)\]", page.read_text("utf-8")):
        for extra in group.split(","):
            assert re.search(rf"^{extra} = ", project, flags=re.MULTILINE), extra


def test_pages_are_found():
    assert len(PAGES) >= 3
