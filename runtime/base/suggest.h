// The word that somebody may have meant.
#ifndef RX_BASE_SUGGEST_H
#define RX_BASE_SUGGEST_H

// The nearest of `n` known words by edit distance, the first in byte order of equally near ones;
// NULL if none is near. Owned by the caller.
const char *
rx_suggest(const char *word, const char *const *known, int n);

#endif
