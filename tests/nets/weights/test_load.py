import json
import struct

import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.checkpoint import read_checkpoint, save_weights
from lolblur_synth.nets.weights.load import load_ec_zero_dce, load_lednet
from tests.support.lednets import narrow_lednet, released_lednet


def small_net() -> ECZeroDCE:
    torch.manual_seed(0)
    return ECZeroDCE(3, 2, 4, context=True)


def test_round_trip(tmp_path):
    path, net = tmp_path / "net.safetensors", small_net()
    digest = save_weights(path, net, {"config": {"steps": 3}})
    again, found = load_ec_zero_dce(str(path), torch.device("cpu"))
    assert found == digest
    assert again.arguments() == net.arguments()
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in again.state_dict().items())
    assert read_checkpoint(path).metadata["config"] == {"steps": 3}
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_bundled_weights_load_and_are_small():
    net, digest = load_ec_zero_dce("ec_zero_dce")
    assert len(digest) == 64
    assert sum(p.numel() for p in net.parameters()) < 250_000


@pytest.mark.parametrize("wrap", ["bare", "params", "module"])
def test_released_checkpoint_loads(wrap, released_state, tmp_path):
    content = {"bare": released_state, "params": {"params": released_state}}.get(
        wrap, {f"module.{key}": value for key, value in released_state.items()}
    )
    torch.save(content, tmp_path / "ce_zerodce.pth")
    net, _ = load_ec_zero_dce(str(tmp_path / "ce_zerodce.pth"))
    assert net.arguments() == {"width": 256, "iterations": 10, "scale": 1, "context": False}
    assert torch.equal(net.e_conv7.weight, released_state["e_conv7.weight"])


def test_released_checkpoint_loads_by_its_name_in_the_cache(released_state, tmp_path, monkeypatch):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=r"weights ce_zerodce: not in .*; get them by downloading"):
        load_ec_zero_dce("ce_zerodce")
    torch.save(released_state, tmp_path / "ce_zerodce.pth")
    net, digest = load_ec_zero_dce("ce_zerodce")
    assert torch.equal(net.e_conv7.weight, released_state["e_conv7.weight"])
    assert digest == load_ec_zero_dce(str(tmp_path / "ce_zerodce.pth"))[1]


def test_another_network_is_told_from_this_one(tmp_path):
    torch.save({"params": {"encoder.weight": torch.zeros(3, 2)}}, tmp_path / "lednet.pth")
    with pytest.raises(UserError, match=r"of another network: lacks e_conv1.weight \(256, 1, 3, 3\).*more"):
        load_ec_zero_dce(str(tmp_path / "lednet.pth"))


def test_wrong_shapes_are_named(released_state, tmp_path):
    torch.save({**released_state, "e_conv7.bias": torch.zeros(8)}, tmp_path / "eight.pth")
    with pytest.raises(UserError, match=r"e_conv7.bias is \(8,\), not \(10,\)"):
        load_ec_zero_dce(str(tmp_path / "eight.pth"))


def test_values_that_are_not_finite_are_refused(tmp_path):
    net = small_net()
    torch.nn.init.constant_(net.e_conv7.bias, float("nan"))
    save_weights(tmp_path / "nan.safetensors", net, {})
    with pytest.raises(UserError, match="not all values are finite"):
        load_ec_zero_dce(str(tmp_path / "nan.safetensors"))


class NotTensors:
    """Anything that only a full unpickling would make."""


def test_a_pickle_of_code_is_not_opened(tmp_path):
    torch.save({"params": NotTensors()}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="holds more than tensors"):
        load_ec_zero_dce(str(tmp_path / "code.pth"))


