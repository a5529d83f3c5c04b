#!/usr/bin/env bash
# Compiles every kernel of the shipped models with the real NVRTC, no device needed: a warning, a
# spilled register or more shared memory than a block has without asking fails.
#   MODELS, ARCHS, DTYPES, FORMS   lists that replace those below; RXGEN the generator
set -uo pipefail
cd "$(dirname "$0")/.."
unset RXGEN_CUDA_LIB_DIR
rxgen=${RXGEN:-./rxgen}
models=${MODELS:-$(ls models/*.lua)}
archs=${ARCHS:-sm_80 sm_86 sm_89 sm_90 sm_90a sm_100 sm_120}
dtypes=${DTYPES:-f32 bf16}
forms=${FORMS:-c}
out=${GATE_OUT:-out/build/cuda-gate}
faults=0 kernels=0

check() { # folder
    local bad
    bad=$(awk '$7 > 0 {print "spills: " $0} $5 > 49152 {print "too much shared memory: " $0}' \
        "$1/kernels/RESOURCES")
    local sources resources
    sources=$(ls "$1"/kernels/*.cu | wc -l)
    resources=$(wc -l <"$1/kernels/RESOURCES")
    [ "$sources" -eq "$resources" ] || bad+=" $resources of $sources kernels say what they take"
    kernels=$((kernels + sources))
    [ -z "$bad" ] || { echo "$1: $bad" >&2 && faults=$((faults + 1)); }
}

for model in $models; do
    for dtype in $dtypes; do
        for form in $forms; do
            for arch in $archs; do
                folder=$out/$(basename "$model" .lua)-$form-$dtype-$arch
                if "$rxgen" --quiet --target cuda --arch "$arch" --dtype "$dtype" --form "$form" \
                    --out "$folder" "$model"; then
                    check "$folder"
                else
                    faults=$((faults + 1))
                fi
                rm -rf "$folder"
            done
        done
    done
done
echo "$kernels kernels, $faults faults"
[ "$faults" -eq 0 ] && [ "$kernels" -gt 0 ]
