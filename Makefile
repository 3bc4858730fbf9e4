# The verbs of this repository. `make test` is what continuous integration runs.
#
# The figures are variables: make test SEEDS=500 KILLS=10 FUZZTIME=5s

SHELL      := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := run

# Simulator seeds, SIGKILLs of the real binary, rounds of harm to a fleet, appends of
# unknown outcome, kills of the page, and time per fuzz target.
SEEDS     ?= 2000
KILLS     ?= 30
ROUNDS    ?= 6
AMBIGUOUS ?= 100
PAGEKILLS ?= 5
FUZZTIME  ?= 20s

# Real histories to replay. They are not part of the repository.
HISTORIES ?= ../shared/data/histories
HISTORY   ?= $(HISTORIES)/raft.jsonl.gz

# DynamoDB engines for the tests, each in a folder of its own in the user's cache.
# internal/engine names the same versions.
DYNOXIDE := 3.2.0
DYNALITE := 4.0.0
ENGINES  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidegate

# The browser that the page is tested in; found by its usual names if this is empty.
CHROMIUM ?=
export CHROMIUM

STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: run
run: ## start the gateway in development mode
	go run .

.PHONY: build
build: ## build ./tidegate
	go build -o tidegate .

.PHONY: test
test: engines browser modules lint unit typescript page replay fuzz sim kill ## everything a change must pass

.PHONY: unit
unit: ## all Go tests, under the race detector
	go test -race -timeout 30m $$(go list ./... | grep -v /internal/sim)
	# The simulator is one goroutine: nothing in it can race, and it takes long enough
	# to find every planted bug.
	go test -timeout 30m ./internal/sim

.PHONY: engines
# What cannot be had here is missed by the tests that need it, which then say so, or fail
# if CI=true.
engines: ## install the DynamoDB engines that tests use (cargo, npm)
	@missing() { echo "SKIPPED: the engine $$1, because $$2"; if [ "$${CI:-}" = true ]; then exit 1; fi; }
	dynoxide="$(ENGINES)/dynoxide-$(DYNOXIDE)"
	if [ ! -x "$$dynoxide/bin/dynoxide" ]; then
		if ! command -v cargo >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then
			DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends cargo || true
		fi
		if ! command -v cargo >/dev/null; then
			missing "dynoxide $(DYNOXIDE)" "there is no cargo to build it with"
		else
			echo "building dynoxide $(DYNOXIDE), once: this takes some minutes"
			cargo install --locked --root "$$dynoxide" dynoxide-rs@$(DYNOXIDE) || missing "dynoxide $(DYNOXIDE)" "cargo could not build it"
		fi
	fi
	dynalite="$(ENGINES)/dynalite-$(DYNALITE)"
	if [ ! -f "$$dynalite/node_modules/dynalite/cli.js" ]; then
		mkdir -p "$$dynalite"
		npm install --prefix "$$dynalite" --no-audit --no-fund --omit=dev dynalite@$(DYNALITE) || missing "dynalite $(DYNALITE)" "npm could not install it"
	fi

.PHONY: browser
browser: ## install the browser that the page is tested in, where that can be done
	if [ -n "$${CHROMIUM:-$$(command -v chromium || command -v chromium-browser || command -v google-chrome)}" ]; then exit 0; fi
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ]; then
		echo "no Chromium, and no way to install one here: name one with CHROMIUM=PATH"; exit 0
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; } ||
		echo "Chromium could not be installed"

.PHONY: lint
lint: ## formatting, go vet and staticcheck
	unformatted=$$(gofmt -l .)
	if [ -n "$$unformatted" ]; then
		echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1
	fi
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: fuzz
fuzz: ## every fuzz target in the module, FUZZTIME each
	# The targets are asked for, not listed here: a new one cannot be forgotten.
	found=0
	log=$$(mktemp); trap 'rm -f "$$log"' EXIT
	for package in $$(go list ./...); do
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do
			found=$$((found+1))
			echo "fuzzing $$target in $$package for $(FUZZTIME)"
			if ! go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$package" 2>&1 | tee "$$log"; then
				# Before Go 1.27 the end of the time itself is now and then reported as a
				# failure, with nothing else to say: https://go.dev/issue/75804.
				if grep -q 'Failing input\|panic' "$$log" || [ "$$(grep -A1 '^--- FAIL' "$$log" | tail -1)" != "    context deadline exceeded" ]; then exit 1; fi
				echo "the time was up in the midst of an input: no finding"
			fi
		done
	done
	if [ $$found -eq 0 ]; then echo "no fuzz targets found: the discovery is broken"; exit 1; fi
	echo "$$found fuzz targets, $(FUZZTIME) each"

