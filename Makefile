# `make up` and `make test` need a Debian 12 or 13 with root, git and make: they install all the rest.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# So many files of tests at a time; 0: one after the other, in one process.
WORKERS := 2
DRILL_WORKERS := 4
# On VirtualBox machines that boot, each in a testbed of its own.
E2E := tests/virtualbox/e2e/test_vms.py tests/virtualbox/e2e/test_vagrant.py tests/contract
PARALLEL := --dist loadfile --no-loadscope-reorder --verbose
HOST_PACKAGES := python3-venv systemd-container mmdebstrap iproute2 openssh-client nftables util-linux

.PHONY: up test vbox-userland vbox-e2e incus-cluster lint types imports unit soak mutants bench matrix docs clean help

up: $(VENV)/.runtime ## Bring up the guide's lab and prove it
	$(BIN)/labbuilder up

test: $(VENV)/.dev lint types imports ## All tests, the real labs among them: the drills, then the rest, whatever came of the drills
	@drills=passed rest=passed; \
	$(BIN)/pytest -m measures --numprocesses $(DRILL_WORKERS) $(PARALLEL) --junitxml=build/tests/drills.xml || drills=FAILED; \
	$(BIN)/pytest -m "not measures" --numprocesses $(WORKERS) $(PARALLEL) --junitxml=build/tests/rest.xml || rest=FAILED; \
	echo "The drills: $$drills (build/tests/drills.xml). The rest: $$rest (build/tests/rest.xml)."; \
	test "$$drills $$rest" = "passed passed"

vbox-userland: $(VENV)/.dev ## VirtualBox's userland in a cached tree, for the tests that start no VM
	$(BIN)/python tests/support/userland.py

vbox-e2e: $(VENV)/.dev ## The lab on real VirtualBox machines that boot, in QEMU: no VT-x needed
	bash tests/virtualbox/testbed/e2e.sh $(E2E)

incus-cluster: $(VENV)/.dev ## A real Incus cluster of three members on this machine; tests/support/incus_cluster.py down removes it
	$(BIN)/python tests/support/incus_cluster.py up

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## Data flows one way
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## The tests that make no machine
	$(BIN)/pytest -m "not needs_root"

soak: $(VENV)/.dev ## Three labs brought up, drilled, killed, damaged at random: MINUTES=30; nightly
	$(BIN)/python tests/soak/soak.py --minutes $(or $(MINUTES),30)

mutants: $(VENV)/.dev ## A proven lab broken at random, one small thing at a time, and what verify sees of it: COUNT=200; nightly
	$(BIN)/python tests/mutants/mutants.py --count $(or $(COUNT),200)

bench: $(VENV)/.dev ## Times of up, again and down, against the hand-made floor
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/bench_virtualbox.py
	$(BIN)/python benchmarks/bench_incus.py
	$(BIN)/python benchmarks/bench_lint.py

matrix: $(VENV)/.runtime ## Every drill in each mode on each engine: half an hour; build/matrix has the reports
	$(BIN)/labbuilder drill --matrix --report build/matrix

docs: $(VENV)/.dev ## The reference of the Python API, from its docstrings, in build/api/
	$(BIN)/pdoc --docformat google -o build/api labbuilder.lab labbuilder.errors labbuilder.spec.models labbuilder.spec.failover labbuilder.spec.providers labbuilder.verify.model labbuilder.lint labbuilder.model.fault labbuilder.drill.model labbuilder.report labbuilder.lifecycle.session labbuilder.providers.base

$(VENV)/.host:
	@missing=$$(dpkg-query -W -f='$${Status} $${Package}\n' $(HOST_PACKAGES) 2>&1 | grep -v '^install ok' || true); \
	if [ -n "$$missing" ]; then \
		echo "Installing Debian packages: $(HOST_PACKAGES)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $(HOST_PACKAGES) >/dev/null; \
	fi
	@mkdir -p $(VENV) && touch $@

$(VENV)/.runtime: $(VENV)/.host pyproject.toml
	@echo "Installing labbuilder into $(VENV)"
	@test -x $(BIN)/pip || /usr/bin/python3 -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -e . 2>&1 | grep -v '^WARNING: Location' || true
	@test -x $(BIN)/labbuilder
	@$(BIN)/python -m compileall -q labbuilder
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing what the tests need"
	@$(BIN)/pip install -q --disable-pip-version-check "pip>=25.1" 2>&1 | grep -v '^WARNING: Location' || true
	@$(BIN)/pip install -q --disable-pip-version-check --group dev 2>&1 | grep -v '^WARNING: Location' || true
	@test -x $(BIN)/pytest
	@touch $@

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache

help: ## Show this
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1: /p' Makefile | awk -F': ' '{printf "%-13s %s\n", $$1, $$2}'