@pytest.mark.parametrize("content", [[1, 2], {"params": {"step": 3}}, torch.zeros(2)])
def test_a_pickle_of_other_values_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match="holds no tensors by name"):
        load_ec_zero_dce(str(tmp_path / "other.pth"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("part", [0, 7, 100, -50])
def test_truncated_files_are_refused(suffix, part, tmp_path):
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    if suffix == ".pth":
        torch.save(small_net().state_dict(), whole)
    else:
        save_weights(whole, small_net(), {})
    path.write_bytes(whole.read_bytes()[:part])
    with pytest.raises(UserError, match=f"part{suffix}: (damaged|holds more)"):
        load_ec_zero_dce(str(path))


def test_safetensors_of_something_else_are_refused(tmp_path):
    other = {"__metadata__": {"lolblur_synth": json.dumps({"network": "lednet", "arguments": {}})}}
    cases = ({}, "does not say"), ({"__metadata__": {"format": "pt"}}, "does not say"), (other, "holds lednet, not")
    for header, message in cases:
        data = json.dumps(header).encode()
        (tmp_path / "other.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)
        with pytest.raises(UserError, match=message):
            load_ec_zero_dce(str(tmp_path / "other.safetensors"))


def test_the_same_weights_make_the_same_file(tmp_path):
    """The sha256 of weights is part of what tells whether a sequence must be made again."""
    metadata = {f"key {number}": number for number in range(20)}
    digests = {save_weights(tmp_path / f"{number}.safetensors", small_net(), metadata) for number in range(5)}
    assert len(digests) == 1


def test_arguments_that_make_no_network_are_named(tmp_path):
    net = small_net()
    save_weights(tmp_path / "odd.safetensors", net, {"arguments": {"width": 3, "depth": 9}})
    with pytest.raises(UserError, match=r"arguments .*depth.* make no network"):
        load_ec_zero_dce(str(tmp_path / "odd.safetensors"))


def test_missing_files_and_names(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_ec_zero_dce(str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"no such name, and no .safetensors or .pth file; choose from ec_zero_dce, "):
        load_ec_zero_dce("zero")


@pytest.mark.parametrize(("name", "signed"), [("lednet.pth", False), ("lednet_retrain_500000.pth", True)])
def test_released_lednets_load_by_the_units_that_their_names_tell(name, signed, tmp_path):
    state = released_lednet()
    torch.save({"params": state}, tmp_path / name)
    net, digest = load_lednet(str(tmp_path / name))
    assert net.arguments() == {"channels": [32, 64, 128, 128], "signed": signed}
    assert torch.equal(net.tail.weight, state["D_block0.1.weight"])
    assert torch.equal(net.encoder[0].down.low_pass, state["E_block1.2.reshape_conv.top.4.filt"])
    assert len(digest) == 64
    assert not net.training


@pytest.mark.parametrize("signed", [False, True])
def test_lednet_round_trip_keeps_its_units(signed, tmp_path):
    path, net = tmp_path / "net_retrain.safetensors", LEDNet((4, 4, 4, 8), signed=signed)
    digest = save_weights(path, net, {})
    again, found = load_lednet(str(path))
    assert found == digest
    assert read_checkpoint(path).metadata["arguments"] == {"channels": [4, 4, 4, 8], "signed": signed}
    assert again.arguments() == net.arguments()
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in again.state_dict().items())


def test_lednet_is_told_from_other_networks(released_state, tmp_path):
    torch.save(released_state, tmp_path / "ce_zerodce.pth")
    with pytest.raises(UserError, match=r"of another network: lacks stem.weight \(32, 3, 3, 3\).*more"):
        load_lednet(str(tmp_path / "ce_zerodce.pth"))
    save_weights(tmp_path / "ec.safetensors", small_net(), {})
    with pytest.raises(UserError, match="holds ec_zero_dce, not lednet"):
        load_lednet(str(tmp_path / "ec.safetensors"))
    save_weights(tmp_path / "lednet.safetensors", narrow_lednet(), {"arguments": {"channels": [4, 4, 4]}})
    with pytest.raises(UserError, match="are not four numbers of 4 or more"):
        load_lednet(str(tmp_path / "lednet.safetensors"))
