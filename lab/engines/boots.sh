#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boot each folder below this one with QEMU, and leave its logs there.
#
#   ./run [KERNEL/SUITE]...      ACCEL=kvm uses KVM; the default is TCG
#
# Bring the whole directory back, and judge it: make judge LOGS=DIR
cd "$(dirname "$0")" || exit 2
: "${ACCEL:=tcg}"
export ACCEL
command -v qemu-system-x86_64 >/dev/null || {
	echo "qemu-system-x86_64 is not installed (Debian: qemu-system-x86)" >&2
	exit 8
}
[ $# -gt 0 ] || set -- */*/

hash() {
	sha256sum "$1" | cut -d ' ' -f 1
}

failed=0
for boot; do
	echo "$boot"
	(
		cd "$boot" || exit 1
		rm -f ran.json console.log results.log
		ended=true
		timeout "$(cat limit)" sh ./command </dev/null >qemu.log 2>&1
		case $? in
		0) ;;
		124) ended=false ;;
		*) tail -n 5 qemu.log >&2; exit 1 ;;
		esac
		version=$(qemu-system-x86_64 --version | head -n 1)
		printf '{"boot": "%s", "image": "%s", "initrd": "%s", "engine": "%s", "ended": %s}\n' \
			"$(hash boot.json)" "$(hash image)" "$(hash initrd.cpio)" "$version" "$ended" \
			>ran.json
	) || failed=1
done
exit "$failed"
