# The lab's verbs; included by the root Makefile. LOAD is what lab-load is given: make lab-load LOAD='--rate 50 --duration 10s'

LAB := $(dir $(lastword $(MAKEFILE_LIST)))
LOAD ?= --rate 100 --duration 30s

.PHONY: lab-up lab-down lab-reset lab-load

lab-up: ## bring the lab up: registry, database with data, application, load balancer
	@$(LAB)up

lab-down: ## remove the lab's containers, networks, volumes and files; images stay
	@$(LAB)down

lab-reset: ## put the lab back to its first version and data
	@$(LAB)reset

lab-load: ## send requests to the lab and count exactly what came of them
	@$(LAB)run-load $(LOAD)
