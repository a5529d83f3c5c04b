#!/usr/bin/env bash
# Checks and measures the CUDA target on this machine's first device, in less than nine minutes, and
# writes one JSON report: docs/gpu-bundle.md. It needs a driver and a CUDA toolkit, found as
# RXGEN_CUDA_LIB_DIR, CUDA_HOME or the loader's path say. Exits 0 if all that ran went well.
#   REPORT        the report (report.json)              LIMIT     seconds for everything
#   BATCHES       tried one after the other while memory lacks; STEPS that are timed
#   TRAINING      arguments of the default network's training
#   SANITIZER     compute-sanitizer ("": it is looked for; none: leave it out)
#   PYTHON        with PyTorch (python3; none: leave it out)
#   PATIENCE      times as long for everything: an emulated device is slow
set -uo pipefail
cd "$(dirname "$0")" || exit 1
export LC_ALL=C LD_LIBRARY_PATH=$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export RXGEN_CACHE_DIR=${RXGEN_CACHE_DIR:-$PWD/cache}
report=${REPORT:-report.json}
patience=${PATIENCE:-1}
limit=$((${LIMIT:-520} * patience))
batches=${BATCHES:-256 128 64 32}
steps=${STEPS:-20}
training=${TRAINING:---data fashion-mnist:data/fashion-mnist --epochs 2}
python=${PYTHON:-python3}
sanitizer=${SANITIZER:-$(command -v compute-sanitizer ||
    ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null)}
kernel_steps=5 # of the run that times each kernel, which is slower
faults=0
rm -rf logs run && mkdir -p logs run cache && chmod 700 cache

say() {
    echo "$((SECONDS)) s: $*" >&2
}

# --- JSON ---