.PHONY: sim
sim: ## the simulator, SEEDS seeds
	go test -count=1 -timeout 0 ./internal/sim -run '^TestSeeds$$' -sim.seeds=$(SEEDS)

.PHONY: kill
kill: ## SIGKILL the real binary under load, KILLS times
	TIDEGATE_KILLS=$(KILLS) go test -count=1 -timeout 0 -run '^TestKill' .

.PHONY: replay
replay: build ## real histories through real sockets: plain, with chaos, with kills
	# Who names a history wants it replayed; the default one may be absent.
	if [ ! -f "$(HISTORY)" ] && [ "$(origin HISTORY)" = file ]; then
		echo "SKIPPED: no history at $(HISTORY); to replay one: make replay HISTORY=FILE"; exit 0
	fi
	./tidegate loadtest replay $(HISTORY) --self
	./tidegate loadtest replay $(HISTORY) --self --chaos
	./tidegate loadtest replay $(HISTORY) --self --kill-every 1s

.PHONY: fleet
fleet: engines ## kill, suspend and cut off gateways that share a table, ROUNDS times
	TIDEGATE_ROUNDS=$(ROUNDS) go test -count=1 -timeout 0 -v -run '^TestFleet$$' .

.PHONY: ambiguous
ambiguous: engines ## appends of unknown outcome to DynamoDB, AMBIGUOUS of them
	TIDEGATE_AMBIGUOUS=$(AMBIGUOUS) go test -count=1 -timeout 0 -v ./dynamo -run '^TestAmbiguous$$'

.PHONY: soak
soak: ## the long run: as test, with figures for a night
	$(MAKE) sim SEEDS=$(or $(SOAK_SEEDS),200000)
	$(MAKE) kill KILLS=$(or $(SOAK_KILLS),1000)
	$(MAKE) ambiguous AMBIGUOUS=$(or $(SOAK_AMBIGUOUS),100000)
	$(MAKE) fleet ROUNDS=$(or $(SOAK_ROUNDS),200)
	$(MAKE) page PAGEKILLS=$(or $(SOAK_PAGE_KILLS),100)
	$(MAKE) fuzz FUZZTIME=$(or $(SOAK_FUZZTIME),30m)

.PHONY: bench
bench: ## benchmarks with allocations
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: vectors
vectors: ## write the shared test vectors anew (look at the diff)
	go test -count=1 ./protocol ./merge ./compress ./client -run 'Vectors$$' -update

# What npm installs for the client and for the page.
MODULES := client-ts/node_modules/.package-lock.json web-demo/node_modules/.package-lock.json

.PHONY: demo
demo: $(MODULES) ## build the collaborative page into the gateway (needs Node)
	cd web-demo && npm run build

# What tests in TypeScript need. Without it they are skipped, and in continuous
# integration that is a failure.
define need_node
	@missing() {
		echo "SKIPPED: $@, $$1"
		if [ "$${CI:-}" = true ]; then echo "in continuous integration that is a failure"; exit 1; fi
		exit 0
	}
	if ! command -v node >/dev/null || ! command -v npm >/dev/null; then missing "for want of Node (20 or later)"; fi
	$(MAKE) $(MODULES) || missing "because npm could not install what it needs"
endef

.PHONY: modules
modules: ## install the npm packages that tests use
	$(need_node)

.PHONY: typescript
typescript: ## the TypeScript client: types, tests, packaging, size
	$(need_node)
	cd client-ts
	npm run check
	npm test
	npm run test:react-native

# The gateway embeds the page as it is committed, so that Go alone builds it.
.PHONY: page
page: ## the collaborative page: is it built, and does it work in a real browser
	$(need_node)
	cd web-demo
	npm run check
	# Asked for now: make may have looked before one was installed.
	chromium="$${CHROMIUM:-$$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
	if [ -z "$$chromium" ]; then missing "for want of Chromium (CHROMIUM=PATH names one)"; fi
	DEMO_KILLS=$(PAGEKILLS) CHROMIUM="$$chromium" npm test

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund

.PHONY: help
help: ## this list
	grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10
