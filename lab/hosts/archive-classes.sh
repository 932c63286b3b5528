#!/usr/bin/env bash
# archive-classes.sh STAGE VERSION USER-ID GROUP-ID: starts that Elasticsearch once, with the paths that it has on the hosts, and lets
# Java write what it loaded into a class data archive, STAGE/archives/VERSION.jsa: with it a node starts in half the time.
# To be run in a mount and a network namespace of its own (unshare --mount --net).
set -euo pipefail
stage=$1 version=$2 uid=$3 gid=$4
mount --make-rprivate /
mount --bind "$stage" /opt
# /usr/share/elasticsearch is a link on the hosts too; Java resolves it
if [ -e /usr/share/elasticsearch ] || [ -L /usr/share/elasticsearch ]; then
  echo "this machine has its own /usr/share/elasticsearch: hosts start without a class data archive" >&2
  exit 0
fi
mkdir /tmp/archive-classes.$$
work=/tmp/archive-classes.$$
trap 'rm -rf "$work"; umount /usr/share 2>/dev/null || true' EXIT
# an overlay of our own, so that the link appears in this namespace only
mkdir -p "$work"/{upper,work,config,data,logs,archives,tmp}
mount -t overlay overlay -o "lowerdir=/usr/share,upperdir=$work/upper,workdir=$work/work" /usr/share
ln -s "/opt/elasticsearch-$version" /usr/share/elasticsearch
ip link set lo up
cp -R "/opt/elasticsearch-$version/config/." "$work/config/"
cat >"$work/config/elasticsearch.yml" <<YAML
node.name: archive
path.data: $work/data
path.logs: $work/logs
path.repo: $work/data
discovery.type: single-node
xpack.security.enabled: false
YAML
sed -i -E '/UseG1GC|UseConcMarkSweepGC|CMSInit|^8:|Xlog:gc/d' "$work/config/jvm.options"
printf '%s\n' -Xms400m -Xmx400m -XX:+UseParallelGC -XX:TieredStopAtLevel=1 >"$work/config/jvm.options.d/lab.options"
chown -R "$uid:$gid" "$work"
# From 8.19 on the server patches java.base for its entitlements, with which Java has no archive at all; its starter profits.
server_options=
if [ ! -d "/opt/elasticsearch-$version/lib/entitlement-bridge" ]; then
  server_options="-XX:ArchiveClassesAtExit=$work/archives/$version.jsa -Xlog:cds=off -Xlog:cds+dynamic=off"
fi
run=(setpriv "--reuid=$uid" "--regid=$gid" --clear-groups env -i PATH=/usr/bin:/bin HOME="$work" ES_PATH_CONF="$work/config" ES_TMPDIR="$work/tmp"
  "ES_JAVA_OPTS=$server_options"
  "CLI_JAVA_OPTS=-XX:ArchiveClassesAtExit=$work/archives/$version-cli.jsa -XX:TieredStopAtLevel=1 -Xlog:cds=off -Xlog:cds+dynamic=off")
"${run[@]}" /usr/share/elasticsearch/bin/elasticsearch -p "$work/data/pid" >"$work/output" 2>&1 &
server=$!
call() { curl -sf --max-time 20 -H 'content-type: application/json' "$@" >/dev/null; }
for _ in $(seq 240); do
  call http://127.0.0.1:9200/ && break
  kill -0 $server 2>/dev/null || { tail -20 "$work/output" >&2; exit 1; }
  sleep 0.25
done
# what a node of a lab does, so that those classes are in the archive too
u=http://127.0.0.1:9200
call -X PUT $u/a -d '{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{"t":{"type":"text"},"d":{"type":"date"}}}}' || true
call -X POST "$u/a/_bulk?refresh=true" --data-binary $'{"index":{"_id":"1"}}\n{"t":"one two","d":"2026-01-01","n":1}\n' || true
call "$u/a/_search" -d '{"query":{"match":{"t":"one"}},"sort":["_doc"]}' || true
call -X PUT $u/_snapshot/r -d "{\"type\":\"fs\",\"settings\":{\"location\":\"$work/data/r\"}}" || true
call -X PUT "$u/_snapshot/r/s?wait_for_completion=true" || true
call -X DELETE $u/a || true
call -X POST "$u/_snapshot/r/s/_restore?wait_for_completion=true" || true
call "$u/_cluster/health" && call "$u/_nodes/stats" && call "$u/_stats" || true
kill "$(cat "$work/data/pid")"
wait $server || true
mkdir -p "$stage/archives"
[ -z "$server_options" ] || [ -s "$work/archives/$version.jsa" ] || { echo "no class data archive of $version was written:"; tail -20 "$work/output"; exit 1; } >&2
cp "$work"/archives/*.jsa "$stage/archives/"
chmod 644 "$stage"/archives/*.jsa
