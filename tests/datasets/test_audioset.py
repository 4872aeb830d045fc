"""AudioSet: real lists, selections, and what happens when a list cannot be had."""

import sys
import types
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.utils.multiclass import type_of_target

from skxmodal.__main__ import main
from skxmodal.datasets import (
    RemoteFileError,
    classes18,
    fetch_audioset,
    fetch_audioset_ontology,
    load_manifest,
)
from skxmodal.datasets._audioset_classes import _NUMBER_OF
from skxmodal.datasets._instruments._classes import AUDIOSET_COUNTS, INSTRUMENTS
from skxmodal.datasets._remote import AUDIOSET_CLASS_LABELS, AUDIOSET_SEGMENTS

BOTH = ["balanced_train", "eval"]

#: Clips of the real lists that are labelled with exactly one of the 18 classes.
ONE_OF_18 = {
    "balanced_train": {
        "accordion": 58,
        "banjo": 37,
        "cello": 40,
        "clarinet": 38,
        "cymbals": 19,
        "drums": 141,
        "flute": 57,
        "guitar": 301,
        "mandolin": 41,
        "organ": 95,
        "piano": 57,
        "saxophone": 49,
        "synthesizer": 50,
        "trombone": 32,
        "trumpet": 36,
        "ukulele": 40,
        "violin": 33,
        "voice": 62,
    },
    "eval": {
        "accordion": 58,
        "banjo": 34,
        "cello": 42,
        "clarinet": 46,
        "cymbals": 21,
        "drums": 148,
        "flute": 52,
        "guitar": 264,
        "mandolin": 23,
        "organ": 97,
        "piano": 53,
        "saxophone": 48,
        "synthesizer": 57,
        "trombone": 34,
        "trumpet": 28,
        "ukulele": 41,
        "violin": 31,
        "voice": 98,
    },
}


def quietly(function, *arguments, **options):
    """Call a function, and let it say that files are pinned on first use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "AudioSet's list of", UserWarning)
        return function(*arguments, **options)


@pytest.fixture
def fetch(mirror):
    """``fetch_audioset`` on the real lists, without progress bars."""
    assert mirror.is_dir()
    return lambda *args, **options: quietly(fetch_audioset, *args, **{"verbose": 0, **options})


@pytest.fixture(scope="module")
def instruments(mirror_folder, tmp_path_factory):
    """The instrument clips of both lists; a test must not change them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKXMODAL_MIRROR", str(mirror_folder))
        home = tmp_path_factory.mktemp("home")
        return quietly(fetch_audioset, BOTH, data_home=home, verbose=0)


