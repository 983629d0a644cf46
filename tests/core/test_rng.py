import pytest
import torch

from lolblur_synth.core.rng import rng_for, torch_rng_for


def test_a_generator_is_a_function_of_seed_and_key():
    assert rng_for(1, "a", 2).random() == rng_for(1, "a", 2).random()
    others = {rng_for(*key).random() for key in ((1, "a", 2), (2, "a", 2), (1, "b", 2), (1, "a", 3), (1, "a"))}
    assert len(others) == 5


def test_keys_that_read_alike_when_joined_differ():
    drawn = {
        rng_for(0, *key).random() for key in (("ab", "c"), ("a", "bc"), ("a", 1), ("a", "1"), ('a", "b',), ("a", "b"))
    }
    assert len(drawn) == 6


def test_what_is_drawn_stays_what_it_was():
    """A dataset is made again from its seed: no release of ours or of NumPy may change these."""
    assert rng_for(0, "sequence", "exposure").integers(2**32) == 3001075755
    assert torch_rng_for(0, "sequence", "noise").initial_seed() == 711830223798584972


def test_the_global_generator_is_neither_drawn_from_nor_seeded():
    before = torch.get_rng_state()
    torch.rand(2, generator=torch_rng_for(0, "a"))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_seeds_of_settings_are_taken(seed):
    generator = torch_rng_for(seed, "a")
    assert generator.device.type == "cpu"
    assert torch.equal(torch.rand(3, generator=generator), torch.rand(3, generator=torch_rng_for(seed, "a")))
