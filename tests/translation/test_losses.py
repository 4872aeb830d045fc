import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from skxmodal.translation import (
    InfoNCELoss,
    MarginLoss,
    RelevanceLoss,
    RobustInfoNCELoss,
    SigmoidLoss,
    SpectralLoss,
    TripletLoss,
    VICRegLoss,
)
from skxmodal.translation._losses import LOSSES, make_loss


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


def softmax_terms(s, temperature):
    """Log-probability of the partner, within rows and within columns."""
    u = s / temperature
    return u.log_softmax(dim=1).diagonal(), u.log_softmax(dim=0).diagonal()


def plain_infonce(a, b, temperature):
    rows, columns = softmax_terms(a @ b.T, temperature)
    return -(rows.mean() + columns.mean()) / 2


def plain_robust(a, b, temperature, q):
    return sum(
        ((1 - (q * term).exp()) / q).mean() / 2 for term in softmax_terms(a @ b.T, temperature)
    )


def plain_sigmoid(a, b, temperature, bias):
    sign = 2 * torch.eye(len(a), dtype=a.dtype) - 1
    return -torch.nn.functional.logsigmoid(sign * (a @ b.T / temperature + bias)).sum() / len(a)


def plain_symmetric_margin(a, b, margin):
    return (published_margin_loss(a, b, margin) + published_margin_loss(b, a, margin)) / 2


def plain_spectral(a, b, radius):
    s = radius * a @ b.T
    off_diagonal = ~torch.eye(len(s), dtype=torch.bool)
    return -2 * s.diagonal().mean() + s[off_diagonal].square().mean()


def plain_vicreg(a, b):
    d = a.shape[1]
    a, b = a * d**0.5, b * d**0.5
    loss = 25 * (a - b).square().mean()
    for x in (a, b):
        covariance = torch.cov(x.T)
        off_diagonal = ~torch.eye(d, dtype=torch.bool)
        spread = (x.var(dim=0) + 1e-4).sqrt()
        loss = loss + 12.5 * (1 - spread).clamp(min=0).mean()
        loss = loss + covariance[off_diagonal].square().sum() / d
    return loss


def plain_triplet(a, b, margin):
    losses = []
    for s in (a @ b.T, b @ a.T):
        for i, row in enumerate(s):
            others = torch.cat([row[:i], row[i + 1 :]])
            semi_hard = others[others < row[i]]
            negative = semi_hard.max() if len(semi_hard) else others.min()
            losses.append((margin - row[i] + negative).clamp(min=0))
    return torch.stack(losses).mean()


def plain_relevance(a, b, labels_a, labels_b, relevance, temperature):
    u = a @ b.T / temperature
    known = (labels_a >= 0)[:, None] & (labels_b >= 0)
    target = torch.where(known, relevance[labels_a][:, labels_b], 0.0)
    target = torch.where(torch.eye(len(a), dtype=torch.bool), 1.0, target)
    rows = target / target.sum(dim=1, keepdim=True) * u.log_softmax(dim=1)
    columns = target / target.sum(dim=0) * u.log_softmax(dim=0)
    return -(rows.sum() + columns.sum()) / 2 / len(a)