class TestRealLists:
    @pytest.mark.parametrize(
        ("subset", "n_all", "n_instruments"),
        [("balanced_train", 22_160, 4_246), ("eval", 20_371, 4_101)],
    )
    def test_clips_are_counted(self, fetch, subset, n_all, n_instruments):
        assert len(fetch(subset, labels="all").frame) == n_all
        assert len(fetch(subset).frame) == n_instruments

    def test_the_instrument_subset_is_that_of_the_documentation(self, instruments):
        assert len(instruments.frame) == 8_347
        assert len(set(instruments.target)) == 2_227

    @pytest.mark.parametrize("subset", BOTH)
    def test_the_clips_with_one_of_the_18_classes_are_counted(self, fetch, subset):
        kept = classes18(fetch(subset))
        counts = np.bincount(kept.target, minlength=18).tolist()
        assert dict(zip(kept.target_names, counts, strict=True)) == ONE_OF_18[subset]

    def test_the_clips_with_a_label_of_each_class_are_counted(self, instruments):
        counts = dict.fromkeys(AUDIOSET_COUNTS, 0)
        for labels in instruments.target:
            for number in {_NUMBER_OF[label] for label in labels if label in _NUMBER_OF}:
                counts[INSTRUMENTS[number].name] += 1
        assert counts == AUDIOSET_COUNTS

    def test_the_first_row_is_that_of_the_file(self, fetch):
        data = fetch("balanced_train", labels=None)
        assert data.frame.iloc[0].to_dict() == {
            "ytid": "--PJHxphWEs",
            "start": 30.0,
            "end": 40.0,
            "label_ids": "/m/09x0r /t/dd00088",
            "label_names": "Speech; Gush",
        }
        assert data.target[0] == ("/m/09x0r", "/t/dd00088")

    def test_several_lists_follow_one_another(self, fetch, instruments):
        assert instruments.frame["subset"].value_counts().to_dict() == {
            "balanced_train": 4_246,
            "eval": 4_101,
        }
        alone = fetch("eval")
        assert "subset" not in alone.frame
        part = instruments.frame["subset"] == "eval"
        for column in alone.frame:
            assert list(instruments.frame.loc[part, column]) == list(alone.frame[column])
        assert instruments.target[part.to_numpy()].tolist() == alone.target.tolist()

    def test_every_clip_has_a_label_below_the_three_roots(self, instruments, mirror):
        assert mirror.is_dir()
        ontology = fetch_audioset_ontology()
        for labels in set(instruments.target):
            above = {name for label in labels for name in ontology.ancestors(label)}
            assert above & {ontology.id_of(x) for x in ("Musical instrument", "Singing", "Tools")}

    def test_columns_of_the_frame_agree_with_the_target(self, instruments):
        name_of = dict(zip(instruments.class_ids, instruments.target_names, strict=True))
        frame = instruments.frame
        assert [tuple(ids.split()) for ids in frame["label_ids"]] == instruments.target.tolist()
        names = [tuple(name_of[label] for label in labels) for labels in instruments.target]
        assert [tuple(text.split("; ")) for text in frame["label_names"]] == names
        assert instruments.label_ids is instruments.target

    def test_the_description_tells_licences_and_who_owns_the_videos(self, instruments):
        for words in ("CC BY 4.0", "CC BY-SA\n4.0", "belong to their owners", "15-20 %"):
            assert words in instruments.DESCR

    def test_a_second_time_nothing_is_parsed_or_asked_for(self, fetch, monkeypatch):
        first = fetch("eval")
        monkeypatch.delenv("SKXMODAL_MIRROR")
        monkeypatch.setattr("skxmodal.datasets._audioset_cache.read_segments", None)
        again = fetch("eval", download_if_missing=False)
        pd.testing.assert_frame_equal(first.frame, again.frame)


class TestIndicator:
    @pytest.fixture
    def data(self, fetch):
        return fetch("eval", indicator=True)

    def test_is_a_sparse_matrix_of_all_classes(self, data):
        assert data.target.shape == (4_101, 527)
        assert data.target.dtype == np.uint8
        assert type_of_target(data.target) == "multilabel-indicator"
        assert data.target.max() == 1

    def test_says_what_the_tuples_say(self, data):
        for row in (0, 100, -1):
            columns = data.target[[row]].toarray().nonzero()[1]
            assert {data.class_ids[column] for column in columns} == set(data.label_ids[row])
        assert data.target.sum() == sum(map(len, data.label_ids))

    def test_columns_are_the_same_whatever_is_selected(self, data, fetch):
        flutes = fetch("eval", labels=["Flute"], indicator=True)
        assert flutes.target_names == data.target_names
        assert flutes.target[:, [data.target_names.index("Flute")]].sum() == len(flutes.frame)


