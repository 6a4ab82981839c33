#!/bin/sh
# The main job, from nothing: backbone and photos are fetched into demo/ once. A fifth of the photos
# is put apart; a model is trained on the others, evaluated on those and asked about one of them.
#
#   scripts/demo.sh BUILD
set -eu
cd "$(dirname "$0")/.."
build=$(cd "$1" && pwd)
headstart=$build/cli/headstart
HEADSTART_CACHE=$PWD/demo/cache
export HEADSTART_CACHE
run=demo/run photos=demo/photos seen=demo/train unseen=demo/test

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

rm -rf $run $seen $unseen
for class in "$photos"/*; do
    mkdir -p "$seen/$(basename "$class")" "$unseen/$(basename "$class")"
done
# By the checksum of its bytes, so that copies of a photo are never on both sides.
find $photos -type f -exec cksum {} + | while read -r sum _ path; do
    apart=$seen
    [ $((sum % 5)) -ne 0 ] || apart=$unseen
    ln "$path" "$apart/${path#"$photos"/}"
done
step train $seen -o $run
step eval $run/model.safetensors $unseen -o demo/eval

photo=$(find $unseen -type f | sort | head -n 1)
step predict $run/model.safetensors "$photo"
printf '\ntrue label:      %s\n' "$(basename "$(dirname "$photo")")"
printf 'predicted label: %s\n' "$("$headstart" predict --format csv $run/model.safetensors "$photo" |
    awk -F, 'NR == 2 { print $2 }')"
printf '\nthe model:  %s/model.safetensors\nthe report: %s/report.html\n' $run $run
