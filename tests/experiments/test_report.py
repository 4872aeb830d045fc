"""The report: one page, whole by itself, with the numbers of results.json."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from skxmodal.experiments import _presets, format_results, reproduce
from skxmodal.experiments._figures import displays
from skxmodal.experiments._report import write_report


@pytest.fixture(scope="module")
def report(manifest, tmp_path_factory):
    """Folder and results of a small run."""
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            _presets.PRESETS, "quick", replace(_presets.PRESETS["quick"], n_sizes=3, n_draws=2)
        )
        results = reproduce(manifest, out=out)
    return out, results


class Page(HTMLParser):
    """Collect tags, their attributes, and the cells of tables."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self._cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._cell = [] if tag in ("td", "th") else self._cell

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cells.append("".join(self._cell))
            self._cell = None


def test_results_are_written_as_they_are_returned(report):
    folder, results = report
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(results))


def test_the_page_needs_nothing_from_elsewhere(report):
    page = Page((report[0] / "report.html").read_text())
    places = [a[name] for _, a in page.tags for name in ("src", "href") if name in a]
    assert places
    assert all(place.startswith("data:") for place in places)
    assert "script" not in {tag for tag, _ in page.tags}


def test_every_figure_has_a_text_alternative_and_files(report):
    folder, _ = report
    page = Page((folder / "report.html").read_text())
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 8
    assert all(len(image["alt"]) > 40 for image in images)
    names = {path.stem for path in (folder / "figures").glob("*.png")}
    assert names == {path.stem for path in (folder / "figures").glob("*.svg")}
    assert len(names) == len(images)


def test_the_numbers_on_the_page_are_those_of_the_results(report):
    folder, results = report
    cells = Page((folder / "report.html").read_text()).cells
    for row in results["scores"]:
        assert f"{row['macro_f1']:.3f}" in cells
    for row in results["retrieval"]:
        assert f"{row['ndcg']:.3f}" in cells
    for found in results["analysis"].values():
        assert f"{found['clusters']['class_ratio']:.3f}" in cells


def test_the_terminal_shows_the_same_tables(report):
    text = format_results(report[1])
    for heading in ("Table 1", "Table 2", "NDCG@30", "Macro F1", "Structure"):
        assert heading in text
    assert re.search(r"Zero-shot MMT keeps \d+% of the best system on image", text)
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith("Not run"))


def test_what_was_not_run_is_told(report):
    folder, results = report
    (sentence,) = results["not_run"]
    assert "yamnet (audio)" in sentence
    assert "resnet50 (image)" in (folder / "report.html").read_text()


def test_figures_of_an_earlier_run_on_other_data_are_gone(report, tmp_path):
    folder, results = report
    shutil.copytree(folder / "figures", tmp_path / "figures")
    write_report({**results, "label_distribution": {}}, tmp_path)
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert not names & {"neighbours", "labels"}
    assert "retrieval" in names


def test_seconds_of_a_run_that_was_taken_up_are_told_as_such(report, tmp_path):
    folder, results = report
    assert "kept from earlier runs" not in (folder / "report.html").read_text()
    stages = [{**stage, "reused": number < 3} for number, stage in enumerate(results["stages"])]
    page = write_report({**results, "stages": stages}, tmp_path).read_text()
    assert f"(3 of {len(stages)} stages kept from earlier runs)" in page


def of_settings(results, **settings):
    return {**results, "settings": {**results["settings"], **settings}}


def test_principal_components_are_not_called_a_translation(report):
    results = of_settings(report[1], systems=["MMP"])
    shown = {name: (caption, display) for name, caption, display, _ in displays(results)}
    caption, display = shown["clusters-by-class"]
    assert "without translation (MMP)" in caption
    assert "translated" not in display.describe()


def test_what_is_of_the_first_seed_alone_is_told_as_such(report):
    assert "(seed 0)" not in format_results(report[1])
    results = of_settings(report[1], repeats=2)
    assert "Structure of the joint space (seed 0)" in format_results(results)
    captions = [caption for _, caption, _, _ in displays(results) if "(seed 0)" in caption]
    assert [caption[:8] for caption in captions] == ["Figure 4"] * 2 + ["Figure 5"] * 2 + [
        "Figure 6"
    ]
