"""LEDNet as ONNX."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from lolblur_synth.apps.export_onnx import TOLERANCE, export, largest_difference
from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from tests.support.lednets import narrow_lednet, save_lednet

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    weights, out = save_lednet(folder / "net.safetensors"), folder / "net.onnx"
    result = CliRunner().invoke(cli, ["export", "--weights", str(weights), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx", "net.safetensors"]
    return out


def test_the_file_is_the_network_at_any_size(exported: Path) -> None:
    session, net = onnxruntime.InferenceSession(exported), narrow_lednet()
    for height, width in ((64, 64), (77, 130)):
        dark = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        restored, side = session.run(None, {"dark": dark.numpy()})
        for found, wanted in zip((restored, side), net(dark), strict=True):
            np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_what_stands_in_the_way_is_told_before_any_work(tmp_path: Path) -> None:
    weights = str(save_lednet(tmp_path / "net.safetensors"))
    there = tmp_path / "there.onnx"
    there.write_bytes(b"mine")
    for out, told in (
        (there, "exists; name another file, or overwrite"),
        (tmp_path / "net.pth", r"name a file that ends in \.onnx"),
        (tmp_path / "no" / "net.onnx", "does not exist; make it first"),
    ):
        with pytest.raises(UserError, match=told):
            export(weights, out)
    assert there.read_bytes() == b"mine"


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lolblur_synth.apps.export_onnx.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match=r"needs onnxscript; pip install 'lolblur-synth\[onnx\]'"):
        export("net.safetensors", tmp_path / "net.onnx")


def test_a_graph_of_something_else_is_not_written(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lolblur_synth.apps.export_onnx.write_graph", lambda _, path: shutil.copy(exported, path))
    other = save_lednet(tmp_path / "other.safetensors", seed=3)
    with pytest.raises(UserError, match="onnxruntime differs from the network by"):
        export(str(other), tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["other.safetensors"]
    assert largest_difference(narrow_lednet(), exported) <= TOLERANCE < largest_difference(narrow_lednet(3), exported)
