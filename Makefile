# `make demo` and `make test` set everything up by themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LOCK := .ci/lock.txt
OUT ?= demo

.PHONY: demo test test-newest test-oldest slow faults lint lock bench peers gpu learn ablation weights clean

demo: $(INSTALLED)
	$(BIN)/lolblur-synth demo --out $(OUT)

# The networks again as on a processor with narrow registers, which others differ from.
test: $(INSTALLED)
	$(BIN)/pytest
	NUMBA_ENABLE_AVX=0 $(BIN)/pytest tests/kernels tests/nets

# The demo and what must hold everywhere, with the newest and the lowest versions that pyproject.toml allows, in
# environments of their own; the latter on 3.11, for which there are such old wheels.
test-newest:
	.ci/try $(PYTHON) newest

test-oldest:
	.ci/try $(PYTHON) oldest

# Tests of minutes: `make test` leaves them out.
slow: $(INSTALLED)
	$(BIN)/pytest -m slow

# Kills, signals, disks that refuse, mutants, hostile names and files, by hundreds: ten minutes on two cores.
faults: $(INSTALLED)
	$(BIN)/python -m tests.faults

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)
	$(BIN)/python tests/bench/pair.py
	$(BIN)/python -m tests.bench.scan
	$(BIN)/python tests/bench/denoise.py
	$(BIN)/python tests/bench/interpolation.py
	$(BIN)/python tests/bench/darkening.py
	$(BIN)/python tests/bench/lednet.py
	$(BIN)/python tests/bench/loader.py
	$(BIN)/python -m tests.bench.pack
	$(BIN)/python -m tests.bench.highlights
	$(BIN)/python -m tests.bench.report
	$(BIN)/python -m tests.bench.overhead
	$(BIN)/python -m tests.bench.planned
	$(BIN)/python -m tests.bench.manifest
	$(BIN)/python -m tests.bench.dask_cluster

# Beside others that run on a processor, in an environment of their own, build/peers, of Python 3.12 or newer.
peers: $(INSTALLED)
	$(BIN)/python -m tests.bench.peers

# What a CUDA device makes beside the CPU, and how fast, in a table: build/gpu.md, or OUT=FILE. Without one, the CPU's half.
gpu: $(INSTALLED)
	$(BIN)/python -m tests.gpu --out $(if $(filter file,$(origin OUT)),build/gpu.md,$(OUT))

# From real clips to a network that has learned from their pairs: about a quarter of an hour on two cores.
learn: $(INSTALLED)
	mkdir -p build/learning
	$(BIN)/python tests/bench/learning.py build/learning

# What each step of the synthesis is worth to a network: it takes hours, and goes on where it was stopped.
ablation: $(INSTALLED)
	$(BIN)/python -m tests.bench.ablation build/ablation

# Trains the bundled darkening weights again, on the photographs that lolblur_synth/nets/weights/bundled/ec_zero_dce.md lists:
# those of Debian's package under CC0 and CC BY, and scikit-image's.
WALLPAPERS := aitzgorri_by_Aitzol_Berasategi friends_by_Aitzol_Berasategi life_by_Aitzol_Berasategi \
	picosdeeuropa_by_Aitzol_Berasategi Picture_0B_by_freespace Picture_1A_by_freespace \
	seeding_by_Clements_Engelhardt sunset_by_Aitzol_Berasategi umang_by_Abhishek_Mudgal Wine_by_Jakkub_Mede
SKIMAGE := astronaut.png chelsea.png coffee.png retina.jpg rocket.jpg

weights: $(INSTALLED)
	rm -rf build/debian build/photographs
	mkdir -p build/debian build/photographs
	cd build/debian && apt-get download lomiri-wallpapers-16.04 && dpkg-deb -x lomiri-wallpapers-16.04_*.deb .
	for name in $(WALLPAPERS); do cp build/debian/usr/share/backgrounds/$$name.jpg build/photographs/; done
	data=$$($(BIN)/python -c "import skimage.data; print(skimage.data.__path__[0])"); \
	for name in $(SKIMAGE); do cp $$data/$$name build/photographs/; done
	$(BIN)/lolblur-synth train-ecdce --config train_ecdce --images build/photographs --out build/ec_zero_dce

$(INSTALLED): pyproject.toml $(LOCK)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable ".[dev]"
	touch $@

# Locks the newest versions for every Python, on any; torch stays until its line is changed, and brings what it needs
# for GPUs by itself, which differs between its builds. Packages come from where pip takes them.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	index=$${PIP_INDEX_URL:-$$(build/lock/bin/python -m pip config get global.index-url 2> /dev/null || true)}; \
	build/lock/bin/uv pip compile --quiet --universal --upgrade --upgrade-package "$$(grep ^torch== $(LOCK))" \
		--extra dev --no-header --no-annotate $${index:+--default-index "$$index"} --no-emit-index-url \
		--output-file $(LOCK) pyproject.toml
	sed -i -E '/^(cuda|nvidia)-|^triton==/d' $(LOCK)

clean:
	rm -rf .venv build dist demo .pytest_cache .mypy_cache .ruff_cache
