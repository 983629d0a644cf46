import torch

from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.weights.key_maps import lednet_state
from tests.support.lednets import released_lednet


def test_every_layer_of_the_released_lednet_has_its_name_here():
    with torch.device("meta"):
        wanted = {key: value.shape for key, value in LEDNet().state_dict().items()}
    assert {key: value.shape for key, value in lednet_state(released_lednet()).items()} == wanted


def test_unknown_keys_stay_so_that_they_can_be_told():
    assert list(lednet_state({"E_block9.0.weight": torch.zeros(1)})) == ["E_block9.0.weight"]
