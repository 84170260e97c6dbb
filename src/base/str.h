/* str.h - growable string builder and a few string helpers. */
#ifndef LEAT_BASE_STR_H
#define LEAT_BASE_STR_H

#include <stddef.h>

/* Zero-initialise.  After a failed allocation `failed` is 1 and further appends do nothing. */
typedef struct leat_strbuf {
    char  *text; /* NUL-terminated when not NULL */
    size_t length, capacity;
    int    failed;
} leat_strbuf;

void leat__strbuf_add(leat_strbuf *buf, const char *text);
void leat__strbuf_addn(leat_strbuf *buf, const char *text, size_t length);
void leat__strbuf_addf(leat_strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends a JSON string literal with quotes; invalid UTF-8 becomes U+FFFD. */
void leat__strbuf_add_json(leat_strbuf *buf, const char *text, size_t length);
/* Appends the shortest decimal that reads back as the same double; NaN and infinities as null (JSON has none). */
void leat__strbuf_add_number(leat_strbuf *buf, double value);
/* Hands the text over (free with leat__free) and resets; NULL if an allocation failed. */
char *leat__strbuf_take(leat_strbuf *buf);
void leat__strbuf_fini(leat_strbuf *buf);

int leat__streq(const char *a, const char *b); /* NULL equals only NULL */

#endif
