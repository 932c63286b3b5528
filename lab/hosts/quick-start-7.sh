#!/bin/bash
# Takes the place of bin/elasticsearch 7 on the lab's hosts. The shipped script starts four more Java processes to find out
# what is known here, which takes a slow host longer than Elasticsearch itself. The class path is spelled out, since a class
# data archive only fits the one that it was made with.
ES_HOME=/usr/share/elasticsearch
export ES_TMPDIR=${ES_TMPDIR:-/tmp} LIBFFI_TMPDIR=${LIBFFI_TMPDIR:-/tmp}
options=(-Xshare:auto -Des.networkaddress.cache.ttl=60 -Des.networkaddress.cache.negative.ttl=10 -Xss1m -Djava.awt.headless=true
  -Dfile.encoding=UTF-8 -Djna.nosys=true -XX:-OmitStackTraceInFastThrow -XX:+ShowCodeDetailsInExceptionMessages
  -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0
  -Dio.netty.allocator.numDirectArenas=0 -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true
  -Dlog4j2.formatMsgNoLookups=true -Djava.locale.providers=SPI,COMPAT --add-opens=java.base/java.io=ALL-UNNAMED)
for file in "$ES_PATH_CONF"/jvm.options "$ES_PATH_CONF"/jvm.options.d/*.options; do
  [ -r "$file" ] || continue
  while IFS= read -r line; do
    # "N:", "N-:" and "N-M:" before an option limit it to Java releases; this is 17
    if [[ $line =~ ^([0-9]+)(-?)([0-9]*):(-.*)$ ]]; then
      from=${BASH_REMATCH[1]} to=${BASH_REMATCH[3]:-999}
      [ -n "${BASH_REMATCH[2]}" ] || to=$from
      { [ "$from" -le 17 ] && [ "$to" -ge 17 ]; } || continue
      line=${BASH_REMATCH[4]}
    fi
    case $line in -*) options+=("${line//\$\{ES_TMPDIR\}/$ES_TMPDIR}") ;; esac
  done <"$file"
done
LC_ALL=C
jars=("$ES_HOME"/lib/*.jar)
cd "$ES_HOME" || exit 1
IFS=:
classpath="${jars[*]}"
IFS=' '
# shellcheck disable=SC2086 # ES_JAVA_OPTS is a list
exec "$ES_HOME/jdk/bin/java" "${options[@]}" $ES_JAVA_OPTS -Des.path.home="$ES_HOME" -Des.path.conf="$ES_PATH_CONF" \
  -Des.distribution.flavor=default -Des.distribution.type=deb -Des.bundled_jdk=true -cp "$classpath" \
  org.elasticsearch.bootstrap.Elasticsearch "$@" </dev/null