class TestSelection:
    def test_names_and_ids_may_be_mixed(self, fetch):
        both = fetch("eval", labels=["Flute", "/m/06ncr"])
        assert len(both.frame) == 122
        assert all({"/m/0l14j_", "/m/06ncr"} & set(labels) for labels in both.target)

    def test_a_name_means_the_very_label(self, fetch):
        data = fetch("eval", labels=("Drum kit",))
        assert all("/m/02hnl" in labels for labels in data.target)

    def test_a_function_decides_once_for_each_distinct_set(self, fetch):
        asked = []

        def alone(labels):
            asked.append(labels)
            return len(labels) == 1

        data = fetch("eval", labels=alone)
        assert {len(labels) for labels in data.target} == {1}
        assert len(asked) == len(set(asked))

    def test_all_needs_no_ontology(self, fetch, monkeypatch):
        def refuse(**_options):
            raise AssertionError("the ontology was asked for")

        monkeypatch.setattr("skxmodal.datasets._audioset.fetch_audioset_ontology", refuse)
        assert len(fetch("eval", labels="all").frame) == len(fetch("eval", labels=None).frame)

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (["Fiddle"], "names 'Fiddle', .*did you mean 'Violin, fiddle'"),
            (["Flute", "saxofone"], "names 'saxofone', .*did you mean 'Saxophone'"),
            (["qqqq"], "neither an id nor a name of AudioSet's classes$"),
            (["/m/0"], "names '/m/0'"),
            ([3], "names 3"),
            ([], "labels is an empty list"),
            ("Flute", r"pass labels=\['Flute'\]"),
            (lambda labels: False, "selects none of the clips of eval"),
        ],
    )
    def test_a_wrong_selection_is_an_error_with_a_remedy(self, fetch, labels, message):
        with pytest.raises(ValueError, match=message):
            fetch("eval", labels=labels)

    def test_a_number_is_no_selection(self, fetch):
        with pytest.raises(TypeError, match="labels must be 'instruments', 'all', a list"):
            fetch("eval", labels=18)

    @pytest.mark.parametrize(
        ("subset", "message"),
        [
            ("train", "subset must be one of 'balanced_train', 'eval', 'unbalanced_train'"),
            (["eval", "test"], "subset must be one of"),
            ([], "subset is an empty list"),
            (["eval", "eval"], "names a list twice"),
        ],
    )
    def test_a_wrong_subset_is_an_error(self, fetch, subset, message):
        with pytest.raises(ValueError, match=message):
            fetch(subset)

    def test_a_wrong_on_error_is_an_error(self, fetch):
        with pytest.raises(ValueError, match="on_error must be one of"):
            fetch("eval", on_error="skip")


class TestClasses18:
    @pytest.mark.parametrize(
        ("labels", "name"),
        [
            (("Violin, fiddle",), "violin"),
            (("Choir", "Singing"), "voice"),
            (("Drum",), "drums"),
            (("Drum kit",), "drums"),
            (("Drum", "Drum kit", "Percussion"), "drums"),
            (("/m/026t6", "/m/02hnl"), "drums"),
            (("Cymbal", "Hi-hat"), "cymbals"),
            (("Guitar", "Electric guitar", "Music"), "guitar"),
        ],
    )
    def test_a_clip_with_one_class_is_kept(self, labels, name):
        kept = classes18([labels])
        assert [kept.target_names[number] for number in kept.target] == [name]

    @pytest.mark.parametrize(
        "labels",
        [
            ("Violin, fiddle", "Cello"),
            ("Drum", "Cymbal"),
            ("Timpani",),
            ("Drum machine",),
            ("Electric guitar",),
            ("Singing",),
            (),
        ],
    )
    def test_a_clip_with_none_or_several_is_not(self, labels):
        assert len(classes18([labels, ("Flute",)]).indices) == 1

    def test_bunch_frame_and_tuples_give_the_same(self, instruments):
        kept = classes18(instruments)
        assert len(kept.target) == 2_361
        for other in (instruments.frame, instruments.target, list(instruments.target)):
            again = classes18(other)
            assert again.indices.tolist() == kept.indices.tolist()
            assert again.target.tolist() == kept.target.tolist()
        assert kept.label_ids.tolist() == instruments.target[kept.indices].tolist()

    def test_the_frame_is_that_of_the_kept_rows(self, instruments):
        kept = classes18(instruments)
        expected = instruments.frame["ytid"].iloc[kept.indices]
        assert list(kept.frame["ytid"]) == list(expected)
        assert list(kept.frame.index) == list(range(len(kept.target)))

    def test_a_column_of_texts_or_tuples_will_do(self):
        texts = ["/m/0l14j_ /m/04rlf", None, "/m/05r5c"]
        for column in (texts, [tuple(t.split()) if t else None for t in texts]):
            kept = classes18(pd.DataFrame({"label_ids": pd.Series(column, dtype=object)}))
            assert kept.indices.tolist() == [0, 2]

    def test_no_clips_give_no_clips(self):
        assert len(classes18([]).target) == 0

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (pd.DataFrame({"ytid": ["a"]}), "no column 'label_ids'"),
            ("Flute", "expected what fetch_audioset returns"),
            (3, "expected what fetch_audioset returns"),
            ([1, 2], "the labels of a clip must be a tuple"),
        ],
    )
    def test_anything_else_is_refused(self, data, message):
        with pytest.raises(TypeError, match=message):
            classes18(data)

    def test_names_ids_and_order_are_those_of_the_synthesised_instruments(self, fetch):
        data = fetch("eval")
        name_of = dict(zip(data.class_ids, data.target_names, strict=True))
        for item in INSTRUMENTS:
            assert name_of[item.audioset_id] == item.audioset_name
        assert name_of["/m/02hnl"] == "Drum kit"


