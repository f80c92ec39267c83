# SPDX-License-Identifier: GPL-2.0-only
# A thin front to `python3 -m lab`; the verbs and what they take are in lab/cli.py, and in
# `make help`. make itself exits with 2 on an error; the lab's own status is in its Error N.

PYTHON ?= python3
LAB = $(PYTHON) -B -m lab

VERBS = run revert steps gate lint bench soak field mutants judge-mutants model report pack judge \
	tree refresh port intree send docs test
NAMES = BASE PART TREE PATCH MUTANT KERNEL DURATION FROM TO RECORD LOGS GATE ENGINE SKIP FORMAT ORIGIN ARCH
words = $(foreach name,$(NAMES),$(if $($(name)),'$(name)=$(subst ','\'',$($(name)))'))

.PHONY: help clean $(VERBS)

help:
	@$(LAB) --help

$(VERBS):
	@$(LAB) $@ $(words) $(if $(DRYRUN),--dryrun)

clean:
	rm -rf build
