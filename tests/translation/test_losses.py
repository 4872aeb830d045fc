import numpy as np
import pytest
import torch

from skxmodal.translation._losses import InfoNCELoss, MarginLoss, make_loss


def unit_rows(n, d, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, d, generator=generator, dtype=dtype)
    return torch.nn.functional.normalize(rows).requires_grad_()


def published_margin_loss(a, b, margin):
    """The formula of DESIGN section 5, written without thought for memory."""
    s = a @ b.T
    off_diagonal = ~torch.eye(len(s), dtype=torch.bool)
    violation = (margin - s.diagonal()[:, None] + s).clamp(min=0)
    return violation[off_diagonal].mean()


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [2, 7, 1100])
def test_margin_loss_and_its_gradient_equal_the_published_formula(n, margin):
    a, b = unit_rows(n, 5, 0), unit_rows(n, 5, 1)
    loss = MarginLoss(margin)(a, b)
    grads = torch.autograd.grad(loss, (a, b))
    expected = published_margin_loss(a, b, margin)
    expected_grads = torch.autograd.grad(expected, (a, b))
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_margin_loss_passes_gradcheck():
    a, b = unit_rows(6, 4, 0), unit_rows(6, 4, 1)
    assert torch.autograd.gradcheck(MarginLoss(0.7), (a, b))


def test_symmetric_margin_loss_does_not_care_which_modality_comes_first():
    a, b = unit_rows(9, 4, 0), unit_rows(9, 4, 1)
    symmetric = MarginLoss(1.0, symmetric=True)
    torch.testing.assert_close(symmetric(a, b), symmetric(b, a))
    assert not torch.allclose(MarginLoss(1.0)(a, b), MarginLoss(1.0)(b, a))


def test_margin_loss_keeps_no_square_matrix():
    """Nothing of n x n elements is alive after the forward pass."""
    n = 2048
    a, b = unit_rows(n, 4, 0, torch.float32), unit_rows(n, 4, 1, torch.float32)
    loss = MarginLoss(1.0)(a, b)
    sizes = [t.numel() for t in _saved_tensors(loss.grad_fn)]
    assert sizes
    assert max(sizes) <= n * 4


def _saved_tensors(node):
    tensors = list(getattr(node, "saved_tensors", ()))
    for parent, _ in node.next_functions:
        if parent is not None:
            tensors += _saved_tensors(parent)
    return tensors


def test_infonce_is_the_cross_entropy_of_the_partner():
    a, b = unit_rows(8, 3, 0), unit_rows(8, 3, 1)
    logits = (a @ b.T / 0.5).detach().numpy()
    rows = np.log(np.exp(logits).sum(axis=1)) - logits.diagonal()
    columns = np.log(np.exp(logits).sum(axis=0)) - logits.diagonal()
    expected = (rows.mean() + columns.mean()) / 2
    assert InfoNCELoss(0.5)(a, b).item() == pytest.approx(expected)


def test_a_module_of_ones_own_is_copied():
    own = MarginLoss(0.2)
    made = make_loss(own, margin=1.0, temperature=0.1)
    assert made is not own
    assert made.margin == 0.2


def test_an_unknown_loss_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"loss must be one of 'margin'.* got 'hinge'"):
        make_loss("hinge", margin=1.0, temperature=0.1)
