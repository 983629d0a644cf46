"""What is installed: the wheel holds all that the package reads, and versions are locked for every Python."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
LOCK = ROOT / ".ci/lock.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_has_all_files_of_the_package_and_the_presets(wheel):
    package = {path.relative_to(ROOT) for path in (ROOT / "lolblur_synth").rglob("*") if path.is_file()}
    expected = {str(path) for path in package if "__pycache__" not in path.parts}
    expected |= {f"lolblur_synth/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected
    assert {Path(name).suffix for name in found} == {
        ".css", ".html", ".jpg", ".js", ".md", ".py", ".safetensors", ".typed", ".yaml"
    }  # fmt: skip


def test_what_is_installed_from_the_wheel_finds_its_presets_and_weights(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "from lolblur_synth.cli.main import cli\n"
        "from click.testing import CliRunner\n"
        "from lolblur_synth.apps.demo import PHOTOS\n"
        "from lolblur_synth.nets.weights.load import load_ec_zero_dce\n"
        "import lolblur_synth\n"
        "load_ec_zero_dce('ec_zero_dce', 'cpu')\n"
        "print(lolblur_synth.__file__, len(list(PHOTOS.glob('*.jpg'))))\n"
        "print(CliRunner().invoke(cli, ['config', 'presets']).output)\n"
    )
    (tmp_path / "elsewhere").mkdir()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", code]
    told = subprocess.run(
        command, cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith(f"{tmp_path}/installed/lolblur_synth/__init__.py 2\n")
    for preset in (ROOT / "configs").glob("*.yaml"):
        assert preset.stem in told


def direct() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = (text for extra in project["optional-dependencies"].values() for text in extra)
    return [Requirement(text) for text in (*project["dependencies"], *extras) if not text.startswith(project["name"])]


def locked(python: str) -> dict[str, str]:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"sys_platform": "linux", "platform_machine": "x86_64"}
    lines = [Requirement(line) for line in LOCK.read_text().splitlines()]
    pins = [line for line in lines if line.marker is None or line.marker.evaluate(environment)]
    assert len({line.name for line in pins}) == len(pins)
    return {canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in pins}


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_has_an_exact_version_within_the_range_of_each_dependency(python):
    pins = locked(python)
    for requirement in direct():
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_lock_is_of_packages_alone():
    text = LOCK.read_text()
    assert "\ntorch==2.13.0\n" in text
    assert not re.findall(r"://|@|--|\+|/|^(?:cuda|nvidia|triton)\b.*", text, re.MULTILINE)
    assert all(re.match(r"[a-z0-9-]+==[\w.]+( ; .+)?$", line) for line in text.splitlines())


def test_every_lower_bound_is_a_version_that_can_be_asked_for():
    bounds = [clause for requirement in direct() for clause in requirement.specifier if clause.operator == ">="]
    assert len(bounds) > 20
    told = subprocess.run(
        [sys.executable, ".ci/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert sorted(line.partition("==")[2] for line in told.splitlines()) == sorted(clause.version for clause in bounds)
