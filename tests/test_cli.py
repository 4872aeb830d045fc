"""The command line: what it prints and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skxmodal.__main__ import main
from skxmodal._commands import _embed, _encoders, _reproduce
from skxmodal.datasets import make_instruments


def test_encoders_are_listed(capsys):
    assert main(["encoders", "--modality", "audio"]) == 0
    printed = capsys.readouterr().out
    assert "logmel" in printed
    assert "hog" not in printed


@pytest.mark.parametrize(
    ("command", "arguments", "goes_on"),
    [
        (_encoders, ["encoders"], ""),
        (_embed, ["embed", "m.csv", "--out", "x"], "; the same command goes on from what is kept"),
        (_reproduce, ["reproduce"], "; the same command goes on from what is kept"),
    ],
)
def test_an_interruption_is_one_line(command, arguments, goes_on, capsys, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run", interrupted)
    assert main(arguments) == 130
    assert capsys.readouterr().err == f"skxmodal: interrupted{goes_on}\n"


def test_a_broken_pipe_other_than_the_output_is_an_error(capsys, monkeypatch):
    def broken(options):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(_encoders, "_run", broken)
    assert main(["encoders"]) == 1
    assert "Broken pipe" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error():
    command = subprocess.Popen(
        [sys.executable, "-m", "skxmodal", "encoders"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    command.stdout.close()
    assert command.stderr.read() == ""
    command.stderr.close()
    assert command.wait(timeout=60) == 0


@pytest.mark.parametrize(("arguments", "status"), [(["encoders"], 0), (["reproduce"], 1)])
def test_a_reader_that_leaves_before_the_work_is_done_is_no_success(
    arguments, status, capsys, monkeypatch
):
    def broken(options):
        raise BrokenPipeError(32, "Broken pipe")

    for command in (_encoders, _reproduce):
        monkeypatch.setattr(command, "_run", broken)
    monkeypatch.setattr("skxmodal.__main__._nobody_reads", lambda: True)
    assert main(arguments) == status


def test_a_process_without_output_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["encoders"]) == 0


def test_an_unknown_modality_is_wrong_use(capsys):
    assert main(["encoders", "--modality", "video"]) == 2
    error = capsys.readouterr().err
    assert "there is no encoder of the modality 'video': --modality takes audio, image" in error


def test_without_network_and_mirror_one_sentence_says_what_is_missing(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "empty"))
    assert main(["reproduce", "--dataset", "digits", "--quiet", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert "the Free Spoken Digit Dataset could not be fetched" in error
    assert "SKXMODAL_MIRROR" in error
    assert not (tmp_path / "results.json").exists()


def test_fetch_makes_data_available_offline(mirror, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path))
    assert main(["fetch", "ontology"]) == 0
    assert main(["fetch", "digits"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "632 labels are there",
        "3000 recordings are there",
    ]
    monkeypatch.delenv("SKXMODAL_MIRROR")
    assert main(["fetch", "digits"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "numbers"], "dataset must be one of"),
        (["--preset", "huge"], "preset must be one of"),
        (["--encoders", "yamnet"], "--encoders takes audio:NAME"),
        (["--dataset", "gone.csv"], "there is no manifest 'gone.csv'"),
        (["--dataset", "gone.csv", "--skew", "2"], "skew does not go with dataset='gone.csv'"),
        (["--dataset", "gone.csv", "--pair-noise", "0.1"], "pair_noise does not go with"),
        (["--dataset", "digits", "--clips", "x"], "clips does not go with dataset='digits'"),
        (["--dataset", "digits", "--column", "audio=x"], "columns does not go with"),
    ],
)
def test_what_reproduce_cannot_run_is_one_sentence_and_exits_with_2(
    arguments, message, capsys, tmp_path
):
    assert main(["reproduce", "--quiet", "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_embed_writes_one_file_for_each_encoder(tmp_path, capsys):
    make_instruments(4, classes=2, out=tmp_path / "media")
    arguments = ["embed", str(tmp_path / "media" / "manifest.csv"), "--quiet"]
    arguments += ["--out", str(tmp_path / "out"), "--audio", "logmel", "mfcc"]
    for _ in range(2):  # a second run finds all done
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        assert "audio-logmel.npy  4 x 640" in printed
        assert "image-hog.npy  4 x 900" in printed
    assert np.load(tmp_path / "out" / "audio-mfcc.npy").shape == (4, 192)
    assert json.loads((tmp_path / "out" / "index.json").read_text())["target_names"]


def test_embed_takes_columns_by_names_of_their_own(tmp_path, capsys):
    made = make_instruments(4, classes=2, out=tmp_path / "media")
    manifest = tmp_path / "own.csv"
    own = {"audio": "wav", "image": "png"}
    made.frame.rename(columns=own).assign(kind=made.target).to_csv(manifest, index=False)
    arguments = ["embed", str(manifest), "--quiet", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "its columns are 'wav', 'png', 'kind'" in error
    assert "--column audio=" in error
    for name, column in {**own, "label": "kind"}.items():
        arguments += ["--column", f"{name}={column}"]
    assert main(arguments) == 0
    assert "audio-logmel.npy  4 x 640" in capsys.readouterr().out
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["target_names"] == ["0", "1"]


def test_embed_looks_at_every_encoder_before_it_embeds(tmp_path, capsys):
    make_instruments(4, classes=2, out=tmp_path / "media")
    arguments = ["embed", str(tmp_path / "media" / "manifest.csv"), "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--audio", "logmel", "nosuch"]) == 2
    assert "there is no audio encoder 'nosuch'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_reproduce_takes_columns_by_names_of_their_own(tmp_path, capsys):
    manifest = tmp_path / "own.csv"
    manifest.write_text("wav,png,kind\na.wav,a.png,x\n")
    arguments = ["reproduce", "--dataset", str(manifest), "--quiet", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--column", "audio=wav"]) == 2
    assert "has no column 'image': columns={'image': ...}, or --column" in capsys.readouterr().err
    for own in ("audio=wav", "image=png", "label=kind"):
        arguments += ["--column", own]
    assert main(arguments) == 2
    assert "has the labels of 1 class(es)" in capsys.readouterr().err


@pytest.mark.parametrize(("dataset", "name"), [(".", "inner"), ("..", "outer"), ("a.csv", "a")])
def test_the_report_of_a_folder_lies_below_reports(dataset, name, monkeypatch, tmp_path):
    def asked(dataset, *, out, **options):
        found.append(out)
        raise ValueError("enough is known")

    found = []
    monkeypatch.setattr("skxmodal.experiments.reproduce", asked)
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    main(["reproduce", "--dataset", dataset])
    assert found == [Path("reports") / name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["audio=wav", "audio=mp3"], "--column says audio=wav and audio=mp3: choose one"),
        (["sound=wav"], "columns has 'sound', which is none of 'audio', 'image', 'label'"),
    ],
)
def test_columns_that_cannot_be_meant_are_wrong_use(given, message, tmp_path, capsys):
    (tmp_path / "m.csv").write_text("wav,mp3\na.wav,a.mp3\n")
    arguments = [argument for text in given for argument in ("--column", text)]
    assert main(["embed", str(tmp_path / "m.csv"), "--out", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_column_without_a_name_is_wrong_use(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["embed", "m.csv", "--out", "x", "--column", "wav"])
    assert exit_.value.code == 2
    assert "'wav' is not NAME=COLUMN, as in audio=wav" in capsys.readouterr().err


def test_fetching_the_weights_of_an_encoder_without_any_is_wrong_use(capsys):
    assert main(["fetch", "weights", "logmel"]) == 2
    assert "'logmel' has no weight files to fetch" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["reproduce", "--skew", "wide"],
        ["produce"],
        ["fetch"],
        [],
    ],
)
def test_wrong_use_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--pair-noise", "2", "pair_noise must be a number >= 0 and <= 1, got 2.0"),
        ("--skew", "0.5", "skew must be a number >= 1"),
        ("--repeats", "0", "repeats must be an integer >= 1"),
        ("--n-jobs", "0", "n_jobs"),
        ("--random-state", "4294967296", "random_state must be an integer >= 0 and <= 4294967295"),
    ],
)
def test_a_value_out_of_range_exits_with_2_before_data_are_loaded(
    option, value, message, capsys, monkeypatch, tmp_path
):
    monkeypatch.setattr("skxmodal.experiments._reproduce.open_source", None)
    arguments = ["reproduce", "--dataset", "digits", "--quiet", option, value]
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("--n-jobs", "0", "n_jobs must be"), ("--random-state", "-1", "random_state must be")],
)
def test_fetch_looks_at_its_options_before_it_looks_at_clips(
    option, value, message, capsys, monkeypatch
):
    monkeypatch.setattr("skxmodal.datasets.fetch_audioset", None)
    assert main(["fetch", "audioset", "--clips", "x", option, value]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", [["embed"], ["reproduce"], ["fetch", "audioset"]])
def test_help_shows_every_default(command, capsys):
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    options = capsys.readouterr().out.partition("\noptions:\n")[2]
    described = re.split(r"\n  (?=--)", options)[1:]
    assert described
    assert [text for text in described if "(default:" not in " ".join(text.split())] == []


@pytest.mark.slow
def test_reproduce_prints_the_table_and_writes_every_number(mirror, capsys, tmp_path):
    arguments = ["reproduce", "--dataset", "digits", "--pair-noise", "0.6", "--skew", "1.5"]
    assert main([*arguments, "--out", str(tmp_path), "--quiet"]) == 0
    captured = capsys.readouterr()
    results = json.loads((tmp_path / "results.json").read_text())
    for row in results["scores"]:
        assert f"{row['macro_f1']:.3f}" in captured.out
    assert captured.err == ""
