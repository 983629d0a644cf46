import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.train.engine.state import load_checkpoint, progress_of, restoring, save_checkpoint, snapshot
from tests.support.disks import small_files


def test_a_snapshot_is_equal_and_keeps_no_memory_of_what_it_is_of():
    weights = torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last).requires_grad_()
    state = {
        "net": {"weight": weights},
        "groups": [{"params": [0, 1], "betas": (0.9, 0.99)}],
        "scaler": None,
        "best": 1.5,
    }
    kept = snapshot(state)
    with torch.no_grad():
        weights.zero_()
    state["groups"][0]["params"].append(2)
    assert torch.equal(kept["net"]["weight"], torch.ones(2, 3, 4, 5))
    assert kept["net"]["weight"].stride() == weights.stride()
    assert kept["groups"] == [{"params": [0, 1], "betas": (0.9, 0.99)}]
    assert (kept["scaler"], kept["best"]) == (None, 1.5)


def test_checkpoint_round_trip(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"net": {"weight": torch.ones(2)}, "step": 3, "best": 0.5, "history": [{"loss": 1.0}]})
    state = load_checkpoint(path, torch.device("cpu"))
    assert state["step"] == 3
    assert torch.equal(state["net"]["weight"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_missing_and_damaged_checkpoints(tmp_path):
    path = tmp_path / "last.pt"
    with pytest.raises(UserError, match="no checkpoint to resume from"):
        load_checkpoint(path, torch.device("cpu"))
    torch.save({"step": 3}, path)
    for data in (b"", b"junk", path.read_bytes()[:50]):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"last.pt: not a checkpoint that can be read"):
            load_checkpoint(path, torch.device("cpu"))
    torch.save([1], path)
    with pytest.raises(UserError, match="not a checkpoint of a training run"):
        load_checkpoint(path, torch.device("cpu"))


def test_a_disk_that_refuses_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "last.pt"
    for kept in ("there is none yet", "the one before is still there"):
        told = rf"last.pt: cannot be saved: File too large; {kept}; make room"
        with small_files(20_000), pytest.raises(UserError, match=told):
            save_checkpoint(path, {"net": torch.zeros(9000)})
        assert not list(tmp_path.glob(".*"))
        save_checkpoint(path, {"net": torch.ones(1)})
    assert torch.equal(load_checkpoint(path, torch.device("cpu"))["net"], torch.ones(1))


@pytest.mark.parametrize(
    "change",
    [
        {"step": "3"},
        {"step": -1},
        {"step": 1.0},
        {"best": None},
        {"history": {}},
        {"history": [1]},
        {"history": [{"a": "b"}]},
    ],
)
def test_how_far_a_training_was_is_checked(change):
    state = {"step": 3, "best": float("-inf"), "history": [{"step": 1, "loss": 0.5}]}
    assert progress_of(state).step == 3
    with pytest.raises(ValueError, match=r"validation errors? for Progress"):
        progress_of({**state, **change})
    with pytest.raises(KeyError):
        progress_of({})


def test_a_state_that_does_not_fit_is_told_with_its_file(tmp_path):
    with (
        pytest.raises(UserError, match=r"last\.pt: not a checkpoint of this run \('net'\); overwrite it"),
        restoring(tmp_path / "last.pt"),
    ):
        torch.nn.Linear(1, 1).load_state_dict({}["net"])
