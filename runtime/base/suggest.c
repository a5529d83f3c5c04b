// Edit distance, for "did you mean".
#include "runtime/base/suggest.h"

#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 32, SHORT_WORD = 3 };

static int
least(int a, int b, int c)
{
    const int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

// Levenshtein's distance by one row of the usual table.
static int
distance(const char *a, size_t n, const char *b, size_t m)
{
    int row[WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            const int kept = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(kept, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[m];
}

const char *
rx_suggest(const char *word, const char *const *known, int n)
{
    const size_t length = strlen(word);
    if (length > WORD_MAX)
        return NULL;
    const char *best = NULL;
    int best_distance = length <= SHORT_WORD ? 1 : 2;  // the farthest that is still a slip
    for (int i = 0; i < n; i++) {
        const size_t m = strlen(known[i]);
        if (m > WORD_MAX)
            continue;
        const int d = distance(word, length, known[i], m);
        if (d < best_distance ||
            (d == best_distance && (best == NULL || strcmp(known[i], best) < 0))) {
            best = known[i];
            best_distance = d;
        }
    }
    return best;
}
