# Switchboard. "make help" lists what there is.

GO      ?= go
FUZZ    ?= 20s
SOAK    ?= 30m
CUTS    ?= 1m
CLIENTS ?= 15000
ROLLING ?= 1000
SPREAD  ?= 10000
HOSTILE ?= 1m
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.DEFAULT_GOAL := check
.PHONY: help chat build test check lint go-test npm fuzz soak cuts rolling spread hostile million bench compare compare-test rename

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

chat: ## Run the chat example: service, app server and page in one process
	@scripts/prerequisites.sh go node npm
	@scripts/npm-ci.sh examples/chat
	@$(GO) run ./examples/chat

build: ## Build bin/switchboard
	@scripts/prerequisites.sh go
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/switchboard ./cmd/switchboard

test: npm lint go-test ## Run all checks and tests, as CI does; installs what they need

check: lint ## Lint, and test without npm packages and browsers
	$(GO) test -short ./...

lint: ## gofmt, go vet, staticcheck, go.mod
	@scripts/prerequisites.sh go
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

go-test: # with npm packages and Chromium, which "npm" installs
	$(GO) test -race -timeout 15m ./...

npm: # what the tests with official clients and a browser need
	@scripts/prerequisites.sh go node npm
	@scripts/npm-ci.sh examples/chat
	@scripts/npm-ci.sh conformance
	@scripts/chromium.sh >/dev/null

fuzz: ## Fuzz every parser, FUZZ=20s each
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ) $$pkg || exit 1; \
	  done; \
	done

soak: ## Clients of all kinds for a long time, SOAK=30m CLIENTS=15000
	@scripts/prerequisites.sh go
	$(GO) test ./conformance -v -run 'TestSoak$$' -soak $(SOAK) -soak-clients $(CLIENTS) -timeout 0

cuts: ## Sockets that break off under load for CUTS=1m, with and without stateful reconnect
	@scripts/prerequisites.sh go
	$(GO) test ./conformance -v -run 'TestCutSockets$$' -cuts $(CUTS) -timeout 0

rolling: ## Restart app servers, and cut their connections, under ROLLING=1000 clients, which must not notice
	@scripts/prerequisites.sh go
	$(GO) test ./conformance -v -run 'TestRollingRestart$$|TestCutServerConnections$$' -rolling-clients $(ROLLING) -timeout 0

spread: ## Who has how many of SPREAD=10000 clients when app servers come and go
	@scripts/prerequisites.sh go
	$(GO) test ./conformance -v -run 'TestSpread$$' -spread-clients $(SPREAD) -timeout 0

hostile: ## App servers that misbehave for HOSTILE=1m, each in its way, next to one that does not
	@scripts/prerequisites.sh go
	$(GO) test ./conformance -v -run 'TestHostileAppServers$$' -hostile $(HOSTILE) -timeout 0

million: ## A million simulated clients in one process; takes a minute and 2 GB (Linux)
	@scripts/prerequisites.sh go
	$(GO) test ./internal/clientconn/aspnetcore -v -run Simulated -simulated-clients 1000000

bench: ## Run the benchmarks
	$(GO) test -run '^$$' -bench . ./...

compare: ## Measure next to other systems, and write docs/performance.md; ARGS="--rounds 5"
	@scripts/prerequisites.sh go
	cd bench/compare && $(GO) run . $(ARGS)

compare-test: ## Check and test the comparison, which is a module of its own
	@scripts/prerequisites.sh go
	cd bench/compare && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) test -timeout 5m ./...

rename: ## Give the module another path: make rename MODULE=example.org/switchboard
	@test -n "$(MODULE)" || { echo "Say which path: make rename MODULE=example.org/switchboard"; exit 2; }
	@scripts/rename.sh "$(MODULE)"
