#!/usr/bin/env bash
# Checks what a compiler does not: formatting, the layer law and the shape law of docs/design.md,
# forbidden text, cppcheck. Sizes of files and functions are printed, they do not fail.
set -uo pipefail
cd "$(dirname "$0")/.."
faults=0

fault() {
    echo "$1" >&2
    faults=$((faults + 1))
}

# Tracked files that match a pattern, and exist.
files() {
    git ls-files -co --exclude-standard -- "$@" | sort | while read -r f; do
        [ -f "$f" ] && echo "$f"
    done
}

check_format() {
    local bad
    mapfile -t sources < <(files '*.c' '*.h')
    bad=$(clang-format --dry-run --Werror "${sources[@]}" 2>&1 | grep -E 'error:' | cut -d: -f1,2)
    [ -z "$bad" ] || fault "not formatted (clang-format -i FILE):"$'\n'"$bad"
}

# A file's place in the flow: a stage may include headers of its own and of earlier places.
place_of() {
    case $1 in
    runtime/base/*) echo 0 ;;
    runtime/problem.h | runtime/plan.h | runtime/kernel.h) echo 1 ;;
    runtime/recipe.h | runtime/weights.h) echo 1 ;;
    gen/ir/*) echo 2 ;;
    gen/front/*) echo 3 ;;
    gen/pass/*) echo 4 ;;
    gen/select/* | gen/target/target.h) echo 5 ;;
    gen/target/*) echo 6 ;;
    gen/render/*) echo 7 ;;
    gen/plan/*) echo 8 ;;
    gen/*) echo 9 ;;
    runtime/*) echo runtime ;;
    *) echo outside ;;
    esac
}

# Prints why `file` may not include `header`, or nothing.
layer_fault() {
    local file=$1 header=$2 from to
    from=$(place_of "$file") to=$(place_of "$header")
    case $file in
    runtime/base/*) [ "$to" = 0 ] || echo "runtime/base is a leaf" ;;
    runtime/*) [[ $header != gen/* ]] || echo "runtime includes nothing of gen/" ;;
    gen/*)
        if [ "$to" = runtime ]; then
            # What a session will allocate is asked by --describe, which is no stage.
            [ "$file:$header" = gen/main.c:runtime/session.h ] ||
                echo "gen sees only runtime's plain data and base"
        elif [ "$to" = outside ]; then
            echo "not a place that gen includes"
        elif [ "$from" -lt 5 ] && [ "$to" = 6 ]; then
            echo "a pass sees target.h, never a target"
        elif [ "$to" -gt "$from" ]; then
            # Selection asks a target through target.h, and a target asks how templates render.
            case $file:$header in
            gen/target/*:gen/render/*) ;;
            *) echo "a later stage" ;;
            esac
        fi
        ;;
    esac
}

check_layers() {
    local file header why
    while IFS=: read -r file header; do
        why=$(layer_fault "$file" "$header")
        [ -z "$why" ] || fault "$file: includes $header: $why"
    done < <(files 'gen/*.[ch]' 'runtime/*.[ch]' | xargs grep -HoE '^#include "[^"]+"' |
        sed -E 's/#include "([^"]+)"/\1/')
}

# The stems of a place, without the targets' own headers (cpu.h, tile headers, instructions) and
# what one target alone has: how convolutions are cut for tensor cores, devices and what
# kernels cost on them, cuBLAS.
stems() {
    local alone='^(cpu|cuda)\.h$|^tile_|\.cuh$'
    alone+='|^(few[a-z_]*|strips|grouped[a-z_]*|device|gemm|cost[a-z_]*)\.[ch]$'
    ls "$1" | grep -vE "$alone" | sed 's/\..*//' | sort -u
}

# gen/target, runtime and templates list the same stems under cpu/ and cuda/. A skeleton may have
# variants: conv_fwd.mma.cu.
check_shape() {
    local place differ
    for place in gen/target runtime templates; do
        differ=$(diff <(stems $place/cpu) <(stems $place/cuda) | grep '^[<>]')
        [ -z "$differ" ] || fault "$place/cpu (<) and $place/cuda (>) differ:"$'\n'"$differ"
    done
}

check_lines() {
    local long bad
    long=$(files '*.[ch]' '*.lua' '*.def' '*.sh' Makefile |
        xargs awk 'length > 100 {print FILENAME ":" FNR}')
    [ -z "$long" ] || fault "lines of more than 100 columns:"$'\n'"$long"
    bad=$(files '*.[ch]' '*.lua' '*.def' '*.sh' '*.md' Makefile .ci/run |
        xargs grep -nE '(^|[^A-Za-z0-9_.$])/(work|farm|root|home)/|TODO|FIXME' |
        grep -v '^tests/lint.sh:')
    [ -z "$bad" ] || fault "absolute paths or unfinished work:"$'\n'"$bad"
}

# Sizes worth a look: files above 400 lines, functions above 50.
print_sizes() {
    files '*.[ch]' | xargs wc -l | awk '$1 > 400 && $2 != "total" {print $2 ": " $1 " lines"}'
    files '*.c' | xargs awk '
        FNR == 1 {start = 0}
        /^{/ {start = FNR}
        /^}/ {
            if (start && FNR - start > 51)
                print FILENAME ":" start ": a function of " FNR - start - 1 " lines"
            start = 0
        }'
}

check_cppcheck() {
    local report
    report=$(cppcheck --quiet --std=c11 --language=c -I. -D_GNU_SOURCE --inline-suppr \
        --enable=warning,performance,portability --suppress=missingIncludeSystem \
        --template='{file}:{line}: {id}: {message}' -j2 gen runtime 2>&1)
    [ -z "$report" ] || fault "cppcheck:"$'\n'"$report"
}

check_format
check_layers
check_shape
check_lines
check_cppcheck
print_sizes
[ "$faults" -eq 0 ]
