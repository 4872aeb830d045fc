"""``transformers:`` on tiny models with random weights, saved to local folders."""

import sys

import numpy as np
import pytest

from skxmodal.encoders import load_encoder

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filter:UserWarning")

VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "vocab_size": 12,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
    "eos_token_id": 2,
    "bos_token_id": 1,
    "pad_token_id": 0,
}
WORDS = ["[PAD]", "[BOS]", "[EOS]", "[UNK]", "a", "cello", "drum", "guitar", "played", "softly"]


def save_processor(processor, folder):
    processor.save_pretrained(folder)


def tokenizer(folder):
    """Save a tokenizer that splits at spaces."""
    tokenizers = pytest.importorskip("tokenizers")
    from tokenizers.processors import TemplateProcessing

    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 1), ("[EOS]", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    ).save_pretrained(folder)


def image_processor():
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def clip(folder):
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    image_processor().save_pretrained(folder)
    tokenizer(folder)


def dinov2(folder):
    transformers.Dinov2Model(transformers.Dinov2Config(**VISION)).save_pretrained(folder)
    image_processor().save_pretrained(folder)


def vit_without_pooler(folder):
    config = transformers.ViTConfig(**VISION)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    image_processor().save_pretrained(folder)


def ast(folder):
    config = transformers.ASTConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_length=64,
        num_mel_bins=32,
    )
    transformers.ASTModel(config).save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32).save_pretrained(folder)


def wav2vec2(folder):
    config = transformers.Wav2Vec2Config(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        conv_dim=(8, 8),
        conv_kernel=(10, 3),
        conv_stride=(20, 16),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        vocab_size=8,
    )
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)


def clap(folder):
    audio = {
        "hidden_size": 64,
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
        "num_hidden_layers": 4,
        "num_mel_bins": 64,
        "spec_size": 256,
        "window_size": 8,
        "projection_dim": 8,
        "enable_fusion": False,
    }
    config = transformers.ClapConfig(
        text_config={**TEXT, "projection_dim": 8}, audio_config=audio, projection_dim=8
    )
    transformers.ClapModel(config).save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    tokenizer(folder)


def whisper(folder):
    config = transformers.WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        vocab_size=32,
        max_source_positions=100,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    transformers.WhisperModel(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(chunk_length=2).save_pretrained(folder)


def bert(folder):
    transformers.BertModel(transformers.BertConfig(**TEXT)).save_pretrained(folder)
    tokenizer(folder)


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """A function that saves a model once and returns the string for it."""
    import torch

    saved = {}

    def get(save):
        if save not in saved:
            saved[save] = tmp_path_factory.mktemp(save.__name__)
            torch.manual_seed(0)
            save(saved[save])
        return f"transformers:{saved[save]}"

    return get


def some_cells(encoder, n):
    rng = np.random.default_rng(0)
    if encoder.modality == "image":
        return [rng.integers(0, 256, (20 + 7 * k, 50, 3), dtype=np.uint8) for k in range(n)]
    if encoder.modality == "text":
        return ["a cello played softly", "drum", "a guitar", "cello drum", "x y z"][:n]
    return [rng.normal(0, 0.1, 9000 + 5000 * k).astype(np.float32) for k in range(n)]


CASES = [
    (clip, "image", 8),
    (clip, "text", 8),
    (dinov2, "image", 16),
    (vit_without_pooler, "image", 16),
    (ast, "audio", 16),
    (wav2vec2, "audio", 16),
    (clap, "audio", 8),
    (clap, "text", 8),
    (whisper, "audio", 16),
    (bert, "text", 16),
]


@pytest.mark.parametrize(("save", "modality", "n_features"), CASES)
def test_vectors_have_the_dimension_and_do_not_depend_on_the_batch(
    folder_of, save, modality, n_features
):
    encoder = load_encoder(folder_of(save), modality, device="cpu")
    windows = [encoder.windows(cell) for cell in some_cells(encoder, 4)]
    together = encoder.encode(np.concatenate(windows))
    alone = np.concatenate([encoder.encode(window) for window in windows])
    assert together.shape == (sum(map(len, windows)), n_features)
    assert together.dtype == np.float32
    assert encoder.n_features == n_features
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(together).max()
    # Different cells get different vectors.
    assert len(np.unique(together.round(6), axis=0)) == len(together)


def test_clip_gives_what_the_package_gives(folder_of):
    string = folder_of(clip)
    folder = string.partition(":")[2]
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    picture = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    import torch

    pixels = image_processor()(picture, return_tensors="pt")["pixel_values"]
    tokens = transformers.AutoTokenizer.from_pretrained(folder)("a cello", return_tensors="pt")
    with torch.inference_mode():
        image = model.visual_projection(model.vision_model(pixels).pooler_output).numpy()
        text = model.text_projection(
            model.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
            ).pooler_output
        ).numpy()
    for modality, cell, expected in (("image", picture, image), ("text", "a cello", text)):
        encoder = load_encoder(string, modality, device="cpu")
        actual = encoder.encode(encoder.windows(cell))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_waveform_model_gives_the_mean_over_time(folder_of):
    import torch

    string = folder_of(wav2vec2)
    folder = string.partition(":")[2]
    model = transformers.Wav2Vec2Model.from_pretrained(folder).eval()
    sound = np.random.default_rng(2).normal(0, 0.1, 24_000).astype(np.float32)
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    values = extractor(sound, sampling_rate=16_000, return_tensors="pt")["input_values"]
    with torch.inference_mode():
        expected = model(values).last_hidden_state.mean(1).numpy()
    encoder = load_encoder(string, "audio", device="cpu")
    actual = encoder.encode(encoder.windows(sound))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("save", [ast, wav2vec2, clap])
