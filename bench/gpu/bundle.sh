#!/usr/bin/env bash
# Makes a folder, and a .tar.gz of it, that checks and measures the CUDA target on a machine which
# has nothing but a driver and a CUDA toolkit: docs/gpu-bundle.md. Run by `make gpu-bundle`.
#   BUNDLE     the folder (out/gpu-bundle)
#   NETWORKS   lines `NAME TASKS RXGEN-ARGUMENTS...` that replace those below
#   TESTS      tests of kernels that go along
#   DATA       folder of Fashion-MNIST; "none": leave it out
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=${BUNDLE:-out/gpu-bundle}
build=${BUILD:-out/build}
rxgen=${RXGEN:-./rxgen}
tests=${TESTS-test_cuda_simple test_cuda_conv test_cuda_grouped}
data=${DATA:-/usr/share/datasets/fashion-mnist}
megabytes_max=60

# Tasks are joined by commas: `default` is what is trained, `sanitize` what compute-sanitizer runs,
# `train` and `infer` what is timed.
networks=${NETWORKS:-"
fashion_resnext-f32     default,sanitize models/fashion_resnext.lua
fashion_resnext-bf16    sanitize models/fashion_resnext.lua --dtype bf16
resnext50_32x4d-bf16    train,infer models/resnext50_32x4d.lua --dtype bf16
resnext50_32x4d-f32     train,infer models/resnext50_32x4d.lua
resnext101_32x4d-bf16   train,infer models/resnext101_32x4d.lua --dtype bf16
resnext101_32x4d-f32    train,infer models/resnext101_32x4d.lua"}

copy_generator() {
    cp "$rxgen" "$build/librxruntime.a" "$build/librxcuda.a" "$bundle/"
    find templates models runtime -type f ! -path 'runtime/*.c' | while read -r file; do
        install -D -m 644 "$file" "$bundle/$file"
    done
    cp LICENSE "$bundle/"
}

copy_tests() {
    local test library
    mkdir -p "$bundle/tests" "$bundle/lib"
    for test in $tests; do
        cp "$build/tests/$test" "$bundle/tests/"
    done
    # There is no static cmocka in Debian.
    library=$(ldd "$build/tests/${tests%% *}" | awk '$1 ~ /^libcmocka/ {print $3}')
    cp -L "$library" "$bundle/lib/"
}

build_networks() {
    local name tasks arguments
    mkdir -p "$bundle/networks"
    while read -r name tasks arguments; do
        [ -n "$name" ] || continue
        echo "$name"
        # shellcheck disable=SC2086
        "$rxgen" --quiet --target cuda --arch sm_90 --out "$bundle/networks/$name" $arguments
        echo "$name $tasks $arguments" >>"$bundle/NETWORKS"
    done <<<"$networks"
}

rm -rf "$bundle" "$bundle.tar.gz"
mkdir -p "$bundle"
copy_generator
copy_tests
build_networks
cp bench/gpu/run.sh bench/gpu/peer.py bench/peers/network.py docs/gpu-bundle.md "$bundle/"
if [ "$data" != none ]; then
    mkdir -p "$bundle/data" && cp -rL "$data" "$bundle/data/fashion-mnist"
fi
"$rxgen" --version >"$bundle/VERSION"

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01 UTC' \
    -C "$(dirname "$bundle")" -cf - "$(basename "$bundle")" | gzip -n >"$bundle.tar.gz"
bytes=$(stat -c %s "$bundle.tar.gz")
echo "$bundle.tar.gz: $((bytes / 1000000)) MB; unpack it where a GPU is and call run.sh there"
[ "$bytes" -le $((megabytes_max * 1000000)) ] || {
    echo "$bundle.tar.gz: more than $megabytes_max MB: fewer NETWORKS" >&2
    exit 1
}
