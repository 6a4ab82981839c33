#!/bin/sh
# Stands in for a test that this build cannot have: skip.sh REASON
echo "skipped: $1"
exit 77
