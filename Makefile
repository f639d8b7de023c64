# SPDX-License-Identifier: Apache-2.0
# Every target does its own set-up. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# One set of flags for every build: another set rebuilds everything.
FLAGS := --explicit-target-dependency-import-check error -Xswiftc -warnings-as-errors -Xswiftc -require-explicit-sendable
RELEASE := -c release --static-swift-stdlib $(FLAGS)
SOURCES := Package.swift Sources Tests Benchmarks Fuzz
RELEASE_BINARY := .build/release/sallyport

# Test tools live in the clone: the Python ones in .venv, promtool in .tools where the system has none.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)

STEP := scripts/step

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: bootstrap
bootstrap: ## Install what the build and the tests need (done by every other target too).
	@scripts/bootstrap $(BOOTSTRAP)

.PHONY: build
build: bootstrap ## Debug build.
	@$(STEP) "debug build" swift build $(FLAGS)

.PHONY: release
release: bootstrap ## Release build: .build/release/sallyport, Swift's libraries linked in.
	@$(STEP) "release build" swift build $(RELEASE)

.PHONY: demo
demo: release ## OpenCTI to Falcon against simulators, with faults. KEEP=1 leaves it running.
	@$(RELEASE_BINARY) demo $(if $(filter-out 0,$(KEEP)),--keep)

.PHONY: lint
lint: bootstrap
	@$(STEP) "format" swift format lint --strict --parallel -r $(SOURCES)
	@$(STEP) "Python tests" python -m pyflakes Tests/EndToEnd Benchmarks scripts/check-rules scripts/coverage scripts/mutants scripts/run-unit-tests
	@$(STEP) "house rules" scripts/check-rules
	@$(STEP) "vectors unchanged" scripts/check-vectors

.PHONY: check
check: lint ## The quick part of the tests: format, rules, unit tests, generated documents.
	@$(STEP) "debug build with tests" swift build --build-tests $(FLAGS)
	@$(STEP) --summary "unit tests" scripts/run-unit-tests $(FLAGS)
	@$(STEP) "generated documents are fresh" scripts/docs --check .build/debug/sallyport
	@$(STEP) "coverage table is complete" scripts/coverage --check

.PHONY: end-to-end
end-to-end: release ## The release binary against the simulators: vectors, official clients, faults.
	@$(STEP) --summary "end-to-end tests" pytest Tests/EndToEnd

.PHONY: test
test: ## Everything. `make check` is its quick part.
	@rm -f .build/logs/summary.tsv
	@$(MAKE) check fuzz-short end-to-end
	@scripts/summary

.PHONY: bench
bench: release ## Benchmarks; prints JSON with the settings in force.
	@.build/release/sallyport-bench --sallyport $(RELEASE_BINARY) --python .venv/bin/python

.PHONY: mutants
mutants: bootstrap ## Plant known faults in the engine; the simulation must find each.
	@$(STEP) --summary "planted faults" scripts/mutants $(FLAGS)

.PHONY: fuzz fuzz-short
fuzz: bootstrap ## Fuzz the parsers for a minute each. SECONDS_EACH=n changes that.
	@scripts/fuzz --seconds $(or $(SECONDS_EACH),60)
fuzz-short: bootstrap
	@$(STEP) --summary "fuzzing, short" scripts/fuzz --runs 20000

.PHONY: docs
docs: build ## Regenerate docs/reference from the declarations.
	@scripts/docs .build/debug/sallyport
	@scripts/coverage

.PHONY: format
format: ## Format the Swift sources in place.
	@swift format -i --parallel -r $(SOURCES)

.PHONY: clean
clean: ## Remove what was built, not the test tools.
	@rm -rf .build .build-fuzz
