import numpy as np
import pandas as pd
import pytest

from skxmodal.datasets import load_manifest


@pytest.fixture
def manifest(tmp_path):
    def write(text):
        path = tmp_path / "manifest.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_relative_paths_start_at_the_manifest_and_empty_cells_are_missing(manifest, tmp_path):
    data = load_manifest(manifest("audio,image,label\na/1.wav,,drum\n,/b/2.png,\n"))
    assert data.frame.audio.tolist() == [str(tmp_path / "a/1.wav"), None]
    assert data.frame.image.tolist() == [None, "/b/2.png"]
    assert data.target.tolist() == [0, -1]
    assert data.target_names == ["drum"]


def test_labels_are_optional(manifest):
    assert load_manifest(manifest("image\nx.png\n")).target.tolist() == [-1]


def test_a_label_called_na_is_a_label(manifest):
    assert load_manifest(manifest("image,label\nx.png,NA\n")).target_names == ["NA"]


def test_other_columns_are_ignored_unless_they_are_asked_for(manifest, tmp_path):
    path = manifest("audio,notes,score\na.wav,loud,s.xml\n")
    assert list(load_manifest(path).frame.columns) == ["audio"]
    frame = load_manifest(path, modalities=["audio", "score"]).frame
    assert frame.score.tolist() == [str(tmp_path / "s.xml")]


def test_a_column_of_text_holds_texts(manifest, tmp_path):
    path = manifest('audio,text\na.wav,hello\n,\n," see http://x.org, ~ "\n')
    frame = load_manifest(path, modalities=("audio", "image", "text")).frame
    assert frame.audio.tolist() == [str(tmp_path / "a.wav"), None, None]
    assert frame.text.tolist() == ["hello", None, " see http://x.org, ~ "]


def test_another_column_may_have_any_capitals(manifest):
    path = manifest("audio,AUDIO,Image,label\na.wav,,,\n")
    assert list(load_manifest(path, modalities=["audio", "AUDIO", "Image"]).frame) == [
        "audio",
        "AUDIO",
        "Image",
    ]


def test_one_column_of_videos_serves_as_two(manifest, tmp_path):
    both = {"audio": "clip", "image": "clip"}
    frame = load_manifest(manifest("clip\na.mp4\n"), columns=both).frame
    assert frame.iloc[0].to_dict() == dict.fromkeys(both, str(tmp_path / "a.mp4"))


@pytest.mark.parametrize("header", ["wav,Audio,label", "wav,audio,label", "Audio,wav,Label"])
def test_a_name_that_is_given_is_not_looked_for_in_other_capitals(manifest, header):
    columns = {"audio": header.split(",")[0], "label": header.split(",")[2]}
    data = load_manifest(manifest(header + "\na,b,x\n"), columns=columns)
    assert data.frame.audio[0].endswith("/a")
    assert data.target_names == ["x"]


def test_among_numbers_minus_one_is_no_label(manifest):
    data = load_manifest(manifest("audio,label\na.wav,7\nb.wav,-1\nc.wav,\nd.wav,-2\n"))
    assert data.target_names == ["-2", "7"]
    assert data.target.tolist() == [1, -1, -1, 0]
    # What pandas writes where labels are integers and some are missing.
    data = load_manifest(manifest("audio,label\na.wav,7.0\nb.wav,-1.0\nc.wav,\n"))
    assert data.target_names == ["7.0"]
    assert data.target.tolist() == [0, -1, -1]


def test_columns_may_have_names_of_their_own(manifest, tmp_path):
    path = manifest("wav,audio,species,title\na.wav,other.wav,wren, a song \n")
    called = {"audio": "wav", "label": "species", "text": "title"}
    data = load_manifest(path, modalities=("audio", "text"), columns=called)
    assert data.frame.audio.tolist() == [str(tmp_path / "a.wav")]
    assert data.frame.text.tolist() == [" a song "]
    assert data.target_names == ["wren"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"audio": "mp3"}, "has no column 'mp3', which is to be 'audio': its columns are 'wav'"),
        ({"sound": "wav"}, "columns has 'sound', which is none of 'audio', 'image', 'label'"),
    ],
)
def test_a_name_that_is_none_is_told(manifest, columns, message):
    with pytest.raises(ValueError, match=message):
        load_manifest(manifest("wav,label\na.wav,x\n"), columns=columns)


def test_what_is_missing_in_parquet_is_an_empty_cell(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"audio": ["a.wav", None], "label": [np.nan, 2.0]})
    frame.to_parquet(tmp_path / "m.parquet")
    data = load_manifest(tmp_path / "m.parquet")
    assert data.frame.audio.tolist() == [str(tmp_path / "a.wav"), None]
    assert data.target_names == ["2.0"]
    assert data.target.tolist() == [-1, 0]


def test_spaces_around_a_field_do_not_count(manifest, tmp_path):
    data = load_manifest(manifest("audio, label\na.wav, drum \n"))
    assert data.target_names == ["drum"]


def test_label_ids_are_split_at_spaces(manifest):
    data = load_manifest(manifest("audio,label_ids\nx.wav,/m/01 /m/02\ny.wav,\n"))
    assert data.label_ids.tolist() == [("/m/01", "/m/02"), ()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a CSV table"),
        ("label\ndrum\n", "has no column of media"),
        (b"audio\n\xff\xfe\xff\n", "is not a CSV table in UTF-8"),
        ("audio,label\na.wav,Fl\xf6te\n".encode("latin-1"), "the byte 0xf6.*: save it as UTF-8"),
        ('audio,image\n"a,b\n', "is not a CSV table"),
        ("audio;image\na,1.wav;b.png\n", "separated by semicolons .';'., not by commas: save it"),
        ("audio\timage\na.wav\tb.png\n", r"separated by tabs .'\\t'., not by commas: save it"),
        ("sound,label\na.wav,x\n", "its columns are 'sound', 'label', not 'audio' or 'image'"),
        ("Audio,image\na.wav,b.png\n", "has a column 'Audio': rename it to 'audio'"),
        ("audio,Label\na.wav,drum\n", "has a column 'Label': rename it to 'label'"),
        ("audio,label\na.wav,drum\nb.wav,-1\n", "row 1 of the manifest .* has the label '-1'"),
        (
            "audio,label\na.wav,nan\n",
            "row 0 of the manifest .* has the label 'nan': leave the cell",
        ),
        ("audio,label\na.wav,x,1\n", "line 2 of the manifest .* has 3 fields, its header 2"),
        ("audio\nhttp://x.org/a.wav\n", "row 0, column 'audio' .* is the web address"),
    ],
)
def test_what_is_not_a_manifest_is_refused(manifest, text, message):
    with pytest.raises(ValueError, match=message):
        load_manifest(manifest(text))


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no manifest .*none\.csv"):
        load_manifest(tmp_path / "none.csv")
