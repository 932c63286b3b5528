distribution org.opensearch.distribution.integ-test-zip:opensearch
opensearch_modules lang-painless analysis-common reindex-client parent-join-client mapper-extras-client
