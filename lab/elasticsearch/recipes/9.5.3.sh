distribution org.elasticsearch.distribution.integ-test-zip:elasticsearch
rest_root 21 'RestHandlersServices a, Supplier<DiscoveryNodes> b, Predicate<NodeFeature> c'
