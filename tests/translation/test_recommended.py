import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skxmodal.classification import ModalityAgnosticClassifier
from skxmodal.modalities import concat_modalities, select_modality
from skxmodal.translation import CCAProjector, RematchedProjector, make_recommended_joint


def found_share(joint, X, kinds):
    """How often the nearest picture of a sound is of its kind."""
    heard = joint.transform(select_modality(X, "audio"))
    seen = joint.transform(select_modality(X, "image"))
    return (kinds["image"][(heard @ seen.T).argmax(axis=1)] == kinds["audio"]).mean()


@pytest.fixture
def table(noisy):
    blocks, kinds = noisy
    return concat_modalities(**blocks).astype(np.float32), kinds


def small(**parameters):
    return RematchedProjector(6, n_features=100, random_state=0, **parameters)


def test_it_beats_chance_and_kernel_cca_on_noisy_pairs(table):
    X, kinds = table
    joint = found_share(small().fit(X), X, kinds)
    kernel = CCAProjector(6, kernel="rbf", n_features=100, random_state=0).fit(X)
    assert joint > 0.9
    assert joint >= found_share(kernel, X, kinds)


def test_re_pairing_finds_more_pictures_of_the_right_kind_than_kernel_cca_alone():
    """Where noise is strong: 70 % of the pairs wrong, kinds that overlap."""
    found = {0: 0.0, 3: 0.0}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        heard = rng.integers(6, size=600)
        seen = np.where(rng.random(600) < 0.7, rng.integers(6, size=600), heard)
        X = concat_modalities(
            audio=rng.normal(size=(6, 10))[heard] + 0.8 * rng.normal(size=(600, 10)),
            image=rng.normal(size=(6, 8))[seen] + 0.8 * rng.normal(size=(600, 8)),
        )
        for n_iter in found:
            joint = small(n_iter=n_iter, attraction=0.0).fit(X)
            found[n_iter] += found_share(joint, X, {"audio": heard, "image": seen}) / 3
    assert found[3] > found[0] + 0.03


def test_attraction_closes_the_gap_between_modalities(table):
    X, kinds = table
    gaps = []
    for attraction in (0.0, 0.5):
        joint = small(attraction=attraction).fit(X)
        heard = joint.transform(select_modality(X, "audio"))
        seen = joint.transform(select_modality(X, "image"))
        gaps.append(
            np.mean(
                [
                    np.linalg.norm(
                        heard[kinds["audio"] == kind].mean(axis=0)
                        - seen[kinds["image"] == kind].mean(axis=0)
                    )
                    for kind in range(6)
                ]
            )
        )
    assert gaps[1] < gaps[0]


def test_rows_with_one_modality_take_part(table):
    X, _ = table
    alone = X.copy()
    alone.iloc[:200, :10] = np.nan
    alone.iloc[:200, 10:] += 1
    with_them = small().fit(alone).transform(X)
    assert not np.allclose(with_them, small().fit(alone.iloc[200:]).transform(X), atol=1e-4)


def test_the_share_of_wrong_pairs_is_noted(table):
    X, _ = table
    assert 0.2 < small().fit(X).pair_noise_ < 0.6


def test_joint_table_has_unit_rows_of_the_width_asked_for(table):
    X, _ = table
    joint = RematchedProjector(128, n_features=40, random_state=0).fit(X)
    vectors = joint.transform(X)
    assert vectors.shape == (400, 128)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_same_seed_same_bytes(table):
    X, _ = table
    first, second = (small().fit(X).transform(X) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_three_modalities_meet_though_no_row_has_all():
    rng = np.random.default_rng(1)
    kind = rng.integers(5, size=600)
    blocks = {
        name: rng.normal(size=(5, 7))[kind] + 0.1 * rng.normal(size=(600, 7))
        for name in ("audio", "image", "text")
    }
    blocks["text"][:200] = np.nan
    blocks["audio"][200:400] = np.nan
    blocks["image"][400:] = np.nan
    X = concat_modalities(**blocks)
    joint = RematchedProjector(4, n_features=50, random_state=0).fit(X)
    heard = joint.transform(select_modality(X.iloc[400:], "audio"))
    read = joint.transform(select_modality(X.iloc[400:], "text"))
    assert (kind[400:][(heard @ read.T).argmax(axis=1)] == kind[400:]).mean() > 0.9


def test_the_classifier_knows_it_by_name(table):
    X, kinds = table
    heard, seen = select_modality(X, "audio"), select_modality(X, "image")
    y = np.where(np.arange(400) < 200, kinds["audio"], -1)
    train = X.copy()
    train.iloc[:200] = heard.iloc[:200]
    model = ModalityAgnosticClassifier("recommended", LogisticRegression(), random_state=0)
    model.fit(train, y)
    assert type(model.joint_) is type(make_recommended_joint())
    assert model.score(seen, kinds["image"]) > 0.85


def test_an_unknown_name_of_a_joint_space_is_refused(table):
    with pytest.raises(ValueError, match="joint must be one of 'recommended', got 'best'"):
        ModalityAgnosticClassifier("best").fit(table[0], table[1]["audio"])


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("n_partners", 0, "n_partners must be an integer >= 1"),
        ("n_iter", -1, "n_iter must be an integer >= 0"),
        ("attraction", 2, "attraction must be a number >= 0 and <= 1"),
        ("sharpness", 0, "sharpness must be a number > 0"),
        ("reg", 0, "reg must be a number > 0"),
        ("pair_noise", "much", "pair_noise must be one of 'auto'"),
        ("max_items", 1, "max_items must be an integer >= 2"),
    ],
)
def test_bad_parameters_are_named(table, parameter, value, message):
    with pytest.raises(ValueError, match=message):
        clone(small()).set_params(**{parameter: value}).fit(table[0])


def test_a_modality_that_differs_only_where_it_is_alone_is_refused(table):
    X, _ = table
    sounds = [column for column in X.columns if column.startswith("audio")]
    paired = X.index[: len(X) // 2]
    X.loc[paired, [column for column in X.columns if column not in sounds]] = 1.0
    X.loc[X.index[len(X) // 2 :], sounds] = np.nan
    with pytest.raises(ValueError, match="the modality 'image' is the same in every row"):
        small().fit(X)


@pytest.mark.parametrize("alike", ["audio", "image"])
def test_a_modality_that_never_differs_is_refused(table, alike):
    X, _ = table
    columns = [column for column in X.columns if column.startswith(alike)]
    X.loc[:, columns] = 1.0
    with pytest.raises(ValueError, match=f"the modality '{alike}' is the same in every row"):
        small().fit(X)


def test_a_modality_of_a_few_items_is_left_out_and_the_others_are_as_without_it(table):
    X, kinds = table
    text = np.full((400, 4), np.nan)
    text[:3] = np.random.default_rng(0).normal(size=(3, 4))
    blocks = {name: X.filter(like=name).to_numpy() for name in ("audio", "image")}
    with pytest.warns(UserWarning, match="'text' is left out: it has only 3 different items"):
        joint = small().fit(concat_modalities(**blocks, text=text))
    assert set(joint.anchors_) == {"audio", "image"}
    rows = concat_modalities(**blocks, text=np.full((400, 4), np.nan))
    assert found_share(joint, rows, kinds) == found_share(small().fit(X), X, kinds)
