#!/bin/sh
# The main job, from nothing: backbone and photos are fetched into demo/ once, then a model is
# trained, evaluated and asked about one photo that it has not seen.
#
#   scripts/demo.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$(cd "$1" && pwd)
headstart=$build/cli/headstart
HEADSTART_CACHE=$PWD/demo/cache
export HEADSTART_CACHE
run=demo/run photos=demo/photos unseen=demo/validation

# Shows a command as the user would type it, then runs it.
step() {
    printf '\n$ headstart %s\n' "$*"
    "$headstart" "$@"
}

mkdir -p demo
if [ -z "$(ls demo/cache/backbones 2>/dev/null)" ]; then
    scripts/setup.sh pip
    step backbones pull efficientnet_lite0
fi
scripts/demo-photos $photos

rm -rf $run $unseen
step train $photos -o $run

# The validation side as a folder of its own, from the run's split.csv (path,label,sha256,side).
for class in "$photos"/*; do
    mkdir -p "$unseen/$(basename "$class")"
done
awk -F, '$4 == "validation" { print $1 }' $run/split.csv | while read -r path; do
    ln "$photos/$path" "$unseen/$path"
done
step eval $run/model.safetensors $unseen

photo=$(find $unseen -type f | sort | head -n 1)
step predict $run/model.safetensors "$photo"
printf '\ntrue label:      %s\n' "$(basename "$(dirname "$photo")")"
printf 'predicted label: %s\n' "$("$headstart" predict --format csv $run/model.safetensors "$photo" |
    awk -F, 'NR == 2 { print $2 }')"
printf '\nthe model:  %s/model.safetensors\nthe report: %s/report.html\n' $run $run
