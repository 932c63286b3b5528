# the whole distribution is on Maven Central, x-pack with CCR, security and ILM included
distribution org.elasticsearch.distribution.zip:elasticsearch
