"""The loss of all pairs of modalities."""

import torch

from skxmodal.translation._network import MISSING, PairwiseLoss


class RowCount(torch.nn.Module):
    """A loss that is the number of its rows."""

    def forward(self, a, b):
        return a.sum() * 0 + len(a)


def joint(n_rows, *n_missing):
    """Unit vectors of modalities, of which the last rows are missing."""
    vectors = [torch.nn.functional.normalize(torch.ones(n_rows, 3)) for _ in n_missing]
    for of_modality, n in zip(vectors, n_missing):
        of_modality[n_rows - n :] = MISSING
    return vectors


def test_each_pair_of_modalities_counts_by_its_rows():
    # 20 rows of the first two, 4 of either with the third.
    loss = PairwiseLoss(RowCount())(joint(20, 0, 0, 16), torch.empty(0))
    torch.testing.assert_close(loss, torch.tensor((20 * 20 + 2 * 4 * 4) / 28))


def test_vectors_that_are_nan_are_not_taken_for_missing():
    vectors = joint(20, 0, 0, 16)
    vectors[0].fill_(torch.nan)
    assert PairwiseLoss(RowCount())(vectors, torch.empty(0)).isnan()
    assert PairwiseLoss(RowCount())([vectors[0], joint(20, 20)[0]], torch.empty(0)).isnan()
