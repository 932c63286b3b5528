#!/usr/bin/env bash
# build-image.sh KERNEL-DIR FILES-DIR OUT: the hosts' root file system, OUT/base.img, and OUT/packages, the package
# repository they install from. Debian 12 with systemd and sshd as a hoster delivers it: no NFS, no rsync.
set -euo pipefail
KERNEL=${1:?kernel} FILES=${2:?files} OUT=${3:?output directory}
MIRROR=$("$(dirname "$0")/mirror.sh")
export DEBIAN_FRONTEND=noninteractive
# what a runbook may install on a host; fetched together with the image, so that the versions fit
# (python3 is there already: nfs-common needs it, and hosts of this age have it anyway)
LATER=(nfs-kernel-server nfs-common rpcbind rsync)
KERNEL_VERSION=$(ls "$KERNEL/modules")
root=$OUT/root
mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include=systemd,systemd-sysv,udev,dbus,openssh-server,chrony,sudo,iproute2,iputils-ping,netbase,kmod,procps,ca-certificates,passwd,mount,util-linux,e2fsprogs,curl,netcat-openbsd,python3 \
  --customize-hook='chroot "$1" apt-get clean' \
  --customize-hook="chroot \"\$1\" apt-get -qq install -y --download-only ${LATER[*]}" \
  --customize-hook="mkdir \"$OUT/packages\" && cp \"\$1\"/var/cache/apt/archives/*.deb \"$OUT/packages/\"" \
  bookworm "$root" "deb $MIRROR bookworm main"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
mkdir -p "$root/var/lib/apt/lists/partial"

chroot "$root" useradd -m -s /bin/bash ops
chroot "$root" useradd -m -s /bin/bash nosudo
chroot "$root" useradd -r -u 995 -U -s /usr/sbin/nologin -d /nonexistent elasticsearch
for user in ops nosudo; do
  install -d -m 700 "$root/home/$user/.ssh"
  chroot "$root" chown "$user:$user" "/home/$user/.ssh"
done
install -d -m 700 "$root/root/.ssh"
install -d -o 995 -g 995 -m 750 "$root/var/lib/elasticsearch" "$root/var/log/elasticsearch"
chmod 2750 "$root/var/lib/elasticsearch"
cp -a --no-preserve=ownership "$FILES/." "$root/"
chmod 440 "$root/etc/sudoers.d/ops"
echo '/dev/ubdb /opt ext4 ro,nofail,x-systemd.device-timeout=30 0 0' >>"$root/etc/fstab"

# each host gets its own from its seed (lab-seed.service)
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
chroot "$root" systemctl -q enable systemd-networkd systemd-network-generator ssh lab-seed elasticsearch chrony
chroot "$root" systemctl -q disable systemd-timesyncd 2>/dev/null || true
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer fstrim.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service getty@tty1.service console-getty.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
  systemd-pstore.service
mkdir -p "$root/lib/modules"
cp -a "$KERNEL/modules/$KERNEL_VERSION" "$root/lib/modules/"
chroot "$root" depmod "$KERNEL_VERSION"
mke2fs -q -F -t ext4 -d "$root" -L root "$OUT/base.img" 6G
rm -rf "$root"

# the index of a flat repository, as dpkg-scanpackages would write it
cd "$OUT/packages"
for deb in *.deb; do
  dpkg-deb -f "$deb"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
done >Packages
printf 'Origin: lab\nSuite: lab\nCodename: lab\nDate: %s\nSHA256:\n %s %s Packages\n' "$(date -Ru)" \
  "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" >Release
chmod -R a+rX "$OUT/packages"
