#!/usr/bin/env bash
# Runs test programs and counts their tests: run.sh PROGRAM... The output of a program is shown only
# if it fails; the last line is `N passed, M failed, K skipped`.
set -uo pipefail
timeout_s=${TEST_TIMEOUT:-540}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run_one() {
    local log=$logs/$(basename "$1")
    CMOCKA_MESSAGE_OUTPUT=stdout timeout "$timeout_s" "$1" >"$log" 2>&1
    echo $? >"$log.status"
}
export -f run_one
export logs timeout_s
printf '%s\0' "$@" | xargs -0 -n 1 -P "${TEST_JOBS:-2}" bash -c 'run_one "$0"'
passed=0 failed=0 skipped=0
for program in "$@"; do
    log=$logs/$(basename "$program")
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -E '^\[  FAILED  \] [A-Za-z_0-9]+$' "$log" | sort -u | wc -l)
    skip=$(grep -E '^\[  SKIPPED \] [A-Za-z_0-9]+$' "$log" | sort -u | wc -l)
    status=$(cat "$log.status" 2>/dev/null || echo 1)
    [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1 # it crashed, hung or failed to start
    if [ "$status" -ne 0 ]; then
        echo "--- $(basename "$program"): exit $status" && cat "$log"
    else
        echo "$(basename "$program"): $ok passed"
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
