import pytest

from lolblur_synth.config.loading import load, to_yaml
from lolblur_synth.config.training import TrainECDCE, TrainLEDNet
from lolblur_synth.core.errors import UserError


@pytest.mark.parametrize(
    ("assignment", "part"),
    [
        ("steps=0", "steps"),
        ("learning_rate=0", "learning_rate"),
        ("learning_rate=nan", "learning_rate"),
        ("last_learning_rate=1e-3", r"last_learning_rate \(0.001\) is above learning_rate \(0.0001\)"),
        ("crop=32", r"crop \(32\) is too small for VGG19; make it 64 or more, or perceptual 0"),
        ("crop=8", "crop"),
        ("net.channels=[8,8,8]", "net.channels"),
        ("net.channels=[8,8,8,2]", "net.channels"),
        ("betas=[0.9,1.0]", "betas"),
        ("ema=1", "ema"),
        ("precision=fp8", "precision"),
        ("workers=-1", "workers"),
        ("workers=many", "workers"),
        ("learningrate=1", "learningrate.*learning_rate"),
    ],
)
def test_faults_of_a_restoration_training_are_named(assignment, part):
    with pytest.raises(UserError, match=part):
        load(TrainLEDNet, [], [assignment])


def test_a_small_crop_needs_no_vgg19_where_the_loss_does_without():
    assert load(TrainLEDNet, [], ["crop=32", "perceptual=0"]).crop == 32


@pytest.mark.parametrize("kind", [TrainECDCE, TrainLEDNet])
def test_yaml_round_trip(kind, tmp_path):
    config = load(kind, [], ["seed=7", "steps=3"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load(kind, [str(tmp_path / "config.yaml")]) == config


@pytest.mark.parametrize("preset", ["train_lednet", "train_lednet_small"])
def test_presets_load(preset):
    config = load(TrainLEDNet, [preset])
    assert (config.perceptual > 0) == (preset == "train_lednet")


def test_the_preset_of_the_paper_is_exactly_the_defaults():
    assert load(TrainLEDNet, ["train_lednet"]) == TrainLEDNet()
