# The commands of the project. Most run a script of scripts/, whose first comment says more. `make` without a command
# lists them.
PORT ?= 8787
SECONDS ?= 30
STATE ?= .wrangler/state
URL ?= http://127.0.0.1:$(PORT)
DEEP ?=
SIZE ?= 5GiB
CLIENTS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup build dev test check openapi fuzz bench load soak sweep fsck clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that is missing (npm packages, Rust for wasm, build tools, local secrets)
	@scripts/setup

build: ## build the release of the Worker into build/ and the pages into web/dist/ (deploys and tests do this themselves)
	@scripts/build

dev: ## set up, build and serve Cutty on this machine (PORT=8787 STATE=.wrangler/state)
	@exec env PORT='$(PORT)' STATE='$(STATE)' scripts/dev

test: ## set up, build and run every test
	@scripts/test

check: ## check format, lints for this machine and for wasm, documentation (LONG=1: fuzzing and long tests too)
	@scripts/check

openapi: ## check the API description with a validator, generated clients and random requests
	@scripts/openapi

fuzz: ## fuzz the engine and the parsers with random input (SECONDS=30 per target)
	@scripts/fuzz '$(SECONDS)'

bench: ## measure the speed and memory of Cutty, of bare Workers and of other CSV programs
	@scripts/setup
	@env -u CUTTY_BUILD scripts/build
	@scripts/fixtures
	@benches/run

load: ## send many requests at once, with 1, 2, 4 and 8 times as many clients (SECONDS=30 per step CLIENTS=4)
	@scripts/setup
	@scripts/load '$(SECONDS)' '$(CLIENTS)'

soak: ## upload 5 GiB in chunks, kill the server three times meanwhile, compare the download (SIZE=5GiB)
	@scripts/setup
	@SIZE='$(SIZE)' scripts/soak

sweep: ## run all sweeps of a running server now (URL=http://127.0.0.1:8787)
	@URL='$(URL)' scripts/sweep

fsck: ## check that rows, objects and quotas of a running server agree (URL=http://127.0.0.1:8787 DEEP=1)
	@URL='$(URL)' DEEP='$(DEEP)' scripts/fsck

clean: ## remove build output and local state (keeps node_modules, the tools' cache and .dev.vars)
	rm -rf target build web/dist .wrangler
