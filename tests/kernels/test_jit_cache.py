"""Compiled code on disk: never stale, never needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import joblib
import numba
import numpy as np
import pytest

import lolblur_synth
from lolblur_synth.kernels import jit_cache
from lolblur_synth.kernels.jit import ZERO, clamp, jit
from lolblur_synth.kernels.jit_cache import KernelCache, folder, kernel_files

PACKAGE = Path(lolblur_synth.__file__).parent
PARTED = """
from lolblur_synth.kernels.jit_cache import KernelCache
from lolblur_synth.ops.denoise.vbm4d.transforms import FRACTIONS
from lolblur_synth.ops.denoise.vbm4d.transforms import whole_and_fraction
pixels, parts = whole_and_fraction(2.5)
print(pixels * FRACTIONS + parts - 2.5 * FRACTIONS, KernelCache.compiled)
"""


@jit
def limited(value: float) -> float:
    return clamp(value, 0.0, 1.0) + 1


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return tmp_path / "cache" / "kernels"


def compilations() -> int:
    """How often this is compiled when it is called by a process that has just started."""
    clamp(3.0, 0.0, 1.0)  # which is of the process, and counts but once
    before = KernelCache.compiled
    assert jit(limited.py_func)(3.0) == 2
    return KernelCache.compiled - before


def python(code: str, here: Path, **environment: str | Path) -> subprocess.CompletedProcess[str]:
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_CACHE", "LOLBLUR_"))}
    given = {"PYTHONPATH": str(PACKAGE.parent)} | {name: str(value) for name, value in environment.items()}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=here, env=cleared | given, capture_output=True, text=True, check=True)


def test_a_changed_callee_in_another_file_is_noticed(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "copy/lolblur_synth", ignore=shutil.ignore_patterns("weights", "photos"))
    changed = tmp_path / "copy/lolblur_synth/kernels/jit.py"
    source = changed.read_text()
    assert source.count("math.floor(value + HALF)") == 1

    def run() -> list[str]:
        return python(PARTED, tmp_path, PYTHONPATH=tmp_path / "copy", LOLBLUR_CACHE=tmp_path / "cache").stdout.split()

    assert run() == ["0.0", "2"]
    assert run() == ["0.0", "0"]
    changed.write_text(source.replace("math.floor(value + HALF)", "math.floor(value + HALF) + 1"))
    assert run() == ["1.0", "2"]


def test_all_is_looked_at_that_compiled_code_is_made_of():
    found = {str(path.relative_to(PACKAGE)) for path in kernel_files()}
    marked = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if "\n@jit\n" in path.read_text()}
    assert found >= marked | {"ops/lanczos.py", "core/threads.py"}  # constants of the former are compiled in
    assert len(marked) > 10
    assert not found & {"cli/main.py", "run/build_sequence.py", "video/scan.py"}


@pytest.mark.parametrize("package", ["numba", "llvmlite", "np"])
def test_another_version_of_a_compiler_has_a_folder_of_its_own(monkeypatch, package):
    before = folder()
    monkeypatch.setattr(getattr(jit_cache, package), "__version__", "0.0.1")
    assert folder() != before
    assert folder().parent == before.parent


def test_what_was_compiled_once_is_kept(place):
    assert [compilations(), compilations()] == [1, 0]
    assert len(list((place / folder().name).glob("limited-*"))) == 1


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-9], lambda data: data[:99] + b"?" + data[100:]]
)
def test_a_damaged_file_is_compiled_again(damage):
    compilations()
    (path,) = folder().glob("limited-*")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert compilations() == 1
    assert compilations() == 0


def test_numbas_own_variable_is_heeded(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    compilations()
    assert list((tmp_path / "numba/lolblur_synth" / folder().name).glob("limited-*"))
    assert not (tmp_path / "cache").exists()


def test_only_what_was_used_last_is_kept_of_other_versions(place):
    for age in range(12):
        old = place / f"{age:016x}"
        old.mkdir(parents=True)
        (old / "some.bin").write_bytes(b"")
        os.utime(old, (1e9 - age, 1e9 - age))
    (place / "notes").mkdir()
    compilations()
    assert {path.name for path in place.iterdir()} == {folder().name, "notes"} | {f"{age:016x}" for age in range(7)}


def test_without_a_place_for_it_code_is_compiled_each_time_and_told_once(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "file/cache"))
    assert [compilations(), compilations()] == [1, 1]
    (told,) = caplog.messages
    assert "cannot be kept" in told
    assert str(tmp_path / "file/cache/kernels") in told
    assert "LOLBLUR_CACHE" in told


def test_a_home_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    code = (
        "import numpy as np; from lolblur_synth.kernels.jit import *; "
        "print(clamp(np.float32(3), ZERO, ONE), round_half_up(2.6))"
    )
    told = python(code, tmp_path, HOME=tmp_path / "file", XDG_CACHE_HOME=tmp_path / "file/.cache")
    assert told.stdout.split() == ["1.0", "3"]
    assert told.stderr.startswith("compiled code cannot be kept, ")
    assert told.stderr.count("\n") == 1


def no_home(monkeypatch: pytest.MonkeyPatch, answer: str | Exception) -> None:
    monkeypatch.delenv("LOLBLUR_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", Mock(side_effect=[answer] * 9))


@pytest.mark.parametrize("answer", ["~/.cache/lolblur_synth", RuntimeError("could not determine the home directory")])
def test_a_user_without_a_home_has_no_folder(monkeypatch, answer):
    no_home(monkeypatch, answer)
    with pytest.raises(FileNotFoundError, match="no home"):
        folder()


def test_a_user_without_a_home_is_told(monkeypatch, caplog):
    no_home(monkeypatch, "~/.cache/lolblur_synth")
    assert compilations() == 1
    assert ["no home" in message for message in caplog.messages] == [True]


def run_in_worker(_: int) -> tuple[float, int]:
    return jit(limited.py_func)(0.5), KernelCache.compiled


def test_workers_share_it():
    results = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(run_in_worker)(n) for n in range(4))
    assert {value for value, _ in results} == {1.5}
    assert compilations() == 0
    assert not [path for path in folder().iterdir() if path.suffix != ".bin"]


def test_what_may_hold_any_values_is_not_kept():
    def adding(number: float):
        @jit
        def add(value: float) -> float:
            return value + number

        return add

    assert [adding(1.0)(1.0), adding(2.0)(1.0)] == [2, 3]
    assert not folder().exists()
    assert np.float32(0) == ZERO


def test_workers_do_not_tell_it_but_who_starts_them(tmp_path, monkeypatch, caplog):
    jit_cache.tell_where_workers_compile()
    assert caplog.messages == []
    assert not list(folder().iterdir())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "file/cache"))
    jit_cache.tell_where_workers_compile()
    assert ["cannot be kept" in message for message in caplog.messages] == [True]
    caplog.clear()
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "file/of_workers"))
    monkeypatch.setattr(jit_cache, "parent_process", lambda: "another")
    assert compilations() == 1
    assert caplog.messages == []
