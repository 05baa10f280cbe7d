# The verbs of this repository. make help lists them.

SHELL := bash
PROFILE ?= dev
BUILD_DIR := $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
TOOLS := tg-backup tg-health tg-migrate tg-swap tg-vacuum
PROCEDURES := preflight rehearse upgrade upgrade-zero-downtime rollback \
  maintain-weekly maintain-monthly maintain-quarterly maintain-security maintain-status
SHELL_FILES = $(shell git ls-files --cached --others --exclude-standard scripts .ci | xargs grep -lE '^\#!/usr/bin/env bash|^\# shellcheck shell=bash')

# Where things go; what there is stands in scripts/package/layout.
prefix ?= /usr/local
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/lib/tg
datadir ?= $(prefix)/share
docdir ?= $(datadir)/doc/tg
mandir ?= $(datadir)/man
zshdir ?= $(datadir)/zsh/site-functions
unitdir ?= $(prefix)/lib/systemd/system
LAYOUT = $(foreach name,DESTDIR prefix bindir libexecdir datadir docdir mandir zshdir unitdir BUILD_DIR TOOLS PROCEDURES,$(name)='$($(name))')

# A package is of release builds, but where somebody says PROFILE.
PACKED = $(if $(filter file,$(origin PROFILE)),release,$(PROFILE))
PACKAGE_DIR ?= target

.DEFAULT_GOAL := help
.PHONY: help build check lint unit bats test lab-test test-long demo bench-swap bench-backup bench-migrate bench-health bench-judging bench-vacuum soak-swap man install uninstall deb tarball clean

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

# The unit tests wait most of the time.
check: lint ## what needs no Docker: format, lints, unit tests, procedures with stub tools
	@$(MAKE) --no-print-directory -j2 --output-sync=target unit bats

lint: ## format and lints, warnings denied
	@scripts/tests/tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --quiet -- -D warnings
	shellcheck -x -P SCRIPTDIR $(SHELL_FILES)
	shfmt -i 2 -d $(SHELL_FILES)

unit: ## unit and integration tests of the crates
	cargo test --workspace --quiet

# The longest first.
bats: ## the procedures with stub tools
	@scripts/tests/tools
	@ls -S scripts/tests/*.bats | xargs -P "$$(nproc)" -I '{}' sh -c 'said=$$(bats "{}" 2>&1); code=$$?; echo "{}: $$said"; exit $$code'

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
	@rm -rf target/man target/completions && mkdir -p target/man target/completions
	@set -eo pipefail; for tool in $(TOOLS); do \
	  $(BUILD_DIR)/$$tool --generate man >target/man/$$tool.1; \
	  $(BUILD_DIR)/$$tool --generate commands | while read -r command; do \
	    $(BUILD_DIR)/$$tool --generate man $$command >target/man/$$tool-$${command// /-}.1; \
	  done; \
	  for shell in bash zsh fish; do $(BUILD_DIR)/$$tool --generate $$shell >target/completions/$$tool.$$shell; done; \
	done
	@set -e; for procedure in $(PROCEDURES); do \
	  scripts/package/man tg-$$procedure scripts/$$procedure >target/man/tg-$$procedure.1; \
	  echo "complete -F _longopt tg-$$procedure" >target/completions/tg-$$procedure.bash; \
	done

install: man ## install tools, procedures, pages, completions, timers (prefix, DESTDIR)
	@$(LAYOUT) scripts/package/install

uninstall: ## remove what install put there (prefix, DESTDIR)
	@$(LAYOUT) scripts/package/install --remove

deb: ## a package for Debian and Ubuntu: target/tg_<version>_<arch>.deb
	@rm -rf target/deb
	@$(MAKE) --no-print-directory install PROFILE=$(PACKED) prefix=/usr zshdir=/usr/share/zsh/vendor-completions DESTDIR=target/deb
	@scripts/package/crates $(TOOLS) >target/deb/usr/share/doc/tg/CRATES
	@scripts/package/deb target/deb $(PACKAGE_DIR)

tarball: ## to unpack in /usr/local of any Linux: target/tg-<version>-<arch>-linux.tar.gz
	@rm -rf target/tarball
	@$(MAKE) --no-print-directory install PROFILE=$(PACKED) prefix=/usr/local DESTDIR=target/tarball
	@scripts/package/crates $(TOOLS) >target/tarball/usr/local/share/doc/tg/CRATES
	@scripts/package/tarball target/tarball/usr/local $(PACKAGE_DIR)

clean: ## remove what was built
	cargo clean

include scripts/lab/lab.mk