FORMULAS = {
    "symmetric margin": (
        MarginLoss(0.6, symmetric=True),
        lambda a, b: plain_symmetric_margin(a, b, 0.6),
    ),
    "triplet": (TripletLoss(0.4), lambda a, b: plain_triplet(a, b, 0.4)),
    "infonce": (InfoNCELoss(0.5), lambda a, b: plain_infonce(a, b, 0.5)),
    "infonce, low temperature": (InfoNCELoss(0.01), lambda a, b: plain_infonce(a, b, 0.01)),
    "sigmoid": (SigmoidLoss(0.2, bias=-2.0), lambda a, b: plain_sigmoid(a, b, 0.2, -2.0)),
    "robust": (RobustInfoNCELoss(0.3, q=0.6), lambda a, b: plain_robust(a, b, 0.3, 0.6)),
    "robust, low temperature": (
        RobustInfoNCELoss(0.02, q=0.1),
        lambda a, b: plain_robust(a, b, 0.02, 0.1),
    ),
    "spectral": (SpectralLoss(2.0), lambda a, b: plain_spectral(a, b, 2.0)),
    "vicreg": (VICRegLoss(), plain_vicreg),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("n", [3, 40])
def test_loss_and_gradient_equal_the_plain_formula(name, n, monkeypatch):
    # Blocks of 32 rows: 40 rows are two of them.
    monkeypatch.setattr("skxmodal.translation._fused.BLOCK_ELEMENTS", 1)
    module, formula = FORMULAS[name]
    a, b = unit_rows(n, 5, 0), unit_rows(n, 5, 1)
    loss, expected = module.double()(a, b), formula(a, b)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-9)
    for ours, theirs in zip(
        torch.autograd.grad(loss, (a, b)), torch.autograd.grad(expected, (a, b)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("graded", [False, True])
def test_relevance_loss_equals_the_plain_formula(graded):
    a, b = unit_rows(6, 4, 0), unit_rows(6, 4, 1)
    labels_a, labels_b = torch.tensor([0, 1, -1, 2, 0, -1]), torch.tensor([0, 1, -1, 1, 2, 0])
    relevance = torch.eye(3, dtype=torch.float64)
    if graded:
        relevance = torch.tensor([[1.0, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 0.8]]).double()
    module = RelevanceLoss(3 * relevance.numpy() if graded else None, temperature=0.4).double()
    loss = module(a, b, labels_a, labels_b)
    expected = plain_relevance(a, b, labels_a, labels_b, relevance, 0.4)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-9)
    for ours, theirs in zip(
        torch.autograd.grad(loss, (a, b)), torch.autograd.grad(expected, (a, b)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_passes_gradcheck_in_its_parameters_too(name):
    module = make_loss(name, margin=0.7, temperature=0.2).double()
    labels = torch.tensor([0, 1, -1, 0, 2, 1])
    more = (labels, labels.flip(0)) if getattr(module, "needs_labels", False) else ()
    a, b = unit_rows(6, 4, 0), unit_rows(6, 4, 1)
    assert torch.autograd.gradcheck(
        lambda a, b, *parameters: module(a, b, *more), (a, b, *module.parameters())
    )


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_the_same_where_no_gradient_is_wanted(name):
    module = make_loss(name, margin=0.7, temperature=0.2)
    labels = torch.tensor([0, 1, -1, 0, 2, 1, 1])
    more = (labels, labels) if getattr(module, "needs_labels", False) else ()
    a, b = unit_rows(7, 4, 0, torch.float32), unit_rows(7, 4, 1, torch.float32)
    with torch.no_grad():
        judged = module(a, b, *more)
    torch.testing.assert_close(judged, module(a, b, *more).detach(), rtol=1e-5, atol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Watch how large the results of all operations are."""

    n_elements = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                # A broadcast view of one number takes no memory.
                taken = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.n_elements = max(self.n_elements, taken)
        return result


@pytest.mark.parametrize("name", LOSSES)
def test_no_operation_makes_a_square_matrix(name):
    n = 3072
    module = make_loss(name, margin=0.7, temperature=0.2)
    labels = torch.arange(n) % 10
    more = (labels, labels) if getattr(module, "needs_labels", False) else ()
    a, b = unit_rows(n, 4, 0, torch.float32), unit_rows(n, 4, 1, torch.float32)
    with LargestTensor() as largest:
        module(a, b, *more).backward()
    assert n * 4 <= largest.n_elements <= n * n / 4


@pytest.mark.parametrize("loss", [InfoNCELoss(0.005, learn_temperature=True), SigmoidLoss(0.005)])
def test_a_learnt_temperature_stays_above_a_hundredth(loss):
    assert loss.scale().item() == pytest.approx(100)


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (np.ones((2, 3)), "square"),
        (np.array([[1.0, -1], [0, 1]]), "nowhere negative"),
        (np.zeros((2, 2)), "positive somewhere"),
    ],
)
def test_a_relevance_that_is_none_is_refused(relevance, message):
    with pytest.raises(ValueError, match=message):
        RelevanceLoss(relevance)


def test_a_label_beyond_the_relevance_is_named():
    a = unit_rows(3, 4, 0)
    labels = torch.tensor([0, 1, 5])
    with pytest.raises(ValueError, match="label 5 has no row in a relevance of shape"):
        RelevanceLoss(np.eye(2))(a, a, labels, labels)


def test_second_derivatives_are_refused_rather_than_wrong():
    a, b = unit_rows(5, 4, 0), unit_rows(5, 4, 1)
    (grad,) = torch.autograd.grad(MarginLoss()(a, b), a, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad.sum().backward()


def test_a_module_of_ones_own_is_copied():
    own = MarginLoss(0.2)
    made = make_loss(own, margin=1.0, temperature=0.1)
    assert made is not own
    assert made.margin == 0.2


def test_an_unknown_loss_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"loss must be one of 'margin'.* got 'hinge'"):
        make_loss("hinge", margin=1.0, temperature=0.1)
