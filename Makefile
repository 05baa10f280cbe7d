# The verbs of this repository. make help lists them.

SHELL := bash
PROFILE ?= dev
BUILD_DIR := $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
TOOLS := tg-backup tg-health tg-migrate tg-swap tg-vacuum
PROCEDURES := preflight upgrade rollback
SHELL_FILES = $(shell git ls-files --cached --others --exclude-standard scripts .ci | xargs grep -lE '^\#!/usr/bin/env bash|^\# shellcheck shell=bash')

prefix ?= /usr/local
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/lib/tg
mandir ?= $(prefix)/share/man/man1

.DEFAULT_GOAL := help
.PHONY: help build check lint unit bats test lab-test test-long demo bench-swap bench-backup bench-migrate bench-health bench-judging bench-vacuum soak-swap install man clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the tools
	cargo build --workspace --profile $(PROFILE)

demo: ## a real upgrade and a real rollback in the lab, explained; installs what it needs
	@scripts/lab/demo

# The lab is made while the lints compile, where it need not ask whether it may install what is missing.
test: ## everything: quick checks, then the procedures on real parts; installs what it needs
	@scripts/tests/tools
ifeq ($(TG_LAB_INSTALL),yes)
	@said=$$(mktemp); scripts/lab/up >"$$said" 2>&1 & up=$$!; \
	  $(MAKE) --no-print-directory lint && wait "$$up" && rm -f "$$said" || { cat "$$said"; exit 1; }
else
	@$(MAKE) --no-print-directory lint
endif
	@$(MAKE) --no-print-directory unit bats lab-test

check: lint unit bats ## what needs no Docker: format, lints, unit tests, procedures with stub tools

lint: ## format and lints, warnings denied
	@scripts/tests/tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --quiet -- -D warnings
	shellcheck -x -P SCRIPTDIR $(SHELL_FILES)
	shfmt -i 2 -d $(SHELL_FILES)

unit: ## unit and integration tests of the crates
	cargo test --workspace --quiet

bats: ## the procedures with stub tools
	@scripts/tests/tools
	bats scripts/tests/*.bats

lab-test: build ## the procedures on real parts: upgrade, rollback, kill -9, bad input
	@scripts/tests/tools
	scripts/lab/up
	@scripts/tests/lab/run

test-long: build ## what make test shows once, at length: each step of a kill -9, more load balancers, what restarts meanwhile
	@scripts/tests/tools
	scripts/lab/up
	@scripts/tests/lab/run --long

bench-swap: ## three ways to replace what runs, under load, side by side; BENCH='--rate 50' is handed on
	@scripts/bench/swap $(BENCH)

bench-backup: ## tg-backup against pg_dump and pg_basebackup on one database of 2 GB; BENCH='--rounds 5' is handed on
	@scripts/bench/backup $(BENCH)

bench-migrate: ## migrations that each break, lock or rewrite in one known way: is each called what it is? BENCH='--postgres 15' is handed on
	@scripts/bench/migrate $(BENCH)

bench-health: ## how soon readiness is seen, against docker compose up --wait and a loop of curl; BENCH='--rounds 50' is handed on
	@scripts/bench/health $(BENCH)

bench-judging: ## what tg-health watch says of a hundred upgrades whose outcome is known; BENCH='--upgrades 1000' is handed on
	@scripts/bench/judging $(BENCH)

bench-vacuum: ## tg-vacuum beside vacuumdb, its report, its estimates, and who notices it; BENCH='--only accuracy' is handed on
	@scripts/bench/vacuum $(BENCH)

soak-swap: build ## swaps and rollbacks under load in the lab, 200,000 requests; SOAK='--requests 50000' is handed on
	scripts/lab/up
	@scripts/bench/soak $(SOAK)

man: build ## manual pages and completions into target/man and target/completions
	@mkdir -p target/man target/completions
	@for tool in $(TOOLS); do \
	  $(BUILD_DIR)/$$tool --generate man >target/man/$$tool.1; \
	  $(BUILD_DIR)/$$tool --generate bash >target/completions/$$tool; \
	done

install: man ## install tools, procedures and manual pages (prefix, DESTDIR)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir)/lib $(DESTDIR)$(mandir)
	install -m 755 $(TOOLS:%=$(BUILD_DIR)/%) $(DESTDIR)$(bindir)
	install -m 755 $(PROCEDURES:%=scripts/%) $(DESTDIR)$(libexecdir)
	install -m 644 scripts/tg.mk $(DESTDIR)$(libexecdir)
	install -m 644 scripts/lib/*.sh $(DESTDIR)$(libexecdir)/lib
	install -m 644 $(TOOLS:%=target/man/%.1) $(DESTDIR)$(mandir)

clean: ## remove what was built
	cargo clean

include scripts/lab/lab.mk
