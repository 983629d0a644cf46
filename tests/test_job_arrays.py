"""The scripts of docs/job_arrays.md, run as they stand; what a scheduler would do is done by a few lines of shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.footage import SMALL, film

PAGE = (Path(__file__).parents[1] / "docs/job_arrays.md").read_text()
# `sbatch` as on an idle cluster: options become an environment, each task of an array is run, one after the other.
SBATCH = """#!/bin/bash
array=
for word in "$@"; do
  case $word in
    --wrap) wrapped=1 ;;
    -*) ;;
    *) command=$word ;;
  esac
done
export SLURM_SUBMIT_DIR=$PWD
if [ "$wrapped" ]; then bash -c "$command" >> log 2>&1 || echo "failed: $command" >> log
else
  range=$(sed -n 's/^#SBATCH.*--array=\\([0-9]*\\)-\\([0-9]*\\).*/\\1 \\2/p' "$command")
  for SLURM_ARRAY_TASK_ID in $(seq $range); do
    export SLURM_ARRAY_TASK_ID; bash "$command" >> log 2>&1 || echo "failed: task $SLURM_ARRAY_TASK_ID" >> log
  done
fi
echo 4711
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Path:
    """A folder with clips, and a PATH with a scheduler and the command, of small pictures and fewer shards."""
    film(tmp_path / "clips/a.mkv", seed=1)
    tools = tmp_path / "tools"
    tools.mkdir()
    small = " ".join(f"'{word}'" for word in SMALL)
    ours = (
        f'#!/bin/bash\nif [ "$1" = run ]; then set -- "$@" {small}; fi\nexec {sys.executable} -m lolblur_synth "$@"\n'
    )
    for name, script in {"sbatch": SBATCH, "srun": '#!/bin/bash\nexec "$@"\n', "lolblur-synth": ours}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("LOLBLUR_CACHE", os.environ.get("LOLBLUR_CACHE", ""))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_slurm(cluster):
    _, script, submit = blocks("sh")
    (cluster / "shards.sh").write_text(script.replace("1-8", "1-2").replace("SHARDS=8", "SHARDS=2"))
    subprocess.run(["bash", "-ec", submit], check=True, stdout=subprocess.DEVNULL)
    log = (cluster / "log").read_text()
    assert "failed" not in log, log
    assert len((cluster / "dataset/manifest.jsonl").read_text().splitlines()) == 4
    assert (cluster / "dataset/report.html").is_file()
    assert list((cluster / "cache/scans").glob("*.scan"))


def test_kubernetes(cluster, monkeypatch):
    job = yaml.safe_load(blocks("yaml")[0])
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (job["kind"], spec["completionMode"]) == ("Job", "Indexed")
    container = pod["containers"][0]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    (script,) = container["args"]
    assert f"/{spec['completions']}" in script
    monkeypatch.setenv("DATA", str(cluster))
    for index in range(2):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        subprocess.run([*container["command"], script.replace("/8", "/2")], check=True, capture_output=True)
    merged = subprocess.run(["lolblur-synth", "merge", cluster / "dataset"], check=True, capture_output=True, text=True)
    assert "2 sequences, 4 pairs" in merged.stdout
