#!/usr/bin/env bash
# mirror.sh: the Debian mirror that this machine's own apt uses
set -euo pipefail
mirror=$(apt-get indextargets --format '$(REPO_URI)' | sort -u | grep -E '/debian/?$' | head -1)
[ -n "$mirror" ] || { echo "apt of this machine knows no Debian mirror: run apt-get update first" >&2; exit 1; }
echo "$mirror"
