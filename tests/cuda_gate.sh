#!/usr/bin/env bash
# Compiles every kernel of the shipped models with the real NVRTC, no device needed: a warning, a
# spilled register or more shared memory than a block has without asking fails, and so does machine
# code that lacks what its source is written for: tensor cores, asynchronous copies, accesses of 16
# bytes. What is compiled is kept in the cache, so that a second run takes a fraction of the first.
#   MODELS, ARCHS, DTYPES, FORMS   lists that replace those below; RXGEN the generator
#   BLOCK_MODELS                   those that are built in forms a and b too
#   SASS_ARCHS                     whose code is disassembled, where there is an nvdisasm
#   JOBS                           networks at once
set -uo pipefail
cd "$(dirname "$0")/.." || exit
unset RXGEN_CUDA_LIB_DIR
export rxgen=${RXGEN:-./rxgen} out=${GATE_OUT:-out/build/cuda-gate}
models=${MODELS:-$(ls models/*.lua)}
block_models=${BLOCK_MODELS-models/fashion_resnext.lua models/resnext29_8x64d.lua}
archs=${ARCHS:-sm_80 sm_86 sm_89 sm_90 sm_90a sm_100 sm_120}
dtypes=${DTYPES:-f32 bf16}
export sass_archs=${SASS_ARCHS-sm_80 sm_90a}

find_nvdisasm() {
    local place
    for place in "${NVDISASM:-}" "${CUDA_HOME:-/usr/local/cuda}/bin/nvdisasm" \
        "$(command -v nvdisasm)" out/bench/venv/lib/python*/site-packages/nvidia/*/bin/nvdisasm; do
        [ ! -x "$place" ] || { echo "$place" && return; }
    done
}
export nvdisasm
nvdisasm=$(find_nvdisasm)
[ -n "$nvdisasm" ] || echo "no nvdisasm: machine code is not looked at (bench-sass installs one)"

# What a source uses has to be in its code: a function of rx_ptx.cuh and an instruction. Stores of
# 16 bytes are those of vectors of 8 channels.
lacks() { # folder
    local source code
    for source in "$1"/kernels/*.cu; do
        code=$("$nvdisasm" -c "${source%.cu}.cubin")
        while read -r function instruction; do
            if grep -q "$function(" "$source" && ! grep -q "$instruction" <<<"$code" &&
                { [ "$function" != rx_store_global16 ] || grep -q 'RX_LANES = 8 ' "$source"; }; then
                echo "no $instruction for $function: $(basename "$source")"
            fi
        done <<'USES'
rx_mma_bf16 HMMA
rx_ldmatrix_x4 LDSM
rx_cp_async16 LDGSTS
rx_store_global16 STG\.E\.128
USES
    done
}

# A block has 48 KB; cubins of sm_90 and later count what the system takes of it besides.
check() { # folder arch
    awk -v most=$((49152 + 1280)) '$7 > 0 {print "spills: " $0}
        $5 > most {print "too much shared memory: " $0}' "$1/kernels/RESOURCES"
    local sources resources
    sources=$(ls "$1"/kernels/*.cu | wc -l)
    resources=$(wc -l <"$1/kernels/RESOURCES")
    [ "$sources" -eq "$resources" ] || echo "$resources of $sources kernels say what they take"
    [ -z "$nvdisasm" ] || [[ " $sass_archs " != *" $2 "* ]] || lacks "$1"
}

# One network: prints how many kernels it has, or what is wrong.
gate() { # model dtype form arch
    local folder bad
    folder=$out/$(basename "$1" .lua)-$3-$2-$4
    if ! bad=$("$rxgen" --quiet --target cuda --arch "$4" --dtype "$2" --form "$3" \
        --out "$folder" "$1" 2>&1); then
        echo "FAULT $folder: $bad"
    else
        bad+=$(check "$folder" "$4")
        echo "kernels $(ls "$folder"/kernels/*.cu | wc -l)"
        [ -z "$bad" ] || sed "s|^|FAULT $folder: |" <<<"$bad"
    fi
    rm -rf "$folder"
}
export -f gate check lacks

networks() {
    local model dtype form arch
    for arch in $archs; do
        for dtype in $dtypes; do
            for model in $models; do
                for form in ${FORMS:-c}; do
                    echo "$model $dtype $form $arch"
                done
                [ -z "${FORMS:-}" ] && [[ " $block_models " == *" $model "* ]] || continue
                echo "$model $dtype a $arch"
                echo "$model $dtype b $arch"
            done
        done
    done
}

mkdir -p "$out"
networks | xargs -P "${JOBS:-$(nproc)}" -L 1 bash -c 'gate "$@"' gate >"$out/log"
grep '^FAULT' "$out/log" >&2
kernels=$(awk '/^kernels/ {n += $2} END {print n + 0}' "$out/log")
faults=$(grep -c '^FAULT' "$out/log")
echo "$kernels kernels of $(grep -c '^kernels' "$out/log") networks, $faults faults"
[ "$faults" -eq 0 ] && [ "$kernels" -gt 0 ]
