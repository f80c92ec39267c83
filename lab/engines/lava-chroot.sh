#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A Debian root file system for LAVA, whose packages would upgrade half of a host.
#
#   lava-chroot.sh make DIR PACKAGE...            makes it
#   lava-chroot.sh enter DIR FOLDER COMMAND...    runs a command in it, with FOLDER at the same path
#
# Mounts and processes are in namespaces of their own. The kernel removes both when this ends, also
# when it or its parent is killed.
set -eu
verb=$1 root=$2
shift 2
if [ "$verb" = make ] || [ "$verb" = enter ]; then
	exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
		sh "$0" "inside-$verb" "$root" "$@"
fi

mounts() {
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mount --rbind /dev "$root/dev"
}

export LC_ALL=C DEBIAN_FRONTEND=noninteractive HOME=/root
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ "$verb" = inside-make ]; then
	command -v debootstrap >/dev/null || {
		echo "debootstrap is not installed: apt-get install debootstrap" >&2
		exit 8
	}
	rm -rf --one-file-system "$root"
	# The machine's own mirror, if it has one. apt expands the variable.
	# shellcheck disable=SC2016
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
	debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"}
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	mounts
	# No package may start a daemon.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	chroot "$root" apt-get -q update
	chroot "$root" apt-get -qy install --no-install-recommends "$@"
	chroot "$root" apt-get clean
else
	folder=$1
	shift
	mounts
	mkdir -p "$root$folder" "$root/var/lib/lava/dispatcher"
	mount --bind "$folder" "$root$folder"
	# Jobs leave their downloads here when they are killed.
	mount -t tmpfs tmpfs "$root/var/lib/lava/dispatcher"
	exec chroot "$root" "$@"
fi
