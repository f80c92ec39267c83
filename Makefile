# SPDX-License-Identifier: GPL-2.0-only
# A thin front to `python3 -m lab`. make itself always exits with 2 on an
# error; the lab's own status is the number it prints (Error N).

PYTHON ?= python3
LAB = $(PYTHON) -B -m lab
base = $(if $(BASE),--base "$(BASE)")
tree = $(if $(TREE),--tree "$(TREE)")
no_tree = $(if $(TREE),$(error TREE= is for run, revert, steps, gate, tree and refresh))

help: ## say what there is to make, and what the exit statuses mean
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo; $(LAB) --help | sed -n '/^exit statuses/,$$p'

run: ## [BASE=6.12] [TREE=DIR] the kit on the stock and on the patched kernel, in a table
	@$(LAB) run $(base) $(tree)

revert: ## [BASE=6.12] [TREE=DIR] [PATCH=slug] take each patch out alone: its cases must fail
	@$(LAB) revert $(base) $(tree) $(if $(PATCH),--patch "$(PATCH)")

steps: ## [BASE=6.12] [TREE=DIR] the tests pass at each patch, from the first one on that adds them
	@$(LAB) steps $(base) $(tree)

lint: ## [GATE=no] check series, kit and lab; then the gate, unless GATE=no
	@$(no_tree)$(LAB) lint $(if $(filter no,$(GATE)),--no-gate)

gate: ## [BASE=6.12] [TREE=DIR] each patch builds everywhere and brings nothing new; for one base or for all
	@$(LAB) gate $(base) $(tree)

bench: ## [BASE=7.3] cost in instructions, stock against patched; the figures go to docs/bench
	@$(no_tree)$(LAB) bench $(base)

soak: ## [BASE=7.3] [DURATION=300] [KERNEL=kasan] all tests and races on kernels with KASAN, lockdep, KCSAN; docs/soak
	@$(no_tree)$(LAB) soak $(base) $(if $(DURATION),--duration "$(DURATION)") $(if $(KERNEL),--kernel "$(KERNEL)")

mutants: ## [BASE=7.3] [MUTANT=name] apply one wrong change after the other to the patched kernel: a test must fail
	@$(no_tree)$(LAB) mutants $(base) $(if $(MUTANT),--mutant "$(MUTANT)")

model: ## let spin search the model of the walk, and refute its wrong variants
	@$(LAB) model

tree: ## [BASE=6.12] [TREE=DIR] build/BASE/tree: a git tree with the series as commits
	@$(LAB) tree $(base) $(tree)

refresh: ## [BASE=6.12] [TREE=DIR] write the commits of build/BASE/tree back to series/BASE
	@$(LAB) refresh $(base) $(tree)

intree: ## [BASE=6.12] write the in-tree tests of intree/ into build/BASE/tree, to be committed there
	@$(LAB) intree $(base)

port: ## FROM=7.3 TO=6.12 start a port in build/TO/tree; it stops at a conflict
	@$(if $(and $(FROM),$(TO)),,$(error FROM= and TO= are needed: make port FROM=7.3 TO=6.12))$(LAB) port --from "$(FROM)" --base "$(TO)"

docs: ## [RECORD=6.12] regenerate the tables from what was recorded; RECORD= keeps the last run and revert first
	@$(LAB) docs $(if $(RECORD),--record "$(RECORD)")

test: ## [BASE=6.12] the lab's own tests, lint, model; gate, run and steps for one base, or for all; revert and a short soak for the first
	@$(no_tree)$(LAB) test $(base)

clean: ## remove build/
	rm -rf build

.PHONY: help run revert steps lint gate model bench soak mutants tree refresh port intree docs test clean
