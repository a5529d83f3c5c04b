#!/usr/bin/env bash
# What the kernels of the shipped models do to memory, counted on the emulated device: a training
# and an inference step of one image of the models' own size, each kernel once. Limits are 1.05
# passes over the banks of shared memory for each ideal one, and 1.3 sectors of device memory
# requested for each distinct one. Kernels over them that tests/cuda_counters.known allows for are
# counted; any other fails, as does a fault.
#   MODELS, DTYPES   lists that replace those below; RXGEN the generator
#   KEEP=1           leaves networks and counters in GATE_OUT
set -uo pipefail
cd "$(dirname "$0")/.." || exit
rxgen=${RXGEN:-./rxgen}
names=(fashion_resnext resnext29_8x64d resnext29_16x64d resnext50_32x4d resnext101_64x4d)
models=${MODELS:-$(printf 'models/%s.lua ' "${names[@]}")}
dtypes=${DTYPES:-f32 bf16}
out=${GATE_OUT:-out/build/cuda-counters}
faults=0
export RXGEN_CUDA_LIB_DIR=$PWD/out/emu

count() { # model dtype folder
    local folder=$3
    "$rxgen" --quiet --target cuda --arch sm_90a --dtype "$2" --out "$folder" \
        "$1" || return
    rm -f "$folder/counters"
    for mode in train infer; do
        RXGEN_EMU="once=1,memory=16000,trace=$folder/counters" \
            "$folder/bench" --json --mode "$mode" --batch 1 --steps 1 >/dev/null || return
    done
    awk -f tests/cuda_counters.awk tests/cuda_counters.known "$folder/counters"
}

for model in $models; do
    for dtype in $dtypes; do
        folder=$out/$(basename "$model" .lua)-$dtype
        echo "$model $dtype"
        count "$model" "$dtype" "$folder" || faults=$((faults + 1))
        [ -n "${KEEP:-}" ] || rm -rf "$folder"
    done
done
echo "$faults networks with faults"
[ "$faults" -eq 0 ]
