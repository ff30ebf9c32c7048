# Sluice is built with Go and make alone. `make help` lists what there is.
#
# Whatever a target needs beyond Go is a file under .bin with a rule in this
# file that makes it from sources pinned here: nothing is asked for, nothing is
# installed on the machine, and root is never needed. The targets of the test
# cluster are the exception: they need root and a few packages, say which, and
# install nothing.

.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN     := $(CURDIR)/.bin
EXAMPLE ?= examples/quickstart
FUZZTIME ?= 10s
BENCH   ?= .
PKG     ?= ./...
NODES   ?= 1
DUALSTACK ?=
IMAGE_VERSION ?= dev
DATAPLANE ?= go
CHANNEL ?= experimental
RUN     ?=
KEEP    ?=
REPEAT  ?= 1
REQUESTS ?= 100000
SEED    ?= 1
PLANES  ?= go,envoy,haproxy
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE_ARCH ?= amd64,arm64
# Where the proxies are that tests run; one that cannot be had is empty.
PROXIES = SLUICE_ENVOY=$$(hack/envoy $(BIN)/envoy) SLUICE_HAPROXY=$$(hack/haproxy $(BIN)/haproxy)

# A checkout's owner may be another user than the one who builds, and git may be
# absent; neither is a reason not to build.
export GOFLAGS += -buildvcs=false

##@ Use

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z][a-z0-9-]*:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: build ## Build Sluice and serve EXAMPLE (examples/quickstart) in the foreground.
	@exec $(BIN)/sluice run $(EXAMPLE)

.PHONY: build
build: ## Build the sluice program into .bin.
	go build -o $(BIN)/sluice ./cmd/sluice

.PHONY: images
images: $(BIN)/images-tool ## Make the images of IMAGE_VERSION (dev) for IMAGE_ARCH (amd64,arm64) in .bin/images.
	$(BIN)/images-tool -version $(IMAGE_VERSION) -arch $(IMAGE_ARCH) -out $(BIN)/images

.PHONY: cluster
cluster: ## Boot a test cluster of NODES (1) nodes, with IPv6 if DUALSTACK=1, and print its environment.
	@cd test/cluster && go run ./cmd/cluster up -nodes $(NODES) $(if $(DUALSTACK),-dual-stack)

.PHONY: cluster-programs
cluster-programs: ## Build what the test cluster runs: 10 minutes with empty caches, a second afterwards.
	@cd test/cluster && go run ./cmd/cluster build

.PHONY: cluster-down
cluster-down: ## Take the test cluster down; nothing of it stays but the built programs.
	@cd test/cluster && go run ./cmd/cluster down

##@ Check

.PHONY: test
test: unit allocations check-generated lint ## Run everything: tests, generated files, lint. This is what CI runs.
	@$(MAKE) -s skipped

.PHONY: unit
unit: $(BIN)/tally ## Run the tests of PKG (./...), with the race detector where there is a C compiler.
	@rm -f $(BIN)/skipped
	$(PROXIES) $(BIN)/tally -to $(BIN)/skipped $$(hack/race) -timeout 20m $(PKG)
	$(if $(filter ./...,$(PKG)),$(PROXIES) hack/unit-nested $(BIN)/tally $(BIN)/skipped)

.PHONY: skipped
skipped: $(BIN)/tally ## Say how many tests the last run of unit skipped for want of what.
	@$(BIN)/tally -sum $(BIN)/skipped

.PHONY: envoy
envoy: ## Get the Envoy that tests run, into .bin.
	hack/envoy $(BIN)/envoy

.PHONY: haproxy
haproxy: ## Get the HAProxy that tests run, into .bin, unless one of 3.0 or later is in PATH.
	hack/haproxy $(BIN)/haproxy

.PHONY: cluster-test
cluster-test: ## Boot test clusters and hold them to what they promise. Needs root.
	cd test/cluster && SLUICE_CLUSTER_TEST=1 go test -count=1 -v -timeout 20m -run TestCluster .

.PHONY: e2e
e2e: ## Hold a whole Sluice in a test cluster to its promises. Needs root. RUN=TestTwoGateways, KEEP=1.
	export $(PROXIES) && cd test/e2e && SLUICE_CLUSTER_TEST=1 go test -count=1 -timeout 20m $(if $(RUN),-run '$(RUN)') -args $(if $(KEEP),-keep)
	$(if $(RUN)$(KEEP),,hack/e2e-apiserver)

.PHONY: e2e-bench
e2e-bench: ## Measure how soon a change of endpoints is served, in a test cluster.
	cd test/e2e && SLUICE_CLUSTER_TEST=1 go test -count=1 -timeout 20m -run '^$$' -bench . -benchtime 200x

