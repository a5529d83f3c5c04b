// Makes expanded text look as if it had been written by hand: no constant that nothing uses, no
// double blank lines, trailing comments in one column, no line beyond the limit.
#ifndef RX_RENDER_TIDY_H
#define RX_RENDER_TIDY_H

#include "runtime/base/text.h"

enum { RX_COLUMNS = 100 };

// Whether `word` stands in the text as a whole identifier.
int
rx_text_has_word(const char *text, const char *word);

// Appends those of the `enum { A = 1, B = A * 2 };  // comment` lines in `constants` whose names
// are used in the code of `body`, or by constants that are; of a repeated name the first.
void
rx_tidy_constants(const char *constants, const char *body, struct rx_text *out);

// Appends the text with blank lines, trailing comments and argument lists tidied.
void
rx_tidy_lines(const char *text, struct rx_text *out);

// Appends a paragraph of words as comment lines: `first` starts the first line, `next` the others.
void
rx_tidy_comment(const char *first, const char *next, const char *words, struct rx_text *out);

#endif
