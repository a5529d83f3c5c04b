#!/usr/bin/env bash
# Installs the packages that are missing, or prints the one line that would. Silent and without a
# network call when nothing is missing.
set -euo pipefail
packages=(gcc g++ libc6-dev make liblua5.4-dev libcmocka-dev libjansson-dev zlib1g-dev
    librandom123-dev libxxhash-dev dataset-fashion-mnist)
missing=()
for p in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ]; then
    sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo=sudo
else
    echo "missing packages; install them with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "installing: ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo -E apt-get install -y -qq "${missing[@]}" >/dev/null
