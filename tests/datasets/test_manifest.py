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
    ],
)
def test_what_is_not_a_manifest_is_refused(manifest, text, message):
    with pytest.raises(ValueError, match=message):
        load_manifest(manifest(text))


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no manifest .*none\.csv"):
        load_manifest(tmp_path / "none.csv")
