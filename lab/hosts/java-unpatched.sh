#!/bin/bash
# Takes the place of bin/java in a JDK whose java.base already has what Elasticsearch's starter would patch into it.
arguments=()
for argument; do
  case $argument in --patch-module=java.base=*entitlement-bridge*) ;; *) arguments+=("$argument") ;; esac
done
exec "${BASH_SOURCE[0]%/*}/java.real" "${arguments[@]}"
