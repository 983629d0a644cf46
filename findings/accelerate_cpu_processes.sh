#!/usr/bin/env bash
# accelerate 1.15.0: `accelerate launch --cpu --num_processes 2` starts one process, exits 0 and does not say that it took
# the number away; torch's own launcher (2.13.0) starts two, which Accelerator(cpu=True) joins by gloo. Whoever measures the
# first as "two processes" measures one with the batch of one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 accelerate==1.15.0 2> /dev/null
cd "$folder"
export HF_HOME="$folder"
cat > tell.py << 'PYTHON'
import accelerate

here = accelerate.Accelerator(cpu=True)
print(f"process {here.process_index} of {here.num_processes}", flush=True)
here.end_training()
PYTHON
env/bin/accelerate launch --cpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no \
	--num_cpu_threads_per_process 1 tell.py > launched 2> warned
env/bin/python -m torch.distributed.run --standalone --nproc_per_node 2 tell.py 2> /dev/null | sort > by_torch
echo "accelerate launch: $(cat launched); it warns of processes in $(grep -ci process warned || true) lines"
echo "torch.distributed.run: $(paste -sd, by_torch)"
[ "$(cat launched)" = "process 0 of 1" ]
[ "$(grep -ci process warned || true)" = 0 ]
[ "$(paste -sd, by_torch)" = "process 0 of 2,process 1 of 2" ]
