# Verbs for the Makefile of a project that tg upgrades: include /usr/local/lib/tg/tg.mk
#
#   make tg-upgrade TO=1.5.0        make tg-rollback        make tg-status
#
# TG_FLAGS is handed on to every tool: TG_FLAGS = -C /srv/terragnos

TG_SCRIPTS ?= $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
TG_FLAGS ?=

.PHONY: tg-help tg-status tg-health tg-preflight tg-upgrade tg-rollback tg-backup tg-vacuum tg-report

tg-help: ## list the verbs of tg
	@awk -F ':.*## ' '/^tg-[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tg-status: ## what runs, and is it what the files say?
	@tg-swap status $(TG_FLAGS)

tg-health: ## is it well, right now?
	@tg-health $(TG_FLAGS)

tg-preflight: tg-need-to ## may release TO be gone to?
	@$(TG_SCRIPTS)/preflight $(TG_FLAGS) $(TO)

tg-upgrade: tg-need-to ## upgrade to release TO, and back by itself if it fails
	@$(TG_SCRIPTS)/upgrade $(TG_FLAGS) $(TO)

tg-rollback: ## go back to what ran before the last upgrade
	@$(TG_SCRIPTS)/rollback $(TG_FLAGS)

tg-backup: ## back the database up
	@tg-backup create $(TG_FLAGS)

tg-vacuum: ## VACUUM (ANALYZE) every table
	@tg-vacuum $(TG_FLAGS)

tg-report: ## tables with many dead rows
	@tg-vacuum report $(TG_FLAGS)

.PHONY: tg-need-to
tg-need-to:
	@test -n "$(TO)" || { echo 'tg: error: name the release: TO=1.5.0' >&2; exit 2; }
