#!/usr/bin/env bash
# assemble.sh VERSION OUT: makes a runnable server home in OUT out of Maven Central's artefacts alone.
# recipes/VERSION.sh says which: it calls the functions below. Elastic publishes no archive of the whole server there,
# so the modules that the integration-test distribution lacks are added from their own jars.
# With JAVAC_HOME: the JDK that compiles rest-root (8.x and 9.x).
set -euo pipefail
VERSION=${1:?version} OUT=${2:?output directory}
RECIPES=$(cd "$(dirname "$0")" && pwd)/recipes
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# maven GOAL...: pinned, so that the same recipe does the same next year
maven() {
  local goal=$1
  shift
  mvn -B -q "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:$goal" "$@" </dev/null
}

# distribution GROUP:ARTIFACT: the zip to start from
distribution() {
  mkdir -p "$WORK/zip"
  maven copy -Dartifact="$1:$VERSION:zip" -DoutputDirectory="$WORK/zip"
  unzip -q "$WORK"/zip/*.zip -d "$WORK/unpacked"
  mkdir -p "$OUT"
  cp -R "$WORK"/unpacked/*/. "$OUT/"
}

# jars GROUP:ARTIFACT...: those artefacts of this version with all they need at run time, into $WORK/jars
jars() {
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>lab</groupId><artifactId>lab</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    local a
    for a; do
      echo "<dependency><groupId>${a%%:*}</groupId><artifactId>${a#*:}</artifactId><version>$VERSION</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$WORK/pom.xml"
  maven copy-dependencies -f "$WORK/pom.xml" -DincludeScope=runtime -DoutputDirectory="$WORK/jars"
}

# module NAME CLASS EXTENDS 'JAR-GLOB...': a module directory of those jars; a security policy may come on stdin
module() {
  local dir=$OUT/modules/$1 glob policy flavour=elasticsearch
  [ -d "$OUT/modules" ] && ls "$OUT"/lib/opensearch-*.jar >/dev/null 2>&1 && flavour=opensearch
  mkdir -p "$dir"
  for glob in $4; do cp "$WORK"/jars/$glob.jar "$dir/"; done
  cat >"$dir/plugin-descriptor.properties" <<PROPERTIES
description=$1
version=$VERSION
name=$1
classname=$2
java.version=1.8
$flavour.version=$VERSION
extended.plugins=$3
has.native.controller=false
PROPERTIES
  if [ ! -t 0 ]; then
    policy=$(cat)
    [ -z "$policy" ] || printf '%s\n' "$policy" >"$dir/plugin-security.policy"
  fi
}

# What the security manager of 7.x and OpenSearch must allow a module, for its standard input.
painless_policy() {
  cat <<'POLICY'
grant {
  permission java.lang.RuntimePermission "createClassLoader";
  permission java.lang.RuntimePermission "getClassLoader";
};
POLICY
}

# reindex_policy elasticsearch|opensearch: whose REST client it uses
reindex_policy() {
  cat <<POLICY
grant {
  permission java.net.SocketPermission "*", "connect";
};
grant codeBase "\${codebase.$1-rest-client}" {
  permission java.net.NetPermission "getProxySelector";
};
grant codeBase "\${codebase.httpasyncclient}" {
  permission java.net.NetPermission "getProxySelector";
};
POLICY
}

mustache_policy() {
  cat <<'POLICY'
grant {
  permission java.lang.reflect.ReflectPermission "suppressAccessChecks";
  permission java.lang.RuntimePermission "accessDeclaredMembers";
};
POLICY
}

# opensearch_modules ARTIFACT...: those modules of OpenSearch 1 and 2, by the name of their artifact
opensearch_modules() {
  jars "${@/#/org.opensearch.plugin:}"
  local artifact
  for artifact; do
    case $artifact in
      lang-painless) module lang-painless org.opensearch.painless.PainlessPlugin '' \
        'lang-painless-* opensearch-scripting-painless-spi-* asm-[0-9]* asm-analysis-* asm-commons-* asm-tree-* asm-util-* antlr4-runtime-*' \
        < <(painless_policy) ;;
      analysis-common) module analysis-common org.opensearch.analysis.common.CommonAnalysisPlugin lang-painless 'analysis-common-*' </dev/null ;;
      ingest-common) module ingest-common org.opensearch.ingest.common.IngestCommonPlugin lang-painless \
        'ingest-common-* opensearch-dissect-* opensearch-grok-* jcodings-* joni-*' </dev/null ;;
      reindex-client) module reindex org.opensearch.index.reindex.ReindexPlugin '' \
        'reindex-client-* opensearch-ssl-config-* opensearch-rest-client-* httpc*-* httpasync* commons-codec-* commons-logging-*' \
        < <(reindex_policy opensearch) ;;
      parent-join-client) module parent-join org.opensearch.join.ParentJoinPlugin '' 'parent-join-*' </dev/null ;;
      mapper-extras-client) module mapper-extras org.opensearch.index.mapper.MapperExtrasPlugin '' 'mapper-extras-*' </dev/null ;;
      *) echo "no recipe for the module $artifact" >&2; return 1 ;;
    esac
  done
}

# rest_root RELEASE HANDLER-PARAMETERS: the module that answers GET /, which the zips from 8.0 on lack; clients ask it first
rest_root() {
  local dir=$OUT/modules/lab-rest-root
  mkdir -p "$WORK/src/labroot" "$WORK/classes" "$dir"
  sed "s/@HANDLER_PARAMETERS@/$2/" "$RECIPES/rest-root.java.in" >"$WORK/src/labroot/RestRoot.java"
  "${JAVAC_HOME:?}/bin/javac" -nowarn --release "$1" -proc:none -cp "$OUT/lib/*" -d "$WORK/classes" "$WORK/src/labroot/RestRoot.java"
  "$JAVAC_HOME/bin/jar" cf "$dir/lab-rest-root.jar" -C "$WORK/classes" .
  cat >"$dir/plugin-descriptor.properties" <<PROPERTIES
description=answers GET / as the real module does
version=$VERSION
name=lab-rest-root
classname=labroot.RestRoot
java.version=17
elasticsearch.version=$VERSION
extended.plugins=
has.native.controller=false
PROPERTIES
}

. "$RECIPES/$VERSION.sh"
chmod -R a+rX "$OUT"
