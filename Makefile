# Python 3.11+ and make are all that must be there. Stamps make second runs instant.
SHELL := /bin/bash
# Looked up before .venv comes first on the path.
PYTHON := $(or $(PYTHON),$(shell command -v python3),python3)
export PYTHON
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)

setup_dir := infra/setup
bundle := sse_widget/static/index.html
# $(call tests,FOLDER ...): those that hold a test
tests = $(foreach d,$(1),$(if $(shell find tests/$(d) -name '*.py' 2>/dev/null | grep -E '/(test|bench)_[^/]*$$'),tests/$(d)))
# $(call pytest,FOLDER ...,OPTIONS): runs what they hold; without a folder pytest would run everything
pytest = $(if $(call tests,$(1)),python -m pytest $(2) $(strip $(call tests,$(1))),@echo 'no test yet in: $(1)')

.PHONY: help setup run server test test-code test-pages test-notebooks check accept bench system lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.package $(bundle) ## .venv, Python and JavaScript packages, bundles

run: setup ## JupyterLab on the quickstart notebook; HEADLESS=1: no browser, prints the URL; PORT=
	@HEADLESS=$(HEADLESS) PORT=$(PORT) $(setup_dir)/run.sh

server: setup ## the server alone; ARGS="--port 9000 ..."
	sse-server $(ARGS)

check: setup ## linters, types, import rules, of both languages
	@$(setup_dir)/check.sh

test: setup system check ## check, then every quick test, on two cores
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=line test-code test-pages test-notebooks

test-code:
	node --test "tests/js/**/*.test.js"
	$(call pytest,unit server,--numprocesses=2 --dist=loadfile)

test-pages:
	$(call pytest,browser notebooks,-s)

test-notebooks:
	python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=120 notebooks

accept: setup system .venv-aiperf/.ready ## long browser runs, chaos, kills
	@# a process for each file: Playwright's loop and asyncio's tests do not share one
	set -e; for file in tests/accept/test_*.py; do python -m pytest -s $$file; done

bench: setup ## ratios side by side, printed
	@# without nchan, one of them says that it is not measured
	-@$(setup_dir)/system.sh libnginx-mod-nchan
	$(call pytest,benchmarks,-s)

system:
	@$(setup_dir)/system.sh

lock: .venv/.python ## renews the locks; UPGRADE=1: to the newest versions
	UPGRADE=$(UPGRADE) $(setup_dir)/lock.sh

clean: ## removes everything that setup and tests made
	rm -rf .venv .venv-aiperf node_modules sse_widget/static build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find sse_widget server tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.python: $(addprefix $(setup_dir)/,python.sh requirements.txt uv.txt)
	@$(setup_dir)/python.sh
	@touch $@

.venv/.package: .venv/.python pyproject.toml $(addprefix $(setup_dir)/,package.sh lab-settings.json) server/jupyter-config/sse_server.json
	@$(setup_dir)/package.sh
	@touch $@

.venv-aiperf/.ready: .venv/.python $(addprefix $(setup_dir)/,aiperf.sh aiperf.txt)
	@$(setup_dir)/aiperf.sh
	@touch $@

.venv/.javascript: .venv/.python package.json package-lock.json $(setup_dir)/javascript.sh
	@$(setup_dir)/javascript.sh
	@touch $@

$(bundle): .venv/.javascript $(setup_dir)/build.mjs $(shell find sse_widget/js -type f 2>/dev/null)
	@node $(setup_dir)/build.mjs