def test_long_and_tiny_sounds_are_encoded(folder_of, save):
    encoder = load_encoder(folder_of(save), "audio", device="cpu")
    rng = np.random.default_rng(0)
    long = rng.normal(0, 0.1, 11 * encoder.sample_rate).astype(np.float32)
    assert len(encoder.windows(long)) == -(-len(long) // encoder.longest)
    for sound in (long, np.zeros(1, np.float32)):
        vectors = encoder.encode(encoder.windows(sound))
        assert np.isfinite(vectors).all()


def test_a_pooling_layer_without_weights_is_not_used(folder_of):
    vectors = []
    for _ in range(2):
        from skxmodal.encoders._provider_transformers import load

        string = folder_of(vit_without_pooler)
        encoder = load(string.partition(":")[2], "image", name=string, device="cpu")
        vectors.append(encoder.encode(encoder.windows(some_cells(encoder, 1)[0])))
    np.testing.assert_array_equal(*vectors)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    import safetensors.torch

    dinov2(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    del tensors["layernorm.weight"]
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 of its weights.*'layernorm.weight'"):
        load_encoder(f"transformers:{tmp_path}", "image")


def test_a_model_without_that_side_is_refused(folder_of):
    with pytest.raises(ValueError, match="cannot be loaded as image"):
        load_encoder(folder_of(wav2vec2), "image")


def test_code_in_a_model_folder_is_never_run(tmp_path):
    dinov2(tmp_path)
    mark = tmp_path / "was-run"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(
        config.replace('"model_type": "dinov2"', '"model_type": "evil"').replace(
            "{", '{"auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"},', 1
        )
    )
    with pytest.raises(ValueError, match="cannot be loaded as image"):
        load_encoder(f"transformers:{tmp_path}", "image")
    assert not mark.exists()


def test_a_pickle_holds_the_string_only(folder_of):
    import pickle

    encoder = load_encoder(folder_of(dinov2), "image", device="cpu")
    data = pickle.dumps(encoder)
    assert len(data) < 1000
    assert pickle.loads(data) is encoder


def test_other_weights_have_another_fingerprint(folder_of, tmp_path):
    import torch

    torch.manual_seed(1)
    dinov2(tmp_path)
    one = load_encoder(folder_of(dinov2), "image")
    two = load_encoder(f"transformers:{tmp_path}", "image")
    assert one.identity["preprocessing"] == two.identity["preprocessing"]
    assert one.identity["weights"] != two.identity["weights"]


def test_without_the_package_the_error_names_caller_and_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError) as caught:
        load_encoder("transformers:some/model", "audio")
    assert str(caught.value) == (
        'AudioEmbedder(encoder="transformers:...") needs transformers: '
        'pip install "skxmodal[transformers]"'
    )
