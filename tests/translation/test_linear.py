"""The first layer's product, whichever kernel does it."""

import pytest
import torch

from skxmodal.translation._linear import linear


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("transposed", [False, True])
def test_value_and_gradients_are_those_of_a_linear_layer(dtype, transposed):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    rows = draw(20, 33).T if transposed else draw(33, 20)
    ours = [rows.requires_grad_(), draw(7, 20).requires_grad_(), draw(7).requires_grad_()]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    pull = draw(33, 7)

    values = linear(*ours), torch.nn.functional.linear(*theirs)
    for value in values:
        (value * pull).sum().backward()

    torch.testing.assert_close(*values)
    for tensor, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(tensor.grad, other.grad)


def test_rows_that_need_no_gradient_get_none():
    rows = torch.ones(3, 2)
    weight = torch.ones(4, 2, requires_grad=True)
    linear(rows, weight, torch.zeros(4)).sum().backward()
    assert rows.grad is None
    assert torch.equal(weight.grad, torch.full((4, 2), 3.0))


def test_no_rows_give_no_rows_and_gradients_of_zero():
    weight, bias = torch.ones(4, 2, requires_grad=True), torch.zeros(4, requires_grad=True)
    value = linear(torch.ones(0, 2), weight, bias)
    assert value.shape == (0, 4)
    value.sum().backward()
    assert torch.equal(weight.grad, torch.zeros(4, 2))
    assert torch.equal(bias.grad, torch.zeros(4))
