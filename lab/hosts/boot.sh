#!/usr/bin/env bash
# boot.sh ROOT BASE-IMAGE DISKS TMP CPU KERNEL-ARGUMENT...: runs a host's kernel in ROOT. To be started by "ip netns exec", whose
# mount namespace is the process's own: these mounts are seen by nobody else and vanish together with the host.
set -euo pipefail
root=$1 base=$2 disks=$3 tmp=$4 cpu=$5
shift 5
mount --make-rprivate /
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$tmp" "$root/tmp"
mount --bind "$disks" "$root/disks"
mount --bind "$base" "$root/disks/base.img"
# One CPU for each host: its kernel and its processes hand over at every system call, and a wake-up across CPUs makes Java start
# four times slower.
exec taskset -c "$cpu" chroot "$root" /usr/bin/linux.uml "$@"
