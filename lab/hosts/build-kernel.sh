#!/usr/bin/env bash
# build-kernel.sh OUT: a User Mode Linux kernel and a C library new enough for it, unpacked, never installed on this machine.
# OUT/root is what it is run in (chroot), OUT/modules/VERSION are its modules.
# Debian's sid has it with seccomp, many times faster than the ptrace of bookworm's.
set -euo pipefail
OUT=${1:?output directory}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
MIRROR=$("$(dirname "$0")/mirror.sh")
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
mkdir -p "$WORK"/lists/partial "$WORK"/cache/archives/partial "$WORK/debs"
chmod 755 "$WORK"
for suite in sid trixie; do echo "deb [signed-by=$KEYRING] $MIRROR $suite main"; done >"$WORK/sources.list"
apt_options=(-qq -o "Dir::Etc::sourcelist=$WORK/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$WORK/lists" -o "Dir::Cache=$WORK/cache" -o APT::Sandbox::User=root)
apt-get update "${apt_options[@]}"
(cd "$WORK/debs" && apt-get download "${apt_options[@]}" user-mode-linux/sid libc6/trixie)
dpkg-deb -x "$WORK"/debs/user-mode-linux_*.deb "$WORK/kernel"
root=$OUT/root
dpkg-deb -x "$WORK"/debs/libc6_*.deb "$root"
mkdir -p "$root"/{proc,dev,tmp,disks,usr/bin}
[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
[ -e "$root/lib64" ] || ln -s usr/lib64 "$root/lib64"
cp "$WORK/kernel/usr/bin/linux.uml" "$root/usr/bin/"
cp -a "$WORK/kernel/usr/lib/uml/modules" "$OUT/modules"
