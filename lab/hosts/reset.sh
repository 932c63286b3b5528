# Run on a host as root, with directories to remove as arguments: puts back how the host was delivered (remember.sh).
# Packages stay installed. Elasticsearch restarts where its configuration had changed.
delivered=/usr/lib/lab/delivered
systemctl list-units --plain --no-legend --all 'shardlift*' | while read -r unit _; do
  systemctl kill --signal=KILL "$unit" 2>/dev/null
  systemctl reset-failed "$unit" 2>/dev/null
done
# bind mounts too: they show a directory of their file system as its root
mapfile -t mounts < <({ findmnt -rnt nfs,nfs4 -o TARGET; findmnt -rnt ext4 -o TARGET,FSROOT | awk '$2 != "/" { print $1 }'; } | tac)
mapfile -t exported < <(sed -E 's/#.*//; s/^"([^"]*)".*/\1/; s/^([^[:space:]]+)[[:space:]].*/\1/' /etc/exports /etc/exports.d/*.exports 2>/dev/null | grep '^/')
mapfile -t wanted < <(awk '$3 ~ /^nfs/ { print $2 }' /etc/fstab)
mapfile -t repositories < <(sed -nE '/^path\.repo:/,/^[^[:space:]#-]/{s#^path\.repo:##; s#[][",]# #g; s#^ *- *##; p}' /etc/elasticsearch/elasticsearch.yml | tr ' ' '\n' | grep '^/')
restart=
if ! diff -r "$delivered/elasticsearch" /etc/elasticsearch >/dev/null 2>&1; then
  rm -rf /etc/elasticsearch
  cp -a "$delivered/elasticsearch" /etc/elasticsearch
  restart=yes
fi
# a node keeps files of the mount open only while it snapshots or restores, but it also keeps the path from being unmounted
[ -z "$restart" ] || systemctl stop elasticsearch
for mount in "${mounts[@]}"; do timeout 10 umount "$mount" || timeout 10 umount -f "$mount" || umount -l "$mount"; done
cp -a "$delivered/fstab" /etc/fstab
systemctl daemon-reload
if [ -e /etc/exports ]; then
  rm -f /etc/exports.d/*.exports
  sed -i '/^# BEGIN shardlift/,/^# END shardlift/d; /^[^#]/d' /etc/exports
  if command -v exportfs >/dev/null; then
    exportfs -ra
    systemctl disable -q --now nfs-server 2>/dev/null
  fi
fi
for directory in "$@" "${exported[@]}" "${wanted[@]}" "${mounts[@]}" "${repositories[@]}" /var/lib/shardlift; do
  case $directory in / | /etc* | /usr* | /var | /var/lib | /home | /opt | '') continue ;; esac
  mountpoint -q "$directory" || rm -rf --one-file-system "$directory"
done
rm -f /etc/*.shardlift* /etc/elasticsearch/*.shardlift*
[ -z "$restart" ] || systemctl start elasticsearch
exit 0
