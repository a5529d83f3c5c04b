# Holds counters of launches (the second file) against the limits, and what is over them against the
# first file: a beginning of kernels' names, the requested sectors and the passes that they may have.
function field(name,    at, text) {
    at = index($0, "\"" name "\": ")
    text = substr($0, at + length(name) + 4)
    sub(/^"/, "", text)
    sub(/[",}].*/, "", text)
    return text
}

FNR == NR {
    if ($1 != "" && $1 !~ /^#/) {
        known[++n] = $1
        sectors[n] = $2
        passes[n] = $3
    }
    next
}

{
    name = field("kernel")
    distinct = field("sectors_read") + field("sectors_written")
    asked = field("sectors_read_requested") + field("sectors_written_requested")
    ideal = field("wavefronts_ideal")
    a = distinct > 0 ? asked / distinct : 1
    p = ideal > 0 ? field("wavefronts") / ideal : 1
    kernels++
    if (field("faults") > 0) {
        print "  faults: " name
        bad++
    }
    if (a <= 1.3 && p <= 1.05)
        next
    most_a = 1.3
    most_p = 1.05
    for (i = 1; i <= n; i++)
        if (index(name, known[i]) == 1) {
            most_a = sectors[i]
            most_p = passes[i]
        }
    over = a > most_a || p > most_p
    bad += over
    listed += !over
    if (over)
        printf "  over the limit: %s requests %.2f sectors for each, %.2f passes\n", name, a, p
}

END {
    printf "  %d kernels, %d over a limit and known, %d faults\n", kernels, listed, bad
    exit bad > 0
}
