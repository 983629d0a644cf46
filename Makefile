# `make demo` and `make test` set everything up by themselves, in .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
OUT ?= demo

.PHONY: demo test test-slow lint bench weights clean

demo: $(INSTALLED)
	$(BIN)/lolblur-synth demo --out $(OUT)

test: $(INSTALLED)
	$(BIN)/pytest

test-slow: $(INSTALLED)
	$(BIN)/pytest -m "slow or not slow"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python tests/bench/pair.py
	$(BIN)/python tests/bench/interpolation.py
	$(BIN)/python tests/bench/darkening.py

# Trains the bundled darkening weights again, from Debian's photographs under free licences.
weights: $(INSTALLED)
	$(BIN)/python tests/bench/train_weights.py

$(INSTALLED): pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist demo .pytest_cache .mypy_cache .ruff_cache