.PHONY: scale
scale: ## Count in the audit log what a thousand routes cost, in a test cluster. KEEP=1.
	cd test/e2e/scale && SLUICE_CLUSTER_TEST=1 go test -count=1 -v -timeout 30m -args $(if $(KEEP),-keep)

.PHONY: conformance
conformance: ## Run Gateway API's suite in a test cluster. DATAPLANE=haproxy CHANNEL=standard RUN=regexp KEEP=1 REPEAT=3.
	$(if $(filter-out go,$(DATAPLANE)),export $(PROXIES) && )cd test/conformance && SLUICE_CLUSTER_TEST=1 go test -count=1 -timeout 5h -parallel 4 -args \
		-dataplane $(DATAPLANE) -channel $(CHANNEL) -repeat $(REPEAT) -sluice-version '$(VERSION)' \
		$(if $(RUN),-only '$(RUN)') $(if $(KEEP),-keep) $(if $(REPORTS),-reports $(REPORTS))

# The race detector makes pools forget, so what counts allocations is left out of
# unit where there is a C compiler.
.PHONY: allocations
allocations: ## Run the tests that fail where a request allocates more than it may.
	go test -run '(?i)alloc|CostsNothing' ./dataplanes/goproxy/... ./dataplanes/internal/...

.PHONY: lint
lint: $(BIN)/golangci-lint ## Run golangci-lint over every module of the repository.
	hack/lint $(BIN)/golangci-lint

.PHONY: check-generated
check-generated: $(BIN)/controller-gen ## Fail where generated code is not what its sources say.
	hack/generate --check $(BIN)/controller-gen

.PHONY: bench
bench: build ## Measure Sluice beside HAProxy, nginx and others. FLAGS='-scenarios h1,https' are the program's.
	hack/bench-packages $(BIN)/debian
	go build -o $(BIN)/bench ./test/bench
	$(PROXIES) $(BIN)/bench $(FLAGS)

.PHONY: microbench
microbench: ## Run the Go benchmarks that match BENCH (.) in PKG (./...).
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m $(PKG)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s).
	hack/fuzz $(FUZZTIME)

.PHONY: fuzz-parity
fuzz-parity: ## Hold random routes and REQUESTS (100000) against all dataplanes. SEED=1, PLANES=go,haproxy.
	export $(PROXIES) && \
		go test -count=1 -v -timeout 5h -run TestTheyAnswerAlike ./test/parity -args -requests $(REQUESTS) -seed $(SEED) -most 10 -dataplanes $(PLANES)

.PHONY: h2spec
h2spec: build $(BIN)/h2spec ## Hold the Go proxy's HTTP/2 to h2spec's strict cases.
	hack/h2spec $(BIN)/sluice $(BIN)/h2spec

.PHONY: nightly
nightly: ## What takes too long for every change: conformance, e2e in full, scale, fuzzing, tests 50 times.
	hack/nightly-conformance
	export $(PROXIES) && cd test/e2e && SLUICE_CLUSTER_TEST=1 go test -count=1 -timeout 60m -args -long
	$(MAKE) e2e-bench scale h2spec
	hack/fuzz 10m
	go test $$(hack/race) -count 50 -timeout 5h $(PKG)

##@ Change

.PHONY: generate
generate: $(BIN)/controller-gen ## Write what is made from the API types and from Gateway API's module.
	hack/generate $(BIN)/controller-gen

.PHONY: golden
golden: ## Write the golden files and the tables of the docs anew. Read the diff: users will.
	go test ./test/corpus ./test/docs ./dataplanes/provision -update

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format the code.
	$(BIN)/golangci-lint fmt

.PHONY: tools
tools: $(BIN)/golangci-lint $(BIN)/controller-gen ## Build the tools that tools/go.mod pins.

.PHONY: clean
clean: ## Remove what the targets above have built.
	rm -rf $(BIN)

# Always asked: the go command knows whether there is something to do.
.PHONY: $(BIN)/images-tool $(BIN)/tally
$(BIN)/tally:
	@go build -o $@ ./test/tally

$(BIN)/images-tool:
	cd tools/images && CGO_ENABLED=0 go build -o $@ .

# It has requirements of its own, older than its module file could say, so it is
# pinned here and not in tools.
$(BIN)/h2spec:
	CGO_ENABLED=0 GOBIN=$(BIN) go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

# The tools need no cgo, so a machine without a C compiler builds the same ones.
$(BIN)/golangci-lint: PACKAGE = github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(BIN)/controller-gen: PACKAGE = sigs.k8s.io/controller-tools/cmd/controller-gen
$(BIN)/golangci-lint $(BIN)/controller-gen: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 GOBIN=$(BIN) go install $(PACKAGE)
	@touch $@
