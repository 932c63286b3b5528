#!/usr/bin/env bash
# build-elasticsearch-disk.sh OUT JDK UID GID VERSION=HOME...: OUT/elasticsearch.img, one read-only disk that all hosts share, mounted
# on /opt: the JDK, the Elasticsearch homes, and class data archives for a quick start (their names: OUT/archives).
# OUT/keystores/VERSION: empty keystores, as Elastic's packages make one when they are installed. UID and GID: somebody who is not root.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=${1:?output directory} JDK=${2:?jdk} OWNER=${3:?uid} GROUP=${4:?gid}
shift 4
stage=$OUT/stage
mkdir -p "$stage/jdk"
# a distribution's JDK is full of links into /etc and /usr/share: follow them; leave out what a server never reads
tar -C "$JDK" -chf - --exclude=./docs --exclude=./man --exclude=./legal --exclude=./jmods --exclude=./include --exclude=./demo \
  --exclude=./lib/src.zip --exclude=./lib/ct.sym --ignore-failed-read --warning=no-failed-read . 2>/dev/null |
  tar -C "$stage/jdk" -xf -
make_keystore() { # VERSION HOME
  local config=$OUT/keystore.stage
  case $1 in 5.*) return ;; esac
  mkdir -p "$config" "$OUT/keystores"
  cp "$2"/config/{elasticsearch.yml,log4j2.properties,jvm.options} "$config/"
  ES_JAVA_HOME=$JDK JAVA_HOME=$JDK ES_PATH_CONF=$config "$2/bin/elasticsearch-keystore" create >/dev/null 2>&1
  mv "$config/elasticsearch.keystore" "$OUT/keystores/$1"
  rm -rf "$config"
}

for home; do
  place=$stage/elasticsearch-${home%%=*}
  mkdir "$place"
  cp -a "${home#*=}/." "$place/"
  rm -rf "$place/logs" "$place/data"
  # where Elastic's own package has its bundled JDK
  ln -s /opt/jdk "$place/jdk"
  make_keystore "${home%%=*}" "${home#*=}"
  case ${home%%=*} in
  7.*) install -m 755 "$HERE/quick-start-7.sh" "$place/bin/elasticsearch" ;;
  [89].*) # a class data archive only fits the class path it was made with, and a wildcard's order is the file system's
    sed -i 's#^LAUNCHER_CLASSPATH=.*#LAUNCHER_CLASSPATH=$(LC_ALL=C; jars=("$ES_HOME"/lib/*.jar "$ES_HOME"/lib/cli-launcher/*.jar); IFS=:; echo "${jars[*]}")#' \
      "$place/bin/elasticsearch-cli" ;;
  esac
done
chmod 755 "$stage"
mkdir -p "$stage/archives"
for home; do
  case ${home%%=*} in
  [789].*) unshare --mount --net --fork bash "$HERE/archive-classes.sh" "$stage" "${home%%=*}" "$OWNER" "$GROUP" ;;
  esac
done
ls "$stage/archives" >"$OUT/archives"
chown -R 0:0 "$stage"
megabytes=$(($(du -sm "$stage" | cut -f1) * 11 / 10 + 16))
mke2fs -q -F -t ext4 -b 4096 -O ^has_journal -m 0 -L opt -d "$stage" "$OUT/elasticsearch.img" "${megabytes}M"
rm -rf "$stage"
