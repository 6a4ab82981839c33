#!/bin/sh
# Runs every test of a build folder. The last line counts them; a skipped one has its reason above.
#
#   scripts/test.sh BUILD
#
# With CI set, what scripts/check.sh checks follows, and all its tools must be here.
set -eu
build=$1
here=$(dirname "$0")

# Tests that need pretrained backbones take them from a cache of their own, filled once; the second
# is for one test alone, which skips without it.
HEADSTART_CACHE=$(cd "$build" && pwd)/cache
export HEADSTART_CACHE
backbone=efficientnet_lite0
no_backbone=$build/meson-logs/no-backbone.txt
rm -f "$no_backbone"
if [ ! -e "$build/cache/pulled" ]; then
    "$here/setup.sh" pip >/dev/null 2>&1 || true
    if "$build/cli/headstart" backbones pull $backbone >"$no_backbone" 2>&1; then
        "$build/cli/headstart" backbones pull mobilenet_v2_tonylins >/dev/null 2>&1 || true
        touch "$build/cache/pulled"
        rm -f "$no_backbone"
    fi
fi

code=0
meson test -C "$build" --no-rebuild --print-errorlogs --quiet || code=$?
if [ -n "${CI:-}" ] && [ $code -eq 0 ]; then
    "$here/check.sh" || code=$?
fi
if [ -e "$no_backbone" ]; then
    echo "the backbone $backbone is not here, and fetching it failed:"
    sed 's/^/    /' "$no_backbone"
fi
"$here/test-summary" "$build/meson-logs/testlog.json" || code=1
exit $code
