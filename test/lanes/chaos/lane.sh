#!/usr/bin/env bash
# Streams through two routers while their engines fail, each response compared with the unbroken one:
# the short form of bench/chaos.ts. Needs Linux, for the sockets and the memory of a process.
set -euo pipefail

if [ "$(uname -s)" != Linux ]; then
  echo "sockets and memory of a process are read from /proc"
  exit 77
fi
"$NODE" bench/chaos.ts --streams 600 --at-once 16 --every 6 --seconds 4
