#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# merge_config.sh -m -O O CONFIG FRAGMENT...
shift 3
out=$1
shift
cat "$@" >> "$out"
