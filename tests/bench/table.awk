# Lines of "where row repetition nanoseconds checksum" become a table of medians in milliseconds and as multiples of the
# host's, with their geometric means; where is native, paddock or qemu. A checksum that is not the host's is told of.
function median(key, n, i, j, x) {
    n = split(times[key], x, " ")
    if (!n)
        return 0
    for (i = 2; i <= n; ++i)
        for (j = i; j > 1 && x[j] + 0 < x[j - 1] + 0; --j) { t = x[j]; x[j] = x[j - 1]; x[j - 1] = t }
    return x[int((n + 1) / 2)] / 1e6
}
function cell(where, row, base, ms) {
    ms = median(where SUBSEP row)
    if (!ms)
        return "–"
    if (base && row != "total") { logs[where] += log(ms / base); ++counted[where] }
    return sprintf(base && row != "total" ? "%.1f (%.2fx)" : "%.1f", ms, base ? ms / base : 0)
}
{
    times[$1 SUBSEP $2] = times[$1 SUBSEP $2] " " $4
    if (!seen[$2]++) order[++rows] = $2
    if ($1 == "native") sums[$2] = $5
    else if ($2 in sums && $5 != sums[$2]) wrong = wrong "\n" $1 " computes " $5 " in " $2 ", not " sums[$2]
}
END {
    print "| row | host, ms | Paddock, ms | QEMU TCG, ms |\n|---|---|---|---|"
    for (n = 1; n <= rows; ++n) {
        base = median("native" SUBSEP order[n])
        printf "| %s | %.1f | %s | %s |\n", order[n], base, cell("paddock", order[n], base), cell("qemu", order[n], base)
    }
    printf "| geometric mean | 1 | %.2fx | %.2fx |\n", exp(logs["paddock"] / counted["paddock"]), counted["qemu"] ? exp(logs["qemu"] / counted["qemu"]) : 0
    if (wrong) print wrong
}
