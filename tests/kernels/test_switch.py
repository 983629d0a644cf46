"""One switch, LOLBLUR_KERNELS, between compiled kernels and plain torch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lolblur_synth.core.errors import UserError
from lolblur_synth.kernels import fac_compiled, prelu, winograd
from lolblur_synth.kernels.switch import kernels_enabled, runs_compiled
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.rife import IFNet

Net = Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def lednet() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return LEDNet((32, 32, 32, 32)), (images(1, 3, 64, 64),)


def ec_zero_dce() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return ECZeroDCE(width=32, iterations=2), (images(1, 1, 40, 40), torch.full((1, 1, 40, 40), 0.1))


def rife() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return IFNet("4.0"), (images(3, 112, 112), images(3, 112, 112).flip(2), torch.tensor([0.5]))


def values(make: Net) -> list[Tensor]:
    """Outputs of a seeded network, and the gradients of its weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, inputs = make()
    with torch.set_grad_enabled(not isinstance(net, IFNet)):  # RIFE is not trained here
        found = net(*inputs)
    outputs = [found] if isinstance(found, Tensor) else list(found)
    weights = [] if isinstance(net, IFNet) else list(net.parameters())
    return outputs + list(torch.autograd.grad([out.mean() for out in outputs], weights)) if weights else outputs


def no_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """All compiled code of networks is run by `on_torch_threads`."""

    def refuse(*_: object) -> None:
        raise AssertionError("compiled code was run")

    for module in (fac_compiled, prelu, winograd):
        monkeypatch.setattr(module, "on_torch_threads", refuse)


@pytest.mark.parametrize("make", [lednet, ec_zero_dce, rife])
def test_networks_give_the_same_by_plain_torch(make, monkeypatch):
    compiled = values(make)
    monkeypatch.setenv("LOLBLUR_KERNELS", "torch")
    no_compiled_code(monkeypatch)
    plain = values(make)
    assert len(compiled) == len(plain)
    for one, other in zip(compiled, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4 * max(1, float(other.detach().abs().max())))
    monkeypatch.delenv("LOLBLUR_KERNELS")
    with pytest.raises(AssertionError, match="compiled code was run"):
        values(make)


@pytest.mark.parametrize(("value", "enabled"), [(None, True), ("", True), ("compiled", True), ("torch", False)])
def test_the_variable_decides(value, enabled, monkeypatch):
    monkeypatch.delenv("LOLBLUR_KERNELS", raising=False)
    if value is not None:
        monkeypatch.setenv("LOLBLUR_KERNELS", value)
    assert kernels_enabled() is enabled
    assert runs_compiled(images(1, 2)) is enabled


def test_another_value_is_refused(monkeypatch):
    monkeypatch.setenv("LOLBLUR_KERNELS", "cuda")
    with pytest.raises(UserError, match="LOLBLUR_KERNELS is 'cuda'"):
        kernels_enabled()


def test_what_compiled_code_cannot_take_is_left_to_torch():
    assert not runs_compiled(images(2), images(2).double())
    assert not runs_compiled(images(2).to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not runs_compiled(images(2))