text() { # as a JSON string; what is not printable ASCII goes
    local s=${1//\\/\\\\}
    s=${s//\"/\\\"}
    s=${s//$'\n'/\\n}
    printf '"%s"' "$(printf '%s' "$s" | tr -cd '\040-\176')"
}

number() { # as a JSON number, or null
    if [[ $1 =~ ^-?[0-9]+(\.[0-9]+)?$ ]]; then printf '%s' "$1"; else printf null; fi
}

object_of() { # the last line of a file that is an object, or null
    { grep '^{.*}$' "$1" 2>/dev/null || echo null; } | tail -n 1
}

list() { # the arguments as an array
    local IFS=,
    printf '[%s]' "$*"
}

# --- steps ---

# step NAME SECONDS COMMAND...: runs it for at most so long, and not past the limit. What it prints
# goes to logs/NAME.out and .err; its status to `status`, as JSON to `outcome`.
step() {
    local name=$1 seconds=$(($2 * patience)) left=$((limit - SECONDS)) code start=$SECONDS why=
    shift 2
    [ "$seconds" -le "$left" ] || seconds=$left
    if [ "$seconds" -lt 5 ]; then
        status=skipped why="no time is left"
    else
        timeout -k 5 "$seconds" "$@" >"logs/$name.out" 2>"logs/$name.err" </dev/null
        code=$?
        status=ok
        [ "$code" -eq 0 ] || { status=failed && why="exit $code: $(tail -n 3 "logs/$name.err")"; }
        [ "$code" -ne 124 ] || { status=timeout && why="stopped after $seconds s"; }
    fi
    settle "$name" "$((SECONDS - start))" "$why"
}

settle() { # NAME SECONDS WHY
    [ "$status" = ok ] || [ "$status" = skipped ] || faults=$((faults + 1))
    outcome="\"status\": \"$status\", \"seconds\": $2, \"why\": $(text "$3")"
    say "$1: $status${3:+: $3}"
}

skip() { # NAME WHY
    status=skipped
    settle "$1" 0 "$2"
}

# Names of networks that have a task.
networks() {
    awk -v task="$1" '("," $2 ",") ~ ("," task ",") {print $1}' NETWORKS
}

# --- what is here ---

query() { # one field of nvidia-smi, of the first device
    nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits 2>/dev/null | head -n 1
}

find_device() {
    ./rxgen --target auto --explain models/fashion_resnext.lua >logs/device.out 2>logs/device.err
    arch=$(sed -n 's/^target cuda: a device answers, //p' logs/device.err)
    machine="{\"arch\": $(text "$arch"), \"gpu\": $(text "$(query name)"),
  \"driver\": $(text "$(query driver_version)"), \"memory_mb\": $(number "$(query memory.total)"),
  \"sm_clock_mhz\": $(number "$(query clocks.max.sm)"),
  \"cpu\": $(text "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"),
  \"cores\": $(nproc), \"system\": $(text "$(uname -sr)")}"
}

# Another NVRTC, or another architecture, than those of the bundle compile the kernels when a
# program opens; here for all networks at once, so that nothing below waits for it.
prepare_all() {
    local name pids=() bad=0
    while read -r name _; do
        "networks/$name/bench" --mode train --batch 2 --steps 1 --json &
        pids+=($!)
    done <NETWORKS
    for pid in "${pids[@]}"; do
        wait "$pid" || bad=1
    done
    return $bad
}
export -f prepare_all

# --- the parts of the report ---

check_kernels() {
    local program rows=() count
    for program in tests/*; do
        RXGEN_TEST_DEVICE=$arch CMOCKA_MESSAGE_OUTPUT=stdout step "$(basename "$program")" 150 \
            "$program"
        count=$(cat "logs/$(basename "$program")".{out,err} 2>/dev/null | sort -u |
            awk '/^\[ +OK +\]/ {ok++} /^\[ +FAILED +\] [a-z_0-9]+$/ {bad++}
            /^\[ +SKIPPED +\] [a-z_0-9]+$/ {skip++}
            END {printf "\"passed\": %d, \"failed\": %d, \"skipped\": %d", ok, bad, skip}')
        rows+=("{\"name\": $(text "$(basename "$program")"), $outcome, $count}")
    done
    kernels=$(list "${rows[@]}")
}

sanitize() {
    local tool name rows=()
    for tool in memcheck racecheck initcheck synccheck; do
        for name in $(networks sanitize); do
            if [ -z "$sanitizer" ] || [ "$sanitizer" = none ]; then
                skip "$tool" "there is no compute-sanitizer"
            else
                step "$tool-$name" 25 "$sanitizer" --tool "$tool" --error-exitcode 9 \
                    "networks/$name/bench" --mode train --batch 2 --steps 1 --json
            fi
            rows+=("{\"tool\": \"$tool\", \"network\": $(text "$name"), $outcome}")
        done
    done
    sanitized=$(list "${rows[@]}")
}

train_default() {
    local name rows=()
    for name in $(networks default); do
        # shellcheck disable=SC2086
        step "train-$name" 60 "networks/$name/train" --progress json --run "run/$name" $training
        rows+=("{\"network\": $(text "$name"), $outcome,
  \"evaluation\": $(grep '"top1"' "logs/train-$name.out" >logs/top1 && object_of logs/top1 ||
            echo null),
  \"last_step\": $(grep '"lr"' "logs/train-$name.out" >logs/lr && object_of logs/lr ||
            echo null)}")
    done
    trained=$(list "${rows[@]}")
}

# The largest batch that the device has memory for.
measure_one() { # NAME MODE
    local id=$1-$2 batch
    for batch in $batches; do
        step "bench-$id" 40 "networks/$1/bench" --mode "$2" --batch "$batch" --steps "$steps" --json
        if [ "$status" != failed ] || ! grep -q ': memory: ' "logs/bench-$id.err"; then
            break
        fi
        faults=$((faults - 1)) # a smaller batch is what it asks for
    done
    row="{\"network\": $(text "$1"), \"mode\": \"$2\", \"batch\": $batch, $outcome,
  \"result\": $(object_of "logs/bench-$id.out"),"
    step "kernels-$id" 40 "networks/$1/bench" --mode "$2" --batch "$batch" --steps "$kernel_steps" \
        --kernels --json
    row="$row
  \"by_kernel\": $(object_of "logs/kernels-$id.out")}"
}

measure() {
    local mode name rows=()
    for mode in train infer; do
        for name in $(networks $mode); do
            measure_one "$name" "$mode"
            rows+=("$row")
        done
    done
    measured=$(list "${rows[@]}")
}

# The same networks in PyTorch, in the mode and at the batch of ours.
compare() {
    local name mode program rows=()
    if [ "$python" = none ] ||
        ! "$python" -c 'import torch; torch.zeros(1).cuda()' 2>/dev/null; then
        skip pytorch "$python has no PyTorch that reaches the device"
        rows=("{\"network\": null, \"mode\": null, \"program\": null, $outcome, \"result\": null}")
        peers=$(list "${rows[@]}")
        return
    fi
    for program in eager compile; do
        for mode in train infer; do
            for name in $(networks $mode); do
                step "torch-$program-$name-$mode" 45 "$python" peer.py "$name" "$mode" \
                    "$program" "${batches%% *}" "$steps"
                rows+=("{\"network\": $(text "$name"), \"mode\": \"$mode\",
  \"program\": \"$program\", $outcome,
  \"result\": $(object_of "logs/torch-$program-$name-$mode.out")}")
            done
        done
    done
    peers=$(list "${rows[@]}")
}

write_report() { # WHY
    local good=ok
    [ "$faults" -eq 0 ] || good=failed
    cat >"$report.new" <<END
{"schema": "rxgen-gpu-report-1", "version": $(text "$(cat VERSION)"),
 "status": "$good", "why": $(text "$1"), "seconds": $SECONDS,
 "machine": $machine,
 "prepare": $prepared,
 "kernel_tests": $kernels,
 "sanitizer": $sanitized,
 "training": $trained,
 "bench": $measured,
 "pytorch": $peers}
END
    mv "$report.new" "$report"
    echo "$report: $good${1:+: $1}"
    [ "$good" = ok ]
}

prepared=null kernels=[] sanitized=[] trained=[] measured=[] peers=[]
find_device
if [ -z "$arch" ]; then
    faults=1
    write_report "no device: $(head -n 1 logs/device.err)"
    exit 1
fi
say "device: $arch $(query name)"
step prepare 150 bash -c prepare_all
prepared="{$outcome}"
check_kernels
sanitize
train_default
measure
compare
write_report ""
