#!/usr/bin/env bash
# Runs test programs and counts their tests: run.sh PROGRAM... A program's output is shown only if
# it fails; the last line is `N passed, M failed, K skipped`. Exits 1 if a test failed or none ran.
# TEST_JOBS programs run at once; one that takes longer than TEST_TIMEOUT seconds fails.
set -uo pipefail
timeout_s=${TEST_TIMEOUT:-540}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

count() {
    grep -E "^\[ *$1 *\] [A-Za-z_0-9]+\$" "$2" | sort -u | wc -l
}

run_one() {
    local name ok bad skip status start=$SECONDS
    name=$(basename "$1")
    local log=$logs/$name
    CMOCKA_MESSAGE_OUTPUT=stdout timeout -k 10 "$timeout_s" "$1" >"$log" 2>&1 </dev/null
    status=$?
    ok=$(count OK "$log") bad=$(count FAILED "$log") skip=$(count SKIPPED "$log")
    [ $((ok + bad + skip)) -gt 0 ] || status=1 # a program without tests tests nothing
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1 # it crashed, hung or failed to start
    echo "$ok $bad $skip" >"$log.counts"
    local line="$name: $ok passed"
    [ "$bad" -eq 0 ] || line+=", $bad failed"
    [ "$skip" -eq 0 ] || line+=", $skip skipped"
    [ "$status" -ne 124 ] || line+=", stopped after $timeout_s s"
    line+=" ($((SECONDS - start)) s)"
    if [ "$bad" -eq 0 ]; then
        echo "$line"
    else
        { echo "--- $line, exit $status" && cat "$log" && echo "---"; }
    fi
}
export -f run_one count
export logs timeout_s

[ $# -eq 0 ] || printf '%s\0' "$@" | xargs -0 -n 1 -P "${TEST_JOBS:-2}" bash -c 'run_one "$0"'
passed=0 failed=0 skipped=0
for program in "$@"; do
    read -r ok bad skip <"$logs/$(basename "$program").counts" || { ok=0 bad=1 skip=0; }
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
