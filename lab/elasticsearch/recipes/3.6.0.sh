# the zip has every module
distribution org.opensearch.distribution.integ-test-zip:opensearch
