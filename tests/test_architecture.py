"""The house stays one picture: imports go one way, `--help` is light, nothing is larger than it should be."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lolblur_synth

PACKAGE = Path(lolblur_synth.__file__).parent
LAYERS = [  # each may import from those above it, and within its own line
    {"caches", "errors", "events", "files", "threads", "clock", "kernel_cache", "lanes", "signals"},
    {"links", "yaml_reader"} | {f"video.{name}" for name in ("content", "kinds", "matroska", "metadata", "series")},
    {"config", "devices", "ops.color", "targets", "converting"},
    {"video.headers", "video.icc", "video.images", "video.tiff", "draws", "sequences", "scenes"},
    {"nets.memory", "nets.products"},
    {"nets.fac_compiled", "nets.prelu", "nets.winograd"},
    {"nets.fac", "nets.released", "nets.checkpoints", "metrics"},
    {f"nets.{name}" for name in ("catalogue", "ec_zero_dce", "lednet", "lpips", "rife", "vgg")},
    {"nets.rife_ncnn"},
    {"nets.weights", "scores"},
    {"ops.lanczos"},
    {"ops.anscombe", "ops.flow", "ops.layers", "ops.moments", "ops.refine", "ops.rife", "ops.rife_ncnn"},
    {"ops.bm4d", "ops.noise_level"},
    {
        f"ops.vbm4d.{name}"
        for name in ("transforms", "trajectories", "blocks", "volumes", "groups", "filters", "tensors", "stages")
    },
    {
        "ops.average",
        "ops.darken",
        "ops.defocus",
        "ops.deflicker",
        "ops.denoise",
        "ops.dim",
        "ops.interpolate",
        "ops.noise",
        "ops.unclip",
    },
    {"dataset", "interpolators"}
    | {f"video.{name}" for name in ("color", "geometry", "find", "stream", "probe", "timeline", "flaws")}
    | {f"video.{name}" for name in ("advice", "boxes", "decoder_log", "flicker", "pyav", "rates", "second_look")}
    | {f"video.{name}" for name in ("scan", "scan_cache", "stored", "reader", "writer")},
    {"pipeline", "records"},
    {"manifest", "publish", "verify"},
    {"output"},
    {"restoring"},
    {
        f"train.{name}"
        for name in ("config", "data", "losses", "lednet_losses", "loop", "folder", "watch", "pair_files")
    },
    {"train.decoded"},
    {"train.pairs"},
    {"train.lednet_run", "train.validation"},
    {"card", "plan", "demo", "doctor", "darkening", "denoised_cache", "denoising"},
    {"interpolating"},
    {"evaluation", "weights_store", "export", "train.ecdce", "train.lednet"},
    {"maker"},
    {"runner"},
    {"progress", "tables"},
    {f"commands.{name}" for name in ("options", "dataset", "footage", "machine", "networks")},
    {"cli"},
    {"__main__"},
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}
MAY_READ_CONFIG = {
    "commands.options",
    "commands.machine",
    "commands.networks",
    "runner",
    "maker",
    "pipeline",
    "plan",
    "output",
    "records",
    "card",
    "draws",
    "sequences",
    "doctor",
} | {f"train.{name}" for name in ("config", "folder", "data", "loop", "ecdce", "lednet_run", "lednet")}


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py"
    }


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lolblur_synth"):
            base = node.module.removeprefix("lolblur_synth").lstrip(".")
            names = [".".join(filter(None, (base, alias.name))) for alias in node.names]
            found |= {name if name in modules() else base for name in names} - {""}
    return found


def test_every_module_has_its_place():
    assert set(modules()) == set(RANK)


@pytest.mark.parametrize("module", modules())
def test_imports_go_one_way(module: str):
    upwards = {other for other in imports_of(modules()[module]) if RANK[other] > RANK[module]}
    assert not upwards


def test_operators_and_networks_never_see_the_config():
    assert {module for module, path in modules().items() if "config" in imports_of(path)} <= MAY_READ_CONFIG


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


def test_the_order_of_the_method_fits_on_one_screen():
    tree = ast.parse((PACKAGE / "pipeline.py").read_text())
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
