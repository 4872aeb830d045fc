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
        (b"audio\n\xff\xfe\xff\n", "is not a CSV table"),
        ('audio,image\n"a,b\n', "is not a CSV table"),
        ("audio;image\na.wav;b.png\n", "has no column of media: its columns are 'audio;image'"),
        ("Audio,label\na.wav,x\n", "its columns are 'Audio', 'label', not 'audio' or 'image'"),
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
