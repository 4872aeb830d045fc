"""The experiment on real digits: what the paper found must be found again."""

import json

import pytest

from skxmodal.experiments import reproduce


def by_name(results):
    return {
        (row["system"], row["target"], row["training"]): row["macro_f1"]
        for row in results["scores"]
    }


@pytest.mark.slow
def test_translation_carries_labels_across_modalities_on_clean_pairs(mirror, tmp_path):
    results = reproduce("digits", out=tmp_path)
    scores = by_name(results)
    assert scores["MMT", "image", "zero-shot"] >= 0.95
    assert scores["MMT", "audio", "zero-shot"] >= 0.85
    assert scores["MMP", "image", "zero-shot"] < 0.3
    assert scores["MMP", "audio", "zero-shot"] < 0.3
    assert results["seconds"] < 180
    assert json.loads((tmp_path / "results.json").read_text())["scores"] == results["scores"]


@pytest.mark.slow
def test_noisy_and_skewed_pairs_show_the_papers_effect(mirror):
    """Zero-shot keeps about 85 % of single modality; with all data translation falls behind.

    Over seeds 0-3 the share was .81-.96, and with all data MMT had .894-.947 on pictures, where
    MMP had .971-.980, and .886-.919 on sounds, where MMP had .899-.913: behind by far on pictures,
    level on sounds.
    """
    results = reproduce("digits", pair_noise=0.6, skew=1.5)
    scores = by_name(results)
    for target in ("image", "audio"):
        assert 0.7 <= results["zero_shot_share"][target] <= 0.97
        assert scores["MMP", target, "zero-shot"] < 0.3
        assert scores["MMT", target, "zero-shot"] < scores["MMT", target, "all data"]
    assert scores["MMT", "image", "all data"] < scores["MMP", "image", "all data"] - 0.01
    assert scores["MMT", "audio", "all data"] < scores["MMP", "audio", "all data"] + 0.03
