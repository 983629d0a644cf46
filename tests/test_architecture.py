"""The house stays one picture, as far as import-linter cannot see: who knows BGR and codecs, what `--help` loads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import lolblur_synth

PACKAGE = Path(lolblur_synth.__file__).parent


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def test_one_file_knows_bgr_and_one_wing_codecs():
    sources = {module: path.read_text() for module, path in modules().items()}
    assert {module for module, text in sources.items() if "BGR" in text} <= {"video.images"}
    codecs = {module for module, text in sources.items() if "import av\n" in text}
    assert all(module.startswith("video.") for module in codecs)


def test_help_is_light():
    code = (
        "import sys, lolblur_synth.cli.main as c\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(c.cli, ['run', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'cv2', 'numpy', 'pydantic', 'rich', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_load_without_torch():
    code = (
        "import sys, lolblur_synth.config.loading\n"
        "heavy = {'torch', 'cv2', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_order_of_the_method_fits_on_one_screen():
    tree = ast.parse((PACKAGE / "synthesis/pipeline.py").read_text())
    synthesize = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "synthesize")
    assert synthesize.end_lineno - synthesize.lineno < 60


def test_nothing_depends_on_how_python_starts_processes_by_default():
    """Before 3.14 it forks, which copies locks that other threads hold; from then on it does not."""
    asked = re.compile(
        r"\bget_context\(\)|\bset_start_method\b|\bSyncManager\(\)|\bmultiprocessing\.(?!managers\b|connection\b)\w+\("
    )
    assert {module for module, path in modules().items() if asked.search(path.read_text())} == set()
    given = re.compile(r"^\s*from multiprocessing import (.+)$", re.MULTILINE)
    names = {
        name for path in modules().values() for line in given.findall(path.read_text()) for name in line.split(", ")
    }
    assert names <= {"active_children", "get_context", "parent_process", "resource_tracker"}
