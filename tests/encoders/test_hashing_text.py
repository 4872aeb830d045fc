import numpy as np

from skxmodal.encoders import HashingTextEncoder, load_encoder


def encode(*texts):
    encoder = HashingTextEncoder()
    return encoder.encode(np.concatenate([encoder.windows(text) for text in texts]))


def test_it_is_the_encoder_of_texts_called_hashing():
    assert isinstance(load_encoder("hashing", "text"), HashingTextEncoder)


def test_vectors_are_float32_and_the_same_in_every_batch():
    texts = [f"drum number {n}" for n in range(20)]
    together = encode(*texts)
    assert together.shape == (20, 512)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(np.concatenate([encode(text) for text in texts]), together)


def test_case_and_punctuation_of_words_do_not_count():
    words = slice(0, 256)
    one, other = encode("A loud drum", "a loud -- drum!")
    np.testing.assert_array_equal(one[words], other[words])


def test_the_order_of_neighbouring_words_counts():
    one, other = encode("drum then flute", "flute then drum")
    assert not np.array_equal(one, other)


def test_projecting_keeps_similarities():
    drum, drums, flute = encode("a loud drum", "loud drums", "quiet flute")
    assert drum @ drum > drum @ drums > drum @ flute
    assert 1.5 < drum @ drum < 2.5


def test_a_text_in_any_script_has_a_vector():
    vectors = encode("ドラム", "барабан", "🥁 !")
    assert np.isfinite(vectors).all()
