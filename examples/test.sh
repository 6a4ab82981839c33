#!/bin/sh
# Trains a small model, then runs the examples on it: they must say what the program says.
#
#   examples/test.sh HEADSTART PREDICT README LIBRARY
set -eu
headstart=$(realpath "$1") predict=$(realpath "$2") readme=$(realpath "$3")
library=$(realpath "$4")
here=$(cd "$(dirname "$0")" && pwd)
shared=${HEADSTART_SHARED:-$here/../../shared}
fixture=$shared/fixtures/mobilenet_v2_1.0_224/huggingface/google--mobilenet_v2_1.0_224
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "$*"
    exit 1
}

# The backbone of the README where it was fetched, else a published one, else a made-up one.
cd "$work"
backbone=efficientnet_lite0
if ! HEADSTART_OFFLINE=1 "$headstart" backbones verify $backbone >/dev/null 2>&1; then
    backbone=$fixture
    [ -e "$backbone" ] || {
        backbone=$work/backbone
        PYTHONPATH=$here/../tests/cli python3 -c 'import material; material.backbone("backbone")'
    }
fi
"$here/make-photos" photos 5 8
"$headstart" train photos -o run --backbone "$backbone" -q || fail "train failed"
cp run/model.safetensors model.safetensors
cp photos/blue/0.png photo.jpg

"$headstart" predict --format csv model.safetensors photo.jpg >expected.csv
label=$(awk -F, 'NR == 2 { print $2 }' expected.csv)
"$predict" model.safetensors photo.jpg >predict.txt || fail "predict failed"
grep -q "^photo.jpg: $label [01]\.[0-9]*$" predict.txt || fail "predict.txt: $(cat predict.txt)"
"$predict" model.safetensors missing.jpg 2>predict.err && fail "predict: a missing photo is fine?"
grep -q missing.jpg predict.err || fail "predict does not name the missing photo"

"$readme" >readme.txt || fail "the README's program failed"
best=$(sort -k2,2 -r readme.txt | awk 'NR == 1 { print $1 }')
[ "$best" = "$label" ] || fail "the README's program says $best, headstart says $label"
[ "$(wc -l <readme.txt)" -eq 5 ] || fail "the README's program does not list 5 classes"

python() { HEADSTART_LIBRARY=$library python3 "$here/headstart.py" "$@"; }
case ${MESON_EXE_WRAPPER:-}$(nm -D "$library" | grep -c __asan_init || true) in
0)
    python model.safetensors photo.jpg >python.txt || fail "headstart.py failed"
    grep -q "^photo.jpg: $label [01]\.[0-9]*, " python.txt || fail "python.txt: $(cat python.txt)"
    python model.safetensors missing.jpg 2>python.err && fail "headstart.py: a missing photo is fine?"
    grep -q missing.jpg python.err || fail "headstart.py does not name the missing photo"
    ;;
*[!0-9]*) echo "headstart.py left out: the library is for another machine than this Python" ;;
*) echo "headstart.py left out: a library built with sanitizers cannot be loaded later" ;;
esac
