# Strata. `make` alone prints what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# A checkout that belongs to another user (CI, a container's bind mount) is ours
# to read all the same; without this git, and go build with it, refuse.
export GIT_CONFIG_COUNT := 1
export GIT_CONFIG_KEY_0 := safe.directory
export GIT_CONFIG_VALUE_0 := $(CURDIR)
# Recipes get these variables; $(shell) of make 4.3 does not.
GIT := git -c safe.directory=$(CURDIR)

VERSION := $(shell $(GIT) describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.buildVersion=$(VERSION)
# Without a repository (a source archive) there is no revision to record.
VCS := $(shell $(GIT) rev-parse --git-dir >/dev/null 2>&1 && echo auto || echo false)
# Each test process of ours keeps about one core busy, and PostgreSQL the other.
PARALLEL := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$(( n > 2 ? n - 1 : 2 )))
TESTFLAGS ?=
TESTS ?= ./...

.PHONY: help
help: ## print this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build, install what is missing, start private servers and Strata with a demo (Ctrl-C stops all)
	@exec bin/strata dev $(ARGS)

.PHONY: build
build: ## build bin/strata, and bin/strata-verify, which verifies what it exports
	@mkdir -p bin
	go build -buildvcs=$(VCS) -ldflags '$(LDFLAGS)' -o bin/strata ./cmd/strata
	go build -buildvcs=$(VCS) -o bin/strata-verify ./cmd/strata-verify

.PHONY: test
test: ## run all tests on private servers, with the race detector (TESTS=./app/... TESTFLAGS=-run=X)
	@mkdir -p bin
	@go build -buildvcs=false -o bin/testenv ./tests/testenv/run
	@$(MAKE) --no-print-directory bin/versitygw || printf '\n*** what needs an S3 server will be SKIPPED, for the reason above ***\n\n' >&2
	@exec bin/testenv -- go test -race -shuffle=on -timeout 15m -p $(PARALLEL) $(TESTFLAGS) $(TESTS)

# Contracts are checked while the linter runs: the one waits for npm, the other for the processor.
.PHONY: check
check: compile ## build, vet, lint (import rules included), check the contracts, and see that generated code is up to date
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint contracts
	@$(MAKE) --no-print-directory generated

.PHONY: compile
compile:
	go build -buildvcs=$(VCS) ./...
	go vet ./...

.PHONY: lint
lint: bin/golangci-lint
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then printf 'not formatted, run make format:\n%s\n' "$$unformatted" >&2; exit 1; fi
	bin/golangci-lint run --allow-parallel-runners ./...

# api/released is the contract as of the last release. Beside the checks here,
# tests/contract compares the event schemas with it, and checks the AsyncAPI
# document without Node.
.PHONY: contracts
contracts: bin/oasdiff
	bin/oasdiff breaking --fail-on ERR api/released/openapi.yaml api/openapi.yaml
	@if tools/node/install.sh; then \
		tools/node/node_modules/.bin/spectral lint --quiet --fail-severity=hint --ruleset .spectral.yaml api/openapi.yaml api/asyncapi.yaml; \
		node tools/node/asyncapi.js api/asyncapi.yaml; \
	else \
		printf '\n*** SKIPPED: Spectral and the AsyncAPI parser did not run, for the reason above ***\n\n' >&2; \
	fi

.PHONY: release-contract
release-contract: contracts ## after a release: what api/ says now is what may not be broken from here on
	go test -count=1 ./tests/contract
	cp api/openapi.yaml api/released/
	cp api/schemas/*.json api/released/schemas/
	cp app/eventcodec/testdata/*.json api/released/events/

.PHONY: format
format: bin/golangci-lint ## format all Go files
	bin/golangci-lint fmt ./...

# What is generated is compared with what it was, not with git: it may be new.
GENERATED = find . \( -name .git -o -name .strata -o -name node_modules \) -prune -o -type f \
	\( -name '*.go' -o -path './docs/*' -o -path './api/*' \) -print0 | sort -z | xargs -0 sha256sum

.PHONY: generated
generated:
	@before=$$($(GENERATED)); go generate ./...; after=$$($(GENERATED)); \
	if [ "$$before" != "$$after" ]; then \
		echo 'generated code was not up to date; it is now, look at it and commit it:' >&2; \
		{ diff <(echo "$$before") <(echo "$$after") || true; } | awk '/^>/ {print "  " $$3}' >&2; \
		exit 1; \
	fi

.PHONY: generate
generate: ## write generated code anew
	go generate ./...

.PHONY: bench
bench: ## measure against the rivals, everything in one run (ARGS=-help)
	@mkdir -p bin
	go build -buildvcs=false -o bin/bench ./tests/bench
	@exec bin/bench $(ARGS)

.PHONY: drill
drill: ## destroy an installation under load and restore it from its archive, with the real data (N=20000: so many events)
	@STRATA_DRILL=$(or $(N),whole) go test -count=1 -timeout 60m -v -run TotalLoss ./tests/drill | grep -v '^{'

# A project of its own, on ports of its own: what `docker compose up` keeps is not touched.
test-compose: export DEV_PASSWORD := strata-test
test-compose: export DEV_HTTP_PORT := 28080
test-compose: export DEV_ADMIN_PORT := 28081
test-compose: export DEV_PG_PORT := 25432
test-compose: export DEV_AMQP_PORT := 25672
test-compose: export DEV_MANAGEMENT_PORT := 25673
test-compose: export STRATA_TEST_PG_URL := postgres://postgres:strata-test@127.0.0.1:25432/postgres?sslmode=disable
test-compose: export STRATA_TEST_AMQP_URL := amqp://strata:strata-test@127.0.0.1:25672/strata
test-compose: export STRATA_TEST_AMQP_ADMIN := http://strata:strata-test@127.0.0.1:25673
test-compose: export STRATA_TEST_ROLE_PASSWORD := strata-test

.PHONY: test-compose
test-compose: ## run the tests against the servers of docker-compose.yml
	@docker info >/dev/null 2>&1 || { echo 'test-compose: no Docker engine answers (docker info); start one, or use make test, which needs none' >&2; exit 1; }
	@trap 'docker compose -p strata-test down --volumes' EXIT; \
	docker compose -p strata-test up -d --build --wait; \
	go run -buildvcs=false ./tests/testenv/run -- go test -race -shuffle=on -timeout 15m -p $(PARALLEL) $(TESTFLAGS) $(TESTS)

# Built once, kept as long as the versions in tools/ are: it takes two minutes.
bin/golangci-lint bin/oasdiff &: tools/go.mod tools/go.sum
	@mkdir -p bin
	@echo 'building golangci-lint and oasdiff (once; a few minutes)'
	go build -C tools -buildvcs=false -o $(CURDIR)/bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint github.com/oasdiff/oasdiff
	@touch bin/golangci-lint bin/oasdiff

# The S3 server that the archive is tested against. A module of its own: what it
# requires is nobody else's matter. Of several tests that ask at once one builds.
bin/versitygw: tools/versitygw/go.mod tools/versitygw/go.sum
	@mkdir -p bin
	@echo 'building versitygw (once; a minute)'
	exec 9>bin/.versitygw.lock; flock 9; \
	go build -C tools/versitygw -buildvcs=false -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/versitygw.new github.com/versity/versitygw/cmd/versitygw; \
	mv bin/versitygw.new bin/versitygw

.PHONY: clean
clean: ## remove what was built (the data of make run stay in .strata)
	rm -rf bin tests/bench/out tools/node/node_modules
