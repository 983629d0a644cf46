from pathlib import Path

import platformdirs
import pytest

from lolblur_synth.core.caches import cache_dir


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "kept"))
    assert cache_dir() == tmp_path / "kept"
    assert cache_dir("scans") == tmp_path / "kept/scans"
    assert not (tmp_path / "kept").exists()


def test_a_tilde_is_the_home(monkeypatch):
    monkeypatch.setenv("LOLBLUR_CACHE", "~/kept")
    assert cache_dir() == Path.home() / "kept"


def test_else_it_is_that_of_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("LOLBLUR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir("scans") == Path(platformdirs.user_cache_dir("lolblur_synth"), "scans")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    """As one of a container."""
    monkeypatch.delenv("LOLBLUR_CACHE", raising=False)

    def no_home(name: str) -> str:
        raise RuntimeError("Could not determine home directory.")

    for answer in (no_home, lambda name: "~/.cache"):
        monkeypatch.setattr(platformdirs, "user_cache_dir", answer)
        with pytest.raises(OSError, match="set LOLBLUR_CACHE to a folder"):
            cache_dir()
