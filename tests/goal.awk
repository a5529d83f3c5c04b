# When a run first reached a top-1 of `goal`, from its metrics.jsonl.
function number(key) {
    return match($0, "\"" key "\": *[0-9.e+-]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : -1
}
number("top1") >= goal {
    printf "top1 %.2f:  reached after %.0f s, at the evaluation after epoch %d (%.4f)\n", goal, number("seconds"), number("epoch"), number("top1")
    reached = 1
    exit
}
END {
    if (!reached)
        printf "top1 %.2f:  not reached\n", goal
}
