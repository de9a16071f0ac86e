# make run    a demonstration city on http://127.0.0.1:8080
# make test   format, all tests, examples in the documentation
# make bench  figures of speed
# make lint   format and clippy, warnings are errors
# make web    style and script only
# Each installs what it needs and is missing (Debian packages, npm packages, cargo-nextest).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := run

LISTEN ?= 127.0.0.1:8080
DATA ?= data
LUODI := $(or $(CARGO_TARGET_DIR),target)/release/luodi

# The style sheet holds only classes that occur here, so these files decide when it is built anew.
WEB_SOURCES := web/build.mjs $(shell find web/css web/js web/static crates/luodi/templates crates/luodi/src -type f)
WEB_BUILT := web/node_modules/.built
WEB_PACKAGES := web/node_modules/.installed

.PHONY: run test on-postgres bench lint web release cargo browser nextest always

run: release
	$(LUODI) demo --data $(DATA)
	exec $(LUODI) serve --data $(DATA) --listen $(LISTEN)

test: web browser nextest
	cargo fmt --all --check
	if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --workspace --no-tests=pass --no-fail-fast; \
	else \
	  cargo test --workspace --lib --bins --tests; \
	fi
	.ci/with-postgres $(MAKE) on-postgres
	cargo test --workspace --doc
	@echo "make test: all passed"

# The tests once more on the server that .ci/with-postgres started: those of the library and of the
# pages, a server that dies, and the story at one width. What is about sources or files stays out.
ON_SERVER := not (test(/^tidy::/) or test(/^crash::/) or test(the_story_on_a_phone))
on-postgres:
	if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run -p luodi --no-fail-fast -E '$(ON_SERVER)'; \
	  LUODI_TEST_ISOLATION=repeatable-read cargo nextest run -p luodi --lib --no-fail-fast; \
	else \
	  cargo test -p luodi --lib --tests -- --skip tidy:: --skip crash:: --skip the_story_on_a_phone; \
	  LUODI_TEST_ISOLATION=repeatable-read cargo test -p luodi --lib; \
	fi

# As JSON: make bench BENCH=--json. SpiffWorkflow beside it: LUODI_BENCH_SPIFF, LUODI_BENCH_PYTHON.
bench: web
	.ci/need wrk:wrk
	cargo bench -p luodi --bench figures --no-run
	LUODI_POSTGRES_DURABLE=1 .ci/with-postgres cargo bench -p luodi --bench figures -- $(BENCH)

lint: web
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi

release: web
	cargo build --release --bin luodi

web: cargo $(WEB_BUILT)

$(WEB_BUILT): $(WEB_PACKAGES) $(WEB_SOURCES) $(if $(wildcard web/dist/luodi.js),,always)
	cd web && node build.mjs
	touch $@

$(WEB_PACKAGES): web/package.json web/package-lock.json web/.npmrc
	.ci/need node:nodejs npm:npm
	cd web && npm ci --no-audit --no-fund
	touch $@

cargo:
	@command -v cargo >/dev/null || { echo "Please install Rust 1.95 or newer (rustup) first." >&2; exit 1; }

browser:
	.ci/need chromium:chromium chromedriver:chromium-driver :fonts-noto-cjk

# Tests run without it too, only slower and with less telling output.
nextest: cargo
	cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest || true
