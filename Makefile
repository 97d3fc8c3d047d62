# Everything that is done to this project more than once. `make help` lists it. CI does the
# same through .ci/run, which runs these targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The pinned tools, before any others of the same names.
export PATH := $(CURDIR)/.bin:$(PATH)

# Each tool is pinned in a module of its own under tools/.
TOOL_MODULES := buf grpcurl lint protoc
# A tool built by another Go may not understand this one's code: it counts as not built.
GO_VERSION := $(shell go env GOVERSION)
TOOL_STAMPS := $(TOOL_MODULES:%=.bin/.%-$(GO_VERSION))

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

FUZZ_SECONDS ?= 5
SOAK_FUZZ_SECONDS ?= 120
SOAK_COUNT ?= 20

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build dist/falco-reporter, with its version in it.
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o dist/falco-reporter ./cmd/falco-reporter

.PHONY: demo
demo: ## Run the demo: bundled alerts in, reports out.
	go run ./cmd/falco-reporter demo

.PHONY: test
test: ## Run all tests.
	go test ./...

.PHONY: race
race: ## Run all tests with the race detector; say which were skipped, and why.
	@bash .ci/race

.PHONY: million
million: ## Join a million alerts of a hundred thousand incidents within their bound of memory.
	go test -count=1 -run TestMillion ./internal/enrich/incident -million

.PHONY: short-processes
short-processes: ## Look up 20,000 short processes with and without pids, with nothing else running; print the shares.
	FALCO_REPORTER_ALONE=1 go test -count=1 -v -run TestManyShortProcesses ./internal/enrich/ancestry

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for FUZZ_SECONDS (5).
	@FUZZ_SECONDS=$(FUZZ_SECONDS) bash .ci/fuzz

.PHONY: soak
soak: ## Fuzz for SOAK_FUZZ_SECONDS (120) each, then stress what has long tests SOAK_COUNT (20) times.
	@FUZZ_SECONDS=$(SOAK_FUZZ_SECONDS) FUZZ_BUDGET=86400 bash .ci/fuzz
	@SOAK_COUNT=$(SOAK_COUNT) bash .ci/soak

.PHONY: bench
bench: ## Run all benchmarks.
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: fmt
fmt: tools ## Format Go and proto files.
	golangci-lint fmt ./...
	buf format -w

.PHONY: check-fmt
check-fmt: tools ## Check the format of Go and proto files.
	golangci-lint fmt --diff ./...
	buf format --diff --exit-code

.PHONY: lint
lint: lint-go lint-proto ## Run all linters.

.PHONY: lint-go
lint-go: tools ## Run golangci-lint.
	golangci-lint run ./...

.PHONY: lint-proto
lint-proto: tools ## Run buf lint, and buf breaking against every committed schema.
	buf lint
	@bash .ci/breaking

.PHONY: lint-shell
lint-shell: ## Run shellcheck over the shell scripts.
	@bash .ci/shell

.PHONY: generate
generate: generate-proto ## Make all generated files anew (needs ../shared for ATT&CK's facts).
	go generate ./...

.PHONY: generate-proto
generate-proto: tools ## Make the Go code of the schema anew.
	buf generate --clean

.PHONY: check-generated
check-generated: tools ## Check that generated files are what their sources make.
	@bash .ci/generated

.PHONY: check-modules
check-modules: ## Check that go.mod and go.sum are tidy and the modules unchanged.
	go mod tidy -diff
	go mod verify

.PHONY: check-unit
check-unit: ## Check the systemd unit, and run its command line.
	@bash .ci/unit

.PHONY: check-demo
check-demo: ## Run the README's demo command and check its output.
	@bash .ci/demo

.PHONY: tools
tools: $(TOOL_STAMPS) ## Build the pinned tools into .bin, where their go.mod changed.

.bin/.%-$(GO_VERSION): tools/%/go.mod tools/%/go.sum
	@mkdir -p .bin
	go build -C tools/$* -o $(CURDIR)/.bin/ tool
	@touch $@

.PHONY: clean
clean: ## Remove what was built, the tools included.
	rm -rf .bin dist
