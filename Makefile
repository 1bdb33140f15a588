# Two commands: `make demo` and `make test`. Both install what they need, and say so first.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check lint bench clean install

install: $(STAMP)

$(STAMP): setup.py pyproject.toml scripts/install.sh
	@PYTHON="$(PYTHON)" scripts/install.sh $(VENV)
	@touch $@

demo: $(STAMP) ## a real Kubernetes, a real system on it, operated by the sds verbs
	@$(BIN)/python examples/demo.py $(DEMO_ARGS)

lint: $(STAMP)
	@echo "== ruff"; $(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .
	@echo "== mypy --strict"; $(BIN)/mypy
	@echo "== import rules"; $(BIN)/lint-imports --no-logo | tail -n 2

check: lint ## lint, types, import rules, unit tests: below a minute
	@$(BIN)/pytest -q --collect-only tests >/dev/null || $(BIN)/pytest -q --collect-only tests
	@$(BIN)/pytest -q tests/unit

test: lint ## everything, the cluster suite on a lab of its own (named "test") included
	@echo "== tests: unit, boundary, packaging, then two labs: life (the lab's own tests) and test (the demo system)"
	@# The machine may be busy: what fails is run once more, and named as RERUN at the end.
	@$(BIN)/pytest tests --reruns 1 -r fEsR $(TEST_ARGS)
	@echo "Try next: make demo, or SDSK8S_KEEP_LAB=1 make test to keep the test lab between runs"

bench: $(STAMP) ## side by side with kubectl, as ratios
	@echo "== installing matplotlib, which draws docs/performance.svg"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[bench]' --config-settings editable_mode=compat
	@$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean: ## what make made here; labs are ended by `sdsk8s lab down --purge`
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
