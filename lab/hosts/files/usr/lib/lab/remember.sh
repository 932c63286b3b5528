#!/bin/bash
# keeps how this host was delivered, for reset.sh
set -e
mkdir -p /usr/lib/lab/delivered
cp -a /etc/fstab /usr/lib/lab/delivered/fstab
cp -a /etc/elasticsearch /usr/lib/lab/delivered/elasticsearch
