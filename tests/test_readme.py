"""The README's code blocks run, in order, in one namespace, as a reader would paste them."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def code_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)


def test_every_python_block_runs_and_sounds_teach_about_pictures(capsys):
    namespace = {}
    blocks = code_blocks("python")
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[0]) > 0.5, "zero-shot accuracy on pictures; chance is 0.2"
    assert float(lines[1]) > 0.5


def test_every_make_target_and_extra_it_names_exists():
    repository = README.parent
    makefile = (repository / "Makefile").read_text("utf-8")
    project = (repository / "pyproject.toml").read_text("utf-8")
    for block in code_blocks("console"):
        for target in re.findall(r"^make (\S+)", block, flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for extra in ("plot", "onnx", "transformers", "timm", "keras", "tfhub", "faiss", "polars"):
        assert re.search(rf"^{extra} = ", project, flags=re.MULTILINE), extra
