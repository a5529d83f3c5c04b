#!/usr/bin/env bash
# The golden kernels: emits a fixed list of kernels for x86-64-v3 and compares them with what is in
# tests/golden/kernels. `gold.sh` writes the new ones and shows the difference, which is what a
# change of a template or a pass is reviewed by; `gold.sh --check` only compares and exits 1 if they
# differ. Hashes are blanked: they are of the whole template.
set -euo pipefail
cd "$(dirname "$0")/.."
rxgen=${RXGEN:-./rxgen}
golden=tests/golden/kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Only sources are wanted: this compiler says a fixed version, and makes empty files.
mkdir -p "$work/bin" "$work/kernels"
cat >"$work/bin/gcc" <<'SH'
#!/bin/sh
[ "$1" != -dumpfullversion ] || { echo 12.2.0; exit; }
while [ $# -gt 0 ]; do
    [ "$1" != -o ] || : >"$2"
    shift
done
SH
chmod +x "$work/bin/gcc"

emit() { # NAME OPTION...: emits a network into $work/NAME
    PATH=$work/bin:$PATH CC=gcc RXGEN_CFLAGS='' RXGEN_CACHE_DIR=$work/cache \
        "$rxgen" --quiet --target cpu --arch x86-64-v3 --out "$work/$1" "${@:2}"
}

take() { # NAME KERNEL...: kernels of an emitted network by their names without variant and hash
    local name=$1 kernel found hash
    for kernel in "${@:2}"; do
        mapfile -t found < <(compgen -G "$work/$name/kernels/${kernel}_*_????????.c")
        if [ ${#found[@]} -ne 1 ]; then
            echo "gold: $name has ${#found[@]} kernels $kernel, not 1" >&2
            exit 1
        fi
        hash=${found[0]%.c} && hash=${hash: -8}
        sed "s/$hash/HASHHASH/g" "${found[0]}" >"$work/kernels/$kernel.c.txt"
    done
}

emit fashion models/fashion_resnext.lua
take fashion \
    rx_conv3x3_stats_c1k32g1_28x28 rx_conv1x1_bias_c256k10g1_1x1 \
    rx_conv1x1_bn_relu_stats_c64k128g1_7x7 rx_conv1x1_bn_relu_c64k128g1_14x14 \
    rx_conv1x1_dgrad_bn_mask_sums_c64k64g1_14x14 rx_conv1x1_wgrad_bn_relu_c32k64g1_14x14 \
    rx_gconv3x3_bn_relu_stats_c32k32g8_14x14 rx_gconv3x3_bn_relu_stats_c128k128g8_7x7 \
    rx_gconv3x3_dgrad_bn_mask_sums_c64k64g8_14x14 rx_gconv3x3_wgrad_bn_relu_c64k64g8_14x14 \
    rx_gap_bn_relu_c256_4x4 rx_gap_grad_mask_bn_sums_c256_4x4 \
    rx_bn_coef_c64_1x1 rx_bn_grad_coef_c64_7x7 rx_bn_fold_c64_1x1 \
    rx_loss_c10_1x1 rx_bias_grad_c10_1x1 rx_sgd_n2752 rx_update_n288 rx_transpose_c32k32g8_14x14
emit fashion_bf16 models/fashion_resnext.lua --dtype bf16
take fashion_bf16 \
    rx_conv1x1_bn_relu_stats_bf16_c64k128g1_7x7 rx_conv1x1_dgrad_bn_mask_sums_bf16_c64k64g1_14x14
emit fashion_pairs models/fashion_resnext.lua --dtype bf16 --arch x86-64-v4+bf16
take fashion_pairs rx_conv1x1_bn_relu_bf16_c64k128g1_14x14 \
    rx_conv1x1_wgrad_bn_relu_bf16_c32k64g1_14x14 rx_pack_c64k128g1_14x14
emit fashion_avx512 models/fashion_resnext.lua --arch x86-64-v4
take fashion_avx512 rx_gconv3x3_dgrad_bn_mask_sums_c32k32g8_14x14
emit fashion_tiles models/fashion_resnext.lua --dtype bf16 --arch x86-64-v4+amx
take fashion_tiles rx_conv1x1_bn_relu_stats_bf16_c128k256g1_4x4 \
    rx_conv1x1_dgrad_bn_mask_sums_bf16_c128k256g1_4x4 rx_conv1x1_wgrad_bn_relu_bf16_c128k256g1_4x4
emit imagenet models/resnext50_32x4d.lua --set image=64 --set depth=26
take imagenet rx_conv7x7_stats_c3k64g1_64x64 rx_maxpool_bn_relu_c64_32x32 \
    rx_maxpool_grad_bn_mask_sums_c64_32x32

if [ "${1:-}" = --check ]; then
    diff -ru $golden "$work/kernels" || { echo "run \`make gold\` and read its diff" && exit 1; }
    exit
fi
mkdir -p $golden
diff -ruN $golden "$work/kernels" || true
rm -f $golden/*
cp "$work/kernels"/* $golden/
