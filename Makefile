# The commands of the project; each is a script in scripts/ that says what it does. `make` alone lists them.
PORT ?= 8787
SECONDS ?= 30
STATE ?= .wrangler/state
URL ?= http://127.0.0.1:$(PORT)
DEEP ?=
SIZE ?= 5GiB

.DEFAULT_GOAL := help
.PHONY: help setup build dev test check fuzz bench soak sweep fsck clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (npm packages, Rust for wasm, build tools, local secrets)
	@scripts/setup

build: ## build the release of the Worker into build/ (a deploy and the tests do so themselves)
	@scripts/build-wasm

dev: ## set up, build and serve everything here (PORT=8787 STATE=.wrangler/state)
	@exec env PORT='$(PORT)' STATE='$(STATE)' scripts/dev

test: ## set up, build and run every test
	@scripts/test

check: ## format, lints for this machine and for wasm, documentation (LONG=1: fuzzing, too)
	@scripts/check

fuzz: ## feed the engine and the parsers random input (SECONDS=30 a target)
	@scripts/fuzz '$(SECONDS)'

bench: ## measure speed and memory against bare baselines
	@scripts/setup
	@env -u CUTTY_BUILD scripts/build-wasm
	@scripts/fixtures
	@benches/run

soak: ## send 5 GiB up in chunks, kill the server three times on the way, get the same back (SIZE=5GiB)
	@scripts/setup
	@SIZE='$(SIZE)' scripts/soak

sweep: ## run the sweeps of a running server now (URL=http://127.0.0.1:8787)
	@URL='$(URL)' scripts/sweep

fsck: ## check that rows, objects and quotas of a running server agree (URL=http://127.0.0.1:8787 DEEP=1)
	@URL='$(URL)' DEEP='$(DEEP)' scripts/fsck

clean: ## remove what was built and the local state (not node_modules, not the tools' cache, not .dev.vars)
	rm -rf target build .wrangler
