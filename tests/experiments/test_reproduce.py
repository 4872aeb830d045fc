"""The experiment on real digits: what the paper found must be found again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skxmodal.datasets import load_manifest, make_instruments
from skxmodal.embedders import MediaWarning
from skxmodal.experiments import embed_manifest, reproduce
from skxmodal.experiments._data import open_source
from skxmodal.experiments._presets import PRESETS
from skxmodal.experiments._summary import rank_correlations
from skxmodal.experiments._tables import tables

OFFLINE = {"audio": ["logmel"], "image": ["hog"]}
PAPERS = {"encoders": OFFLINE, "systems": ("MMT", "MMP"), "n_jobs": 2}


def by_name(results):
    return {
        (row["system"], row["target"], row["training"]): row["macro_f1"]
        for row in results["scores"]
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_translation_carries_labels_across_modalities_on_clean_pairs(mirror, few_draws, tmp_path):
    results = reproduce("digits", out=tmp_path, **PAPERS)
    scores = by_name(results)
    assert scores["MMT", "image", "zero-shot"] >= 0.95
    assert scores["MMT", "audio", "zero-shot"] >= 0.85
    assert scores["MMP", "image", "zero-shot"] < 0.3
    assert scores["MMP", "audio", "zero-shot"] < 0.3
    assert json.loads((tmp_path / "results.json").read_text())["scores"] == results["scores"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_noisy_and_skewed_pairs_show_the_papers_effect(mirror, few_draws):
    """Zero-shot keeps about 85 % of single modality; with all data translation falls behind.

    Over seeds 0-3 the share was .81-.96, and with all data MMT had .894-.947 on pictures, where
    MMP had .971-.980, and .886-.919 on sounds, where MMP had .899-.913: behind by far on pictures,
    level on sounds.
    """
    results = reproduce("digits", pair_noise=0.6, skew=1.5, **PAPERS)
    scores = by_name(results)
    for target in ("image", "audio"):
        assert 0.7 <= results["zero_shot_share"][target] < 1
        assert scores["MMP", target, "zero-shot"] < 0.3
        assert scores["MMT", target, "zero-shot"] < scores["MMT", target, "all data"]
    assert scores["MMT", "image", "all data"] < scores["MMP", "image", "all data"]
    assert scores["MMT", "audio", "all data"] < scores["MMP", "audio", "all data"] + 0.05
    ratio = {name: found["clusters"]["class_ratio"] for name, found in results["analysis"].items()}
    assert ratio["MMT"] < 0.7 < ratio["MMP"]


@pytest.mark.slow
def test_a_killed_run_continues_and_gives_the_same_numbers(
    manifest, few_draws, tmp_path, monkeypatch
):
    whole = reproduce(manifest, encoders=OFFLINE)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skxmodal.experiments._reproduce.curve_of", stop)
        with pytest.raises(KeyboardInterrupt):
            reproduce(manifest, encoders=OFFLINE, out=tmp_path)
    assert not (tmp_path / "results.json").exists()
    results = reproduce(manifest, encoders=OFFLINE, out=tmp_path)
    reused = {stage["name"] for stage in results["stages"] if stage["reused"]}
    assert {"translating logmel and hog", "joint space of MMT"} <= reused
    for name in ("retrieval", "analysis", "scores"):
        assert json.loads(json.dumps(results[name], default=list)) == json.loads(
            json.dumps(whole[name], default=lambda array: array.tolist())
        )


@pytest.mark.slow
def test_embeddings_in_a_folder_give_the_numbers_of_their_media(manifest, few_draws, tmp_path):
    data = load_manifest(manifest)
    embed_manifest(data, tmp_path / "embedded", encoders=OFFLINE)
    from_media = reproduce(manifest, encoders=OFFLINE)
    from_folder = reproduce(tmp_path / "embedded")
    assert from_folder["retrieval"] == from_media["retrieval"]
    assert from_folder["scores"] == from_media["scores"]


@pytest.mark.slow
def test_repeats_give_intervals(manifest, few_draws):
    results = reproduce(manifest, encoders=OFFLINE, repeats=2)
    for row in results["scores"]:
        low, high = row["interval"]
        assert low <= row["macro_f1"] <= high
    assert {row["seed"] for row in results["retrieval"]} == {0, 1}


def test_a_manifest_may_assign_the_subsets(manifest, few_draws, tmp_path):
    lines = manifest.read_text().splitlines()
    names = ["subset", *(["translation"] * 40 + ["retrieval"] * 10 + ["train"] * 20)]
    names += ["test"] * (len(lines) - len(names))
    assigned = manifest.with_name("assigned.csv")
    assigned.write_text(
        "\n".join(f"{line},{name}" for line, name in zip(lines, names, strict=True)) + "\n"
    )
    results = reproduce(assigned, encoders=OFFLINE)
    assert results["n_rows"] == {"translation": 40, "retrieval": 10, "train": 20, "test": 20}


def test_an_encoder_that_cannot_be_had_is_told_and_left_out(manifest, few_draws):
    results = reproduce(manifest, encoders={"audio": ["logmel", "yamnet"], "image": ["hog"]})
    assert results["settings"]["encoders"]["audio"] == ["logmel"]
    failed, not_asked_for = results["not_run"]
    assert failed.startswith("yamnet (audio): ")
    assert "vggish (audio)" in not_asked_for
    assert "yamnet" not in not_asked_for


@pytest.fixture
def shortest(monkeypatch):
    """Translators that do not learn, curves of two points."""
    few = {"n_sizes": 2, "n_draws": 1, "pair_epochs": 1, "max_epochs": 1}
    monkeypatch.setitem(PRESETS, "quick", replace(PRESETS["quick"], **few))


def test_what_is_named_twice_counts_once(manifest, shortest):
    encoders = {"audio": ["logmel", "logmel"], "image": ["hog"]}
    results = reproduce(manifest, encoders=encoders, systems=["MMP", "MMP"])
    assert results["settings"]["systems"] == ["MMP"]
    assert {row["interval"] for row in results["scores"]} == {None}
    assert len(results["retrieval"]) == 2


def test_encoders_of_a_folder_that_are_named_twice_count_once(manifest, tmp_path):
    embed_manifest(load_manifest(manifest), tmp_path, encoders=OFFLINE)
    source = opened(tmp_path, {"audio": ["logmel", "logmel"], "image": ["hog"]})
    assert source.encoders == OFFLINE


def test_another_encoder_leaves_finished_pairs_alone(manifest, shortest, tmp_path):
    options = {"systems": ["MMP"], "out": tmp_path}
    reproduce(manifest, encoders=OFFLINE, **options)
    more = {"audio": ["logmel", "mfcc"], "image": ["hog"]}
    stages = reproduce(manifest, encoders=more, **options)["stages"]
    reused = {stage["name"]: stage["reused"] for stage in stages}
    assert reused["translating logmel and hog"]
    assert not reused["translating mfcc and hog"]


def test_a_class_without_a_modality_has_no_f1_there(manifest, shortest):
    def edit(fields):
        return ",".join([fields[0], "" if fields[2] == "flute" else fields[1], *fields[2:]])

    results = reproduce(rewritten(manifest, "unseen.csv", edit), encoders=OFFLINE, systems=["MMP"])
    flute = results["target_names"].index("flute")
    targets = results["analysis"]["MMP"]["targets"]
    assert [f1 is None for f1 in targets["image"]["f1"]] == [n == flute for n in range(3)]
    assert None not in targets["audio"]["f1"]
    assert results["n_media"]["test"]["image"] < results["n_media"]["test"]["audio"]
    (table,) = [rows for title, rows in tables(results).items() if title.startswith("Table 2")]
    assert table[0][2:] == ["rows", "with audio", "with image"]
    assert table[-1][2:] == ["18", "18", "12"]


def test_a_class_without_f1_does_not_count_in_the_rank_correlation():
    analysis = {"targets": {"image": {"f1": [0.2, 0.5, 0.9, None]}}}
    found = rank_correlations({"image": [1, 2, 3, 0]}, analysis)
    assert found["image"]["rho"] == pytest.approx(1)
    assert rank_correlations({}, analysis) == {"image": None}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda a, i, label: (a, i, "all"), r"has the labels of 1 class\(es\)"),
        (lambda a, i, label: (a, i, ""), r"has the labels of 0 class\(es\)"),
        (lambda a, i, label: (a, "", label) if a < i else ("", i, label), r"0 pair\(s\) of both"),
    ],
)
def test_a_manifest_that_cannot_serve_is_told_at_once(edit, message, tmp_path):
    rows = [(f"{n % 2}.wav", f"{n // 2 % 2}.png", "ab"[n % 2]) for n in range(40)]
    path = tmp_path / "own.csv"
    lines = [",".join(edit(*row)) for row in rows]
    path.write_text("\n".join(["audio,image,label", *lines]) + "\n")
    with pytest.raises(ValueError, match=message):
        opened(path)


def test_a_manifest_may_have_columns_by_names_of_their_own(manifest, tmp_path):
    header, rest = manifest.read_text().split("\n", 1)
    own = manifest.with_name("own.csv")
    own.write_text(header.replace("audio,image,label,", "wav,png,kind,") + "\n" + rest)
    columns = {"audio": "wav", "image": "png", "label": "kind"}
    source = opened(own, columns=columns)
    assert source.target_names == opened(manifest).target_names
    assert source.identity["columns"] == columns


@pytest.mark.parametrize("content", ["[1, 2]", '{"name": "web"}', "not json"])
def test_an_index_of_something_else_is_named(content, manifest, tmp_path):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(ValueError, match="is no folder of embeddings"):
        opened(tmp_path)
    with pytest.raises(ValueError, match="is no folder of embeddings"):
        embed_manifest(load_manifest(manifest), tmp_path, encoders=OFFLINE)
    assert (tmp_path / "index.json").read_text() == content


def test_other_media_with_the_same_labels_are_other_rows(manifest, tmp_path):
    data = load_manifest(manifest)
    embed_manifest(data, tmp_path, encoders={"audio": ["mfcc"]})
    data.frame = data.frame.assign(audio=data.frame["audio"].to_numpy()[::-1])
    with pytest.raises(ValueError, match="embeddings of other rows or files"):
        embed_manifest(data, tmp_path, encoders={"image": ["thumbnail"]})


def test_media_that_were_put_there_since_are_the_same_rows(tmp_path):
    make_instruments(2, classes=["guitar", "drums"], out=tmp_path)
    data = load_manifest(tmp_path / "manifest.csv")
    picture = Path(data.frame["image"].dropna().iloc[0])
    content = picture.read_bytes()
    picture.unlink()
    lenient = {"out": tmp_path / "embedded", "on_error": "warn"}
    with pytest.warns(MediaWarning, match="1 of"):
        embed_manifest(data, encoders={"image": ["hog"]}, **lenient)
    picture.write_bytes(content)
    written = embed_manifest(data, encoders={"image": ["thumbnail"]}, **lenient)
    assert [path.name for path in written] == ["image-thumbnail.npy"]


def opened(dataset, encoders=OFFLINE, columns=None):
    """Open a data set as an experiment does."""
    return open_source(
        dataset,
        PRESETS["quick"],
        encoders=encoders,
        pair_noise=0,
        skew=1,
        clips=None,
        columns=columns,
        random_state=0,
        n_jobs=None,
        verbose=0,
    )


@pytest.mark.slow
def test_made_up_embeddings_run_at_the_widths_of_real_encoders(monkeypatch):
    rows = dict(zip(PRESETS["quick"].rows, (600, 90, 180, 90), strict=True))
    monkeypatch.setitem(PRESETS, "quick", replace(PRESETS["quick"], rows=rows, n_sizes=3))
    results = reproduce("embeddings")
    assert len(results["retrieval"]) == 2 * 9
    assert {row["audio"] for row in results["baselines"]["untranslated"]} == {"openl3-512"}
    unknown = [row for row in results["encoders"] if row["dimension"] is None]
    assert {row["name"] for row in unknown} == {"openl3-512"}  # a variant, not run here
    (table,) = [rows for title, rows in tables(results).items() if title.startswith("Table 1")]
    assert [row[2:4] for row in table if row[0] == "openl3-512"] == [["-", "-"], ["-", "-"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "numbers"}, "dataset must be one of 'instruments', 'digits'"),
        ({"dataset": "audioset"}, "needs clips="),
        ({"preset": "huge"}, "preset must be one of 'quick', 'paper'"),
        ({"systems": ["MMX"]}, "systems must be one of"),
        ({"systems": []}, "systems must name"),
        ({"repeats": 0}, "repeats must be"),
        ({"encoders": {"audio": ["logmel"]}}, "one or more encoders for 'image'"),
        ({"encoders": {"audio": ["logmal"], "image": ["hog"]}}, "logmal"),
        ({"encoders": {"audio": ["yamnet"], "image": ["hog"]}}, "none of the audio encoders"),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(options, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        reproduce(**options, out=tmp_path / "out")
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_edited_file_is_embedded_anew(manifest, few_draws, tmp_path):
    before = opened(manifest).identity
    assert before == opened(manifest).identity
    picture = load_manifest(manifest).frame["image"][0]
    Path(picture).touch()
    assert opened(manifest).identity != before


def test_a_table_of_files_that_are_gone_keeps_no_stage(tmp_path):
    lines = [f"gone{n}.wav,gone{n}.png,{'ab'[n % 2]}" for n in range(20)]
    path = tmp_path / "gone.csv"
    path.write_text("\n".join(["audio,image,label", *lines]) + "\n")
    with (
        pytest.warns(MediaWarning),
        pytest.raises(ValueError, match=r"no audio cell of the .* can be read"),
    ):
        reproduce(path, encoders=OFFLINE, out=tmp_path / "out")
    kept = [p.name for p in (tmp_path / "out" / "stages").iterdir() if p.suffix != ".work"]
    assert kept == []


def test_a_file_in_several_rows_is_in_one_part_only():
    from sklearn.utils import Bunch

    from skxmodal.experiments._manifests import _split

    frame = pd.DataFrame(
        {
            "audio": [f"{n // 3}.wav" for n in range(60)],
            "image": [f"{n}.png" for n in range(60)],
        }
    )
    data = Bunch(frame=frame, target=np.arange(60) % 2, target_names=["a", "b"])
    parts = _split(data, "table", random_state=0)
    sounds = [set(frame["audio"].iloc[rows]) for rows in parts.values()]
    assert sum(map(len, sounds)) == len(set.union(*sounds)) == 20
    assert all(len(rows) for rows in parts.values())


def test_two_classes_are_enough(tmp_path, few_draws):
    make_instruments(60, classes=2, difficulty=0.1, out=tmp_path / "media")
    results = reproduce(tmp_path / "media" / "manifest.csv", encoders=OFFLINE, out=tmp_path / "out")
    assert results["rank_correlation"] == {"audio": None, "image": None}
    assert (tmp_path / "out" / "report.html").exists()


def test_embedding_again_adds_to_the_folder(manifest, tmp_path):
    data = load_manifest(manifest)
    embed_manifest(data, tmp_path / "out", encoders={"audio": ["mfcc"]})
    embed_manifest(data, tmp_path / "out", encoders={"image": ["thumbnail"]})
    files = json.loads((tmp_path / "out" / "index.json").read_text())["files"]
    assert [entry["encoder"] for entry in files] == ["mfcc", "thumbnail"]
    data.target = data.target[::-1]
    with pytest.raises(ValueError, match="embeddings of other rows"):
        embed_manifest(data, tmp_path / "out", encoders={"audio": ["mfcc"]})


def rewritten(manifest, name, edit):
    """Write a manifest whose lines were edited."""
    header, *lines = manifest.read_text().splitlines()
    path = manifest.with_name(name)
    path.write_text("\n".join([header, *(edit(line.split(",")) for line in lines)]) + "\n")
    return path


def test_a_class_with_one_sample_is_named(manifest, tmp_path):
    seen = []

    def edit(fields):
        seen.append(fields[2])
        if fields[2] == "flute" and seen.count("flute") > 1:
            fields[2] = "organ"
        return ",".join(fields)

    with pytest.raises(ValueError, match=r"the class 'flute' of .* has 1 sample\(s\)"):
        reproduce(rewritten(manifest, "one.csv", edit), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_modality_that_a_subset_lacks_is_named(manifest, tmp_path):
    def edit(fields):
        return ",".join([fields[0], "", *fields[2:]])

    with pytest.raises(ValueError, match=r"blind.csv' has no image at all"):
        reproduce(rewritten(manifest, "blind.csv", edit), encoders=OFFLINE, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_modality_that_one_subset_lacks_is_named(manifest, tmp_path):
    numbers = iter(range(90))
    names = ["translation"] * 40 + ["retrieval"] * 10 + ["train"] * 20 + ["test"] * 20

    def edit(fields):
        number = next(numbers)
        image = "" if names[number] == "test" else fields[1]
        return ",".join([fields[0], image, *fields[2:], names[number]])

    path = rewritten(manifest, "half.csv", edit)
    path.write_text(path.read_text().replace("label_ids\n", "label_ids,subset\n", 1))
    with pytest.raises(ValueError, match=r"the test subset of '.*half.csv' has no image at all"):
        reproduce(path, encoders=OFFLINE, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_manifest_is_named(tmp_path):
    path = tmp_path / "noise.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"the manifest .*noise\.csv"):
        reproduce(path)
