import os
import signal
import threading

import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.train.engine.loop import (
    catch_interrupt,
    cosine,
    load_checkpoint,
    save_checkpoint,
    snapshot,
    standing_of,
)
from tests.support.disks import small_files


def test_cosine_rises_and_falls_from_peak_to_floor():
    rates = [cosine(step, 100, 2.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[50] == pytest.approx(1.01)
    assert rates[100] == pytest.approx(0.02)
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert cosine(0, 1, 2.0) == 2


def test_cosine_without_a_warm_up_begins_at_its_peak():
    rates = [cosine(step, 10, 2.0, floor=0.001, warm_up=0) for step in range(11)]
    assert rates[0] == 2
    assert rates[10] == pytest.approx(0.002)
    assert rates == sorted(rates, reverse=True)


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_interrupt_is_an_event_and_a_second_is_at_once(number):
    before = signal.getsignal(number)
    with catch_interrupt() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_signals_that_are_ignored_stay_so():
    """As SIGHUP does under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with catch_interrupt() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0.05)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_loop_ends_by_what_its_program_does_at_the_signal():
    def leave(number, frame):
        raise SystemExit(number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        with catch_interrupt() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5)
            with pytest.raises(SystemExit, match="15"):
                stop.end()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_signals_are_left_alone():
    seen = []

    def work() -> None:
        with catch_interrupt() as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


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
    assert standing_of(state).step == 3
    with pytest.raises(ValueError, match=r"validation errors? for Standing"):
        standing_of({**state, **change})
    with pytest.raises(KeyError):
        standing_of({})