@pytest.fixture
def attach_media(monkeypatch):
    """A stand-in for the media side: calls that were made, and one clip found."""
    calls = []

    def attach(frame, clips, **options):
        calls.append((frame.copy(), clips, options))
        cells = ["clip.mp4#t=4.5,5.5", *[None] * (len(frame) - 1)]
        return cells, cells[::-1], {"found": 1}

    module = types.ModuleType("skxmodal.datasets._audioset_clips")
    module.attach_media = attach
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


class TestMedia:
    def test_become_columns_with_none_where_they_are_missing(self, fetch, attach_media):
        data = fetch("eval", labels=["Flute"], clips="some/folder", random_state=3, n_jobs=2)
        assert list(data.frame)[-2:] == ["audio", "image"]
        assert data.frame["audio"][0] == data.frame["image"].iloc[-1] == "clip.mp4#t=4.5,5.5"
        assert data.frame["audio"][1] is None
        assert data.coverage == {"found": 1}
        (frame, clips, options), *others = attach_media
        assert not others
        assert clips == "some/folder"
        assert {"ytid", "start", "end"} <= set(frame)
        assert options["random_state"] == 3
        assert options["n_jobs"] == 2
        assert options["on_error"] == "warn"

    def test_are_not_asked_for_without_clips(self, fetch, attach_media):
        data = fetch("eval")
        assert attach_media == []
        assert "coverage" not in data
        assert "audio" not in data.frame


def base_path(remote):
    return "/base/" + remote.url.partition("://")[2]


