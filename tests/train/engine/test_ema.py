import torch

from lolblur_synth.train.engine.ema import update_ema


def test_averaged_weights_follow_the_closed_form():
    """After n steps they are d^n a + sum (1 - d) d^(n - k) w_k."""
    generator = torch.Generator().manual_seed(0)
    average, net = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    first = average.weight.detach().clone()
    seen = []
    for _ in range(5):
        with torch.no_grad():
            net.weight.normal_(generator=generator)
        seen.append(net.weight.detach().clone())
        update_ema(average, net, 0.8)
    wanted = 0.8**5 * first + sum(0.2 * 0.8 ** (4 - k) * weight for k, weight in enumerate(seen))
    torch.testing.assert_close(average.weight, wanted)
