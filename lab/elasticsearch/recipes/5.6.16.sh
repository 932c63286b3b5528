# the whole distribution is on Maven Central
distribution org.elasticsearch.distribution.zip:elasticsearch
