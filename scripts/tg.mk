# Verbs for the Makefile of a project that tg upgrades:
#
#   include /usr/lib/tg/tg.mk         # /usr/local/lib/tg/tg.mk, where it was not installed by the package
#
#   make tg-upgrade TO=1.5.0          make tg-rollback          make tg-status
#
# TG_FLAGS is handed on to every tool and procedure: TG_FLAGS = -C /srv/terragnos

# Now, while this file is the last one.
TG_SCRIPTS := $(or $(TG_SCRIPTS),$(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST)))))
TG_FLAGS ?=

.PHONY: tg-help tg-status tg-health tg-preflight tg-rehearse tg-upgrade tg-upgrade-zero-downtime tg-rollback tg-backup tg-vacuum tg-report \
  tg-maintain-weekly tg-maintain-monthly tg-maintain-quarterly tg-maintain-security tg-maintain-status

tg-help: ## list the verbs of tg
	@awk -F ':.*## ' '/^tg-[a-z-]+:.*## / { printf "  %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tg-status: ## what runs, and is it what the files say?
	@tg-swap status $(TG_FLAGS)

tg-health: ## is it well, right now?
	@tg-health $(TG_FLAGS)

tg-preflight: tg-need-to ## may release TO be gone to?
	@$(TG_SCRIPTS)/preflight $(TG_FLAGS) $(TO)

tg-rehearse: tg-need-to ## try the upgrade to release TO on a backup
	@$(TG_SCRIPTS)/rehearse $(TG_FLAGS) $(TO)

tg-upgrade: tg-need-to ## upgrade to release TO, and back by itself if it fails
	@$(TG_SCRIPTS)/upgrade $(TG_FLAGS) $(TO)

tg-upgrade-zero-downtime: tg-need-to ## the same behind a load balancer, without losing a request
	@$(TG_SCRIPTS)/upgrade-zero-downtime $(TG_FLAGS) $(TO)

tg-rollback: ## go back to what ran before the last upgrade
	@$(TG_SCRIPTS)/rollback $(TG_FLAGS)

tg-backup: ## back the database up
	@tg-backup create $(TG_FLAGS)

tg-vacuum: ## VACUUM (ANALYZE) every table
	@tg-vacuum $(TG_FLAGS)

tg-report: ## tables with many dead rows
	@tg-vacuum report $(TG_FLAGS)

tg-maintain-weekly: ## review logs and metrics
	@$(TG_SCRIPTS)/maintain-weekly $(TG_FLAGS)

tg-maintain-monthly: ## look after the database
	@$(TG_SCRIPTS)/maintain-monthly $(TG_FLAGS)

tg-maintain-quarterly: ## review the whole system
	@$(TG_SCRIPTS)/maintain-quarterly $(TG_FLAGS)

tg-maintain-security: ## look for security patches
	@$(TG_SCRIPTS)/maintain-security $(TG_FLAGS)

tg-maintain-status: ## has the maintenance been done, and how did it end?
	@$(TG_SCRIPTS)/maintain-status $(TG_FLAGS)

.PHONY: tg-need-to
tg-need-to:
	@test -n "$(TO)" || { echo 'tg: error: name the release: TO=1.5.0' >&2; exit 2; }