class TestOverHttp:
    """The lists come from a mirror that is a base URL; their owner has none of them."""

    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path / "home"))
        return tmp_path / "home"

    @pytest.fixture
    def server(self, file_server, mirror_folder, monkeypatch):
        for remote in (AUDIOSET_CLASS_LABELS, AUDIOSET_SEGMENTS["eval"]):
            file_server.files[base_path(remote)] = remote.place(mirror_folder).read_bytes()
        monkeypatch.setenv("SKXMODAL_MIRROR", file_server.url + "/base")
        return file_server

    def fetch(self, **options):
        return quietly(fetch_audioset, "eval", labels=["Flute"], verbose=0, **options)

    def test_every_list_is_asked_for_once(self, server):
        first, second = self.fetch(), self.fetch()
        assert len(first.frame) == len(second.frame) == 60
        assert len(server.requests) == len(set(server.requests)) == 2

    def test_a_list_that_is_not_the_pinned_one_is_refused(self, server, home):
        self.fetch()
        remote = AUDIOSET_SEGMENTS["eval"]
        remote.place(home).unlink()
        server.files[base_path(remote)] += b'abcdefghijk, 0.000, 10.000, "/m/0l14j_"\n'
        with pytest.raises(RemoteFileError, match="no longer the file that was first fetched"):
            self.fetch()

    def test_a_list_that_is_damaged_on_disk_is_fetched_anew(self, server, home):
        expected = self.fetch()
        AUDIOSET_SEGMENTS["eval"].place(home).write_bytes(b"damaged")
        pd.testing.assert_frame_equal(self.fetch().frame, expected.frame)
        assert len(server.requests) == 3

    def test_a_malformed_list_is_an_error_with_file_and_line(self, server):
        path = base_path(AUDIOSET_SEGMENTS["eval"])
        server.files[path] = server.files[path].replace(b"30.000", b"thirty", 1)
        with pytest.raises(ValueError, match=r"line 5 of '.*eval_segments\.csv' has the time 'thi"):
            self.fetch()

    def test_a_page_instead_of_a_list_is_an_error(self, server):
        server.files[base_path(AUDIOSET_SEGMENTS["eval"])] = b"<html>Sign in</html>"
        with pytest.raises(ValueError, match=r"line 1 of .* is not a comment"):
            self.fetch()

    def test_a_list_that_nobody_has_is_an_error_with_the_addresses(self, server, monkeypatch):
        gone = server.url + "/gone/eval_segments.csv"
        remote = type(AUDIOSET_CLASS_LABELS)(gone, None, "CC BY 4.0", title="the list")
        monkeypatch.setitem(AUDIOSET_SEGMENTS, "eval", remote)
        with pytest.raises(RemoteFileError, match=f"the list could not be fetched .*{gone}.* 404"):
            self.fetch()

    def test_nothing_is_downloaded_unasked(self, server):
        with pytest.raises(RemoteFileError, match="download_if_missing=False"):
            self.fetch(download_if_missing=False)
        assert server.requests == []


class TestCommandLine:
    def run(self, *arguments):
        return quietly(main, ["fetch", "audioset", "--quiet", *map(str, arguments)])

    @pytest.mark.usefixtures("mirror")
    def test_the_lists_are_counted(self, capsys):
        assert self.run("--subset", "balanced_train", "eval") == 0
        assert capsys.readouterr().out == "8347 clips are listed\n"

    @pytest.mark.usefixtures("mirror")
    def test_without_clips_the_list_is_written(self, tmp_path):
        out = tmp_path / "new" / "list.csv"
        assert self.run("--subset", "eval", "--labels", "all", "--out", out) == 0
        table = pd.read_csv(out)
        assert list(table) == ["ytid", "start", "end", "label", "label_ids"]
        assert len(table) == 20_371
        assert table["label"].value_counts().to_dict() == ONE_OF_18["eval"]

    @pytest.mark.usefixtures("mirror")
    def test_with_clips_a_manifest_of_those_that_are_there_is_written(self, tmp_path, capsys):
        (tmp_path / "Flute").mkdir()
        sound = tmp_path / "Flute" / "-sbrgNGuWXE.wav"
        soundfile.write(sound, np.zeros(80_000), 8_000)
        out = tmp_path / "manifest.csv"
        assert self.run("--subset", "eval", "--clips", tmp_path, "--out", out) == 0
        data = load_manifest(out)
        assert data.frame["audio"].tolist() == [f"{sound}#t=4.5,5.5"]
        assert data.frame["image"][0] is None
        assert data.target_names == ["flute"]
        assert "/m/0l14j_" in data.label_ids[0]
        printed = capsys.readouterr().out
        assert "4101 clips: 1 with sound, 0 with a picture" in printed
        assert printed.endswith(f"1 rows are in {out}\n")

    def test_a_list_is_written_as_csv_only(self, tmp_path, capsys):
        assert self.run("--out", tmp_path / "list.parquet") == 2
        assert "must end in .csv" in capsys.readouterr().err

    def test_a_list_that_cannot_be_had_is_one_sentence(self, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv("SKXMODAL_DATA", str(tmp_path))
        gone = type(AUDIOSET_CLASS_LABELS)("http://127.0.0.1:9/x.csv", None, "", title="the list")
        monkeypatch.setattr("skxmodal.datasets._audioset.AUDIOSET_CLASS_LABELS", gone)
        assert self.run() == 1
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
