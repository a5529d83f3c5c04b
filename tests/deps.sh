#!/usr/bin/env bash
# Installs the packages that are missing, or prints the one line that would. Silent and without a
# network call when nothing is missing.
set -euo pipefail
packages=(gcc libc6-dev make liblua5.4-dev libcmocka-dev libjansson-dev zlib1g-dev
    librandom123-dev libxxhash-dev dataset-fashion-mnist)
[ "${1:-}" != lint ] || packages+=(clang-format cppcheck)
[ "${1:-}" != peers ] || packages+=(python3-venv g++ libtcmalloc-minimal4)
[ "${1:-}" != fuzz ] || packages+=(clang)
# Kernels of aarch64: a compiler, and an emulator of processes. The tests skip without them.
[ "${1:-}" != long ] || packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)

if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system; the build needs what Debian calls: ${packages[*]}" >&2
    exit 0
fi
missing=()
for p in "${packages[@]}"; do
    status=$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null || true)
    [ "$status" = 'install ok installed' ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "packages are missing; this installs them:" >&2
        echo "sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo "${as_root[@]}")
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq >/dev/null
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
