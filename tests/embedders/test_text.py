"""TextEmbedder: cells are texts, not paths."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skxmodal.embedders import (
    MediaWarning,
    TextEmbedder,
    embed_to_file,
    list_encoders,
    make_embedder,
)
from skxmodal.encoders import FunctionEncoder, HashingTextEncoder
from skxmodal.media import MediaError

TEXTS = ["a loud drum", None, "two flutes, softly", "a loud drum", "flute"]


@pytest.mark.parametrize(
    "column",
    [
        TEXTS,
        np.array(TEXTS, dtype=object),
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="string"),
        pd.DataFrame({"text": TEXTS}),
    ],
    ids=["list", "array", "series", "string series", "table"],
)
def test_every_kind_of_column_gives_the_same_rows(column):
    vectors = TextEmbedder().fit_transform(column)
    assert vectors.shape == (5, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, TextEmbedder().fit_transform(TEXTS))


def test_a_missing_text_is_a_missing_row_and_equal_texts_have_equal_rows():
    vectors = TextEmbedder().fit_transform(TEXTS)
    np.testing.assert_array_equal(np.isnan(vectors).all(axis=1), [False, True] + [False] * 3)
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_a_text_that_names_a_file_is_still_a_text(tmp_path):
    path = tmp_path / "drum.txt"
    path.write_text("one thing")
    embedder = TextEmbedder(cache=tmp_path / "cache").fit([])
    before = embedder.transform([str(path)])
    path.write_text("another")
    np.testing.assert_array_equal(embedder.transform([str(path)]), before)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (3, "row 1, object of type int: a cell of text must be a str"),
        (b"drum", "row 1, object of type bytes: a cell of text must be a str"),
        ("  ", "row 1, '  ': the text is empty"),
        ("a\udcff", r"row 1, 'a.udcff': the text holds half a surrogate pair"),
    ],
)
def test_a_bad_cell_is_named_with_its_row(cell, message):
    with pytest.raises(MediaError, match=message):
        TextEmbedder().fit_transform(["a", cell])


def test_bad_cells_may_become_missing_rows():
    with pytest.warns(MediaWarning, match="1 of 2 cells could not be read"):
        vectors = TextEmbedder(on_error="warn").fit_transform(["a drum", 3])
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True]


def test_the_result_does_not_depend_on_the_batch():
    texts = [f"{word} number {n}" for n in range(40) for word in ("drum", "flute")]
    expected = TextEmbedder(batch_size=1).fit_transform(texts)
    np.testing.assert_array_equal(TextEmbedder(batch_size=64).fit_transform(texts), expected)
    np.testing.assert_array_equal(TextEmbedder(n_jobs=2).fit_transform(texts), expected)


def test_a_cached_text_is_encoded_once(tmp_path):
    seen = []

    def lengths(texts):
        seen.extend(texts)
        return np.array([[len(text)] for text in texts], np.float32)

    encoder = FunctionEncoder(lengths, "text", fingerprint="lengths/1")
    seen.clear()
    for _ in range(2):
        vectors = TextEmbedder(encoder, cache=tmp_path).fit_transform(["drum", "flute", "drum"])
    assert sorted(seen) == ["drum", "flute"]
    assert vectors.ravel().tolist() == [4, 5, 4]


def test_equal_texts_are_encoded_once_without_a_cache_too():
    seen = []

    def lengths(texts):
        seen.extend(texts)
        return np.ones((len(texts), 1), np.float32)

    encoder = FunctionEncoder(lengths, "text")
    seen.clear()
    TextEmbedder(encoder).fit_transform(["drum"] * 5)
    assert seen == ["drum"]


def test_spelling_and_words_decide_about_similarity():
    drum, drums, misspelt, flute = TextEmbedder().fit_transform(
        ["a loud drum", "loud drums", "a loud drumm", "the quiet flute"]
    )
    assert drum @ drums > drum @ flute + 0.3
    assert drum @ misspelt > drum @ flute + 0.3


def test_clone_and_pickle_keep_the_result():
    embedder = TextEmbedder().fit(TEXTS)
    expected = embedder.transform(TEXTS)
    np.testing.assert_array_equal(clone(embedder).fit_transform(TEXTS), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(TEXTS), expected)


def test_the_encoder_is_listed():
    table = list_encoders("text").set_index("name")
    assert table.dimension["hashing"] == HashingTextEncoder.n_features == 512


def test_an_encoder_of_sounds_is_refused():
    with pytest.raises(ValueError, match="there is no text encoder 'logmel'"):
        TextEmbedder("logmel").fit(TEXTS)


def test_make_embedder_takes_texts_too():
    table = pd.DataFrame({"image": [np.eye(16), None], "text": [None, "a drum"]}, dtype=object)
    embedder = make_embedder(audio=None, text="hashing", batch_size=7, sample_rate=8000)
    out = embedder.fit_transform(table)
    assert out.columns[[0, 899, 900, -1]].tolist() == [
        "image__0",
        "image__899",
        "text__0",
        "text__511",
    ]
    assert embedder.named_transformers_["text"].batch_size == 7


def test_a_transformers_model_in_a_local_folder_encodes_texts(tmp_path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["[PAD]", "[UNK]", "a", "loud", "drum", "two", "flutes", ",", "softly", "flute"]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    ).save_pretrained(tmp_path)
    import torch

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    vectors = TextEmbedder(f"transformers:{tmp_path}", device="cpu").fit_transform(TEXTS)
    assert vectors.shape == (5, 16)
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True] + [False] * 3
    assert len(np.unique(vectors[[0, 2, 4]], axis=0)) == 3


@pytest.mark.slow
def test_trained_on_sounds_and_texts_it_predicts_pictures():
    from sklearn.datasets import load_digits

    from skxmodal.classification import ModalityAgnosticClassifier
    from skxmodal.modalities import select_modality
    from skxmodal.translation import CCAProjector

    rng = np.random.default_rng(0)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    sentences = ["a hand-written {}", "somebody says {}", "the number {}, again", "{} it was"]
    time = np.arange(2000) / 16_000
    digits = load_digits()
    y = digits.target[:900]
    table = pd.DataFrame(
        {
            "audio": [
                (16_000, np.sin(2 * np.pi * 300 * (d + 1) * time) + rng.normal(0, 0.5, 2000))
                for d in y
            ],
            "image": list(np.round(digits.images[:900] * 255 / 16).astype(np.uint8)),
            "text": [sentences[rng.integers(4)].format(names[d]) for d in y],
        },
        dtype=object,
    )
    # 500 unlabelled rows with all three; 100 labelled sounds; 100 labelled texts; 200 pictures.
    learned = table[:700].copy()
    learned.iloc[500:600, [1, 2]] = None
    learned.iloc[600:700, [0, 1]] = None
    labels = np.where(np.arange(700) < 500, -1, y[:700])
    joint = Pipeline([("embed", make_embedder(text="hashing")), ("cca", CCAProjector(16))])
    model = ModalityAgnosticClassifier(joint, random_state=0).fit(learned, labels)
    pictures = select_modality(table[700:].reset_index(drop=True), "image")
    assert model.score(pictures, y[700:]) > 0.8


def test_texts_go_to_a_file_by_what_they_say_not_as_paths(tmp_path):
    named = tmp_path / "drum.txt"
    named.write_text("one thing")
    texts = [*TEXTS, str(named)]
    path = tmp_path / "text.npy"
    rows = embed_to_file(TextEmbedder(), texts, path, chunk_size=2)
    np.testing.assert_array_equal(rows, TextEmbedder().fit_transform(texts))
    named.write_text("another thing")  # a path would be noticed to have changed
    assert len(embed_to_file(TextEmbedder(), texts, path)) == len(texts)
    with pytest.raises(ValueError, match="of other media"):
        embed_to_file(TextEmbedder(), [*texts[:-1], "an oboe"], path)
