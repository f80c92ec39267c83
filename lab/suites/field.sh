#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest's script of `field`: runs the kit on the machines of one boot. For each it
# writes the kit's output, and a line of facts that lab/suites/field.py judges.
set -u

run=/kit/run
cgroups=/sys/fs/cgroup
first=/run/first
oom_case='--case oom_reaper_gives_up_and_all_is_ended'

# What a run may leave behind
left() {
	module=0
	[ ! -d /sys/module/mn_kit ] || module=1
	printf 'module=%s cgroups=%s processes=%s subtree=%s' $module \
		"$(find $cgroups -name mn_kit -type d | wc -l)" "$(pgrep -fc 'mn-kit|kit/run|rmmod mn_kit')" \
		"$(tr ' ' , <$cgroups/cgroup.subtree_control)"
}

up() {
	cut -d ' ' -f 1 /proc/uptime
}

machine() { # NAME COMMAND...
	name=$1
	shift
	printf 'field: %s begins\n' "$name"
	lines=$(dmesg | wc -l)
	from=$(up)
	"$@" 2>&1 </dev/null
	status=$?
	to=$(up)
	lines=$(($(dmesg | wc -l) - lines))
	# A janitor or a watcher may still be at work
	tries=20
	while now=$(left) && [ "$now" != "$clean" ] && [ $tries -gt 0 ]; do
		tries=$((tries - 1))
		sleep 1
	done
	printf 'field: %s status=%s from=%s to=%s lines=%s %s\n' \
		"$name" $status "$from" "$to" $lines "$now"
}

# shellcheck disable=SC2317,SC3045 # machine calls the functions below; dash has ulimit -v
limited() {
	(ulimit -v 65536 && exec $run)
}

# shellcheck disable=SC2317
another_run() {
	$run >$first 2>&1 &
	running=$!
	until grep -qs '^ok 1 ' $first || ! kill -0 $running 2>/dev/null; do sleep 0.1; done
	$run
}

# shellcheck disable=SC2317
that_run() {
	wait "$running"
	ended=$?
	cat $first
	return $ended
}

# End a run while an OOM kill goes on. A shell without job control ignores SIGINT for
# what it starts, so give the run the default of a terminal.
# shellcheck disable=SC2317
in_oom_case() { # COMMAND...
	# shellcheck disable=SC2086 # two words
	env --default-signal=INT setsid $run $oom_case &
	running=$!
	until [ -d $cgroups/mn_kit ]; do
		kill -0 $running 2>/dev/null || break
		sleep 0.02
	done
	[ ! -d $cgroups/mn_kit ] || echo 'field: there is a cgroup'
	"$@"
	wait "$running"
}

# shellcheck disable=SC2317
interrupt() {
	kill -s INT -- "-$running"
}

# shellcheck disable=SC2317
kill_run() {
	kill -9 "$running"
}

# shellcheck disable=SC2317
kill_program() {
	pkill -9 -o -x mn-kit
}

unusual() {
	machine one-cpu taskset 1 $run
	machine little-memory limited
	machine pid-namespace unshare --pid --fork --mount-proc $run
	machine user-namespace unshare --user --map-root-user --pid --fork --mount-proc $run
	machine second-run another_run
	machine first-run that_run
	machine ctrl-c in_oom_case interrupt
	machine killed-program in_oom_case kill_program
	machine killed-run in_oom_case kill_run
	echo 3 >/proc/sys/kernel/yama/ptrace_scope
	machine ptrace-scope-3 $run
}

clean=$(left)
printf 'field: %s on %s %s\n' "$1" "$(uname -r)" "$clean"
case $1 in
safe)
	machine usual $run
	unusual
	;;
all) machine usual $run --all ;;
*) machine usual $run ;;
esac
echo 'field: end'
