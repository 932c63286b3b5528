distribution org.elasticsearch.distribution.integ-test-zip:elasticsearch
codelibs=org.codelibs.elasticsearch.module
jars $codelibs:lang-painless $codelibs:analysis-common $codelibs:ingest-common $codelibs:reindex $codelibs:repository-url \
  $codelibs:parent-join $codelibs:mapper-extras $codelibs:percolator $codelibs:rank-eval $codelibs:aggs-matrix-stats $codelibs:lang-mustache
module lang-painless org.elasticsearch.painless.PainlessPlugin '' \
  'lang-painless-* scripting-painless-spi-* asm-7* asm-analysis-* asm-commons-* asm-tree-* asm-util-* antlr4-runtime-*' < <(painless_policy)
module analysis-common org.elasticsearch.analysis.common.CommonAnalysisPlugin lang-painless 'analysis-common-*' </dev/null
module ingest-common org.elasticsearch.ingest.common.IngestCommonPlugin lang-painless 'ingest-common-* dissect-* grok-* jcodings-* joni-*' </dev/null
module reindex org.elasticsearch.index.reindex.ReindexPlugin '' \
  'reindex-* ssl-config-* elasticsearch-rest-client-* httpclient-4* httpcore-4* httpcore-nio-* httpasyncclient-* commons-codec-* commons-logging-*' < <(reindex_policy elasticsearch)
module parent-join org.elasticsearch.join.ParentJoinPlugin '' 'parent-join-*' </dev/null
module mapper-extras org.elasticsearch.index.mapper.MapperExtrasPlugin '' 'mapper-extras-*' </dev/null
module percolator org.elasticsearch.percolator.PercolatorPlugin '' 'percolator-*' </dev/null
module rank-eval org.elasticsearch.index.rankeval.RankEvalPlugin '' 'rank-eval-*' </dev/null
module aggs-matrix-stats org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin '' 'aggs-matrix-stats-*' </dev/null
module lang-mustache org.elasticsearch.script.mustache.MustachePlugin '' 'lang-mustache-* compiler-*' < <(mustache_policy)
