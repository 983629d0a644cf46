import json
import pickle
from pathlib import Path

import pytest
import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.weights.checkpoint import load_strictly, read_checkpoint, save_weights
from tests.support.disks import small_files
from tests.support.lednets import narrow_lednet


class Touch:
    """Whoever unpickles this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("plain", [False, True])
def test_a_pickle_of_code_is_refused_and_not_run(plain, tmp_path):
    path, trace = tmp_path / "net.pth", tmp_path / "trace"
    if plain:
        path.write_bytes(pickle.dumps({"params": Touch(trace)}, protocol=2))
    else:
        torch.save({"params": Touch(trace), "weight": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="holds more than tensors, so it is not opened"):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_truncation_is_refused(suffix, tmp_path):
    whole, path = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    net = narrow_lednet()
    if suffix == ".pth":
        torch.save(net.state_dict(), whole)
    else:
        save_weights(whole, net, {})
    data = whole.read_bytes()
    for part in (0, 1, 9, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:part])
        with pytest.raises(UserError, match=f"part{suffix}: (damaged|holds more)"):
            read_checkpoint(path)


def test_another_network_is_told_by_the_first_differences(tmp_path):
    net = narrow_lednet()
    state = net.state_dict()
    state["odd.weight"] = torch.zeros(2, 3)
    state["tail.bias"] = torch.zeros(4)
    del state["side.bias"]
    faults = r"lacks side.bias \(3,\); has unknown odd.weight \(2, 3\); tail.bias is \(4,\), not \(3,\); give weights"
    with pytest.raises(UserError, match=faults):
        load_strictly(net, state, Path("net.pth"), "LEDNet")
    with pytest.raises(UserError, match=r"lacks stem.weight.*; lacks .*; and \d+ more; give weights of LEDNet"):
        load_strictly(net, {}, Path("net.pth"), "LEDNet")


def test_a_full_disk_leaves_the_previous_file(tmp_path):
    path, net = tmp_path / "net.safetensors", narrow_lednet()
    save_weights(path, net, {"step": 1})
    before = path.read_bytes()
    told = r"net\.safetensors: cannot be written: File too large; make room"
    with small_files(len(before) // 2), pytest.raises(UserError, match=told):
        save_weights(path, net, {"step": 2})
    assert path.read_bytes() == before
    assert read_checkpoint(path).metadata["step"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot be written: No such file"):
        save_weights(tmp_path / "none" / "net.safetensors", narrow_lednet(), {})


@pytest.mark.parametrize(
    "metadata", ["[" * 100_000, "{", "[]", "9" * 5000, "\ud800", json.dumps("text"), json.dumps({"a": 1}) + "x"]
)
def test_metadata_that_are_damaged_are_told(metadata, tmp_path):
    header = json.dumps({"__metadata__": {"lolblur_synth": metadata}}).encode()
    for data in (len(header).to_bytes(8, "little") + header, len(metadata).to_bytes(8, "little") + b"[" * 100_000, b""):
        (tmp_path / "a.safetensors").write_bytes(data)
        with pytest.raises(UserError, match=r"does not say which network it holds|damaged or not safetensors"):
            read_checkpoint(tmp_path / "a.safetensors")
