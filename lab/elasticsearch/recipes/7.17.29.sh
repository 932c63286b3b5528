distribution org.elasticsearch.distribution.integ-test-zip:elasticsearch
plugin=org.elasticsearch.plugin
jars $plugin:reindex-client $plugin:parent-join-client $plugin:mapper-extras-client $plugin:percolator-client \
  $plugin:rank-eval-client $plugin:aggs-matrix-stats-client $plugin:lang-mustache-client
module reindex org.elasticsearch.reindex.ReindexPlugin '' \
  'reindex-client-* elasticsearch-ssl-config-* elasticsearch-rest-client-* httpclient-4* httpcore-4* httpcore-nio-* httpasyncclient-* commons-codec-* commons-logging-*' < <(reindex_policy elasticsearch)
module parent-join org.elasticsearch.join.ParentJoinPlugin '' 'parent-join-*' </dev/null
module mapper-extras org.elasticsearch.index.mapper.MapperExtrasPlugin '' 'mapper-extras-*' </dev/null
module percolator org.elasticsearch.percolator.PercolatorPlugin '' 'percolator-*' </dev/null
module rank-eval org.elasticsearch.index.rankeval.RankEvalPlugin '' 'rank-eval-*' </dev/null
module aggs-matrix-stats org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin '' 'aggs-matrix-stats-*' </dev/null
module lang-mustache org.elasticsearch.script.mustache.MustachePlugin '' 'lang-mustache-* compiler-*' < <(mustache_policy)
