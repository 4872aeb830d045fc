import json

import numpy as np
import pytest
from scipy.stats import t as student

from skxmodal.model_selection import TransferCurve


def curve(scores, sizes=(0, 5)):
    scores = np.array(scores, dtype=float)
    return TransferCurve(
        "image", ("audio",), np.array(sizes), scores, scores, scores, 40, 9, "f1_macro"
    )


def test_the_mean_leaves_out_what_failed():
    assert curve([[0.2, 0.4], [0.6, np.nan]]).mean == pytest.approx([0.3, 0.6])


def test_a_size_without_any_score_has_no_mean():
    found = curve([[np.nan, np.nan], [0.5, 0.7]])
    assert np.isnan(found.mean[0])
    assert np.isnan(found.zero_shot)
    assert found.best == pytest.approx(0.6)


def test_the_interval_is_students():
    low, high = curve([[0.2, 0.3, 0.7], [0, 0, 0]]).interval(0.9)[0]
    expected = student.interval(0.9, 2, loc=0.4, scale=np.std([0.2, 0.3, 0.7], ddof=1) / 3**0.5)
    assert (low, high) == pytest.approx(expected)


def test_the_interval_of_one_draw_is_its_score():
    assert curve([[0.2], [0.4]]).interval().tolist() == [[0.2, 0.2], [0.4, 0.4]]


def test_a_confidence_beyond_one_is_an_error():
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 95"):
        curve([[0.2], [0.4]]).interval(95)


def test_zero_shot_is_the_mean_at_size_zero():
    assert curve([[0.2, 0.4], [0.6, 0.8]]).zero_shot == pytest.approx(0.3)


def test_without_size_zero_there_is_no_zero_shot_score():
    assert np.isnan(curve([[0.2], [0.4]], sizes=(1, 5)).zero_shot)


def test_a_curve_survives_json():
    before = curve([[np.nan, np.nan], [0.5, 0.7]])
    after = TransferCurve.from_dict(json.loads(json.dumps(before.as_dict(), allow_nan=False)))
    assert after.as_dict() == before.as_dict()
    assert after.sizes.dtype == before.sizes.dtype
    assert after.source == ("audio",)
    np.testing.assert_array_equal(after.scores, before.scores)
