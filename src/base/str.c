/* str.c - growable string builder, JSON escaping, shortest numbers. */
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Room for `more` bytes and the terminator; 0 when out of memory. */
static int reserve(leat_strbuf *buf, size_t more) {
    size_t need;
    if (buf->failed) return 0;
    if (leat__add_overflows(buf->length, more, &need) || leat__add_overflows(need, 1, &need)) return !(buf->failed = 1);
    if (need <= buf->capacity) return 1;
    size_t capacity = buf->capacity < 64 ? 128 : buf->capacity + buf->capacity / 2;
    if (capacity < need) capacity = need;
    char *text = leat__realloc(buf->text, capacity, LEAT_MEMORY_OTHER);
    if (!text) return !(buf->failed = 1);
    buf->text = text;
    buf->capacity = capacity;
    return 1;
}

void leat__strbuf_addn(leat_strbuf *buf, const char *text, size_t length) {
    if (!reserve(buf, length)) return;
    if (length) memcpy(buf->text + buf->length, text, length);
    buf->length += length;
    buf->text[buf->length] = 0;
}

void leat__strbuf_add(leat_strbuf *buf, const char *text) { leat__strbuf_addn(buf, text, strlen(text)); }

void leat__strbuf_addf(leat_strbuf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) buf->failed = 1;
    if (length >= 0 && reserve(buf, (size_t)length)) {
        vsnprintf(buf->text + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

/* Length of the valid UTF-8 sequence at `s` [left bytes], 0 if it is not valid (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const uint8_t *s, size_t left) {
    uint8_t lead = s[0];
    size_t n = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (lead == 0xe0 && s[1] < 0xa0) return 0;
    if (lead == 0xed && s[1] > 0x9f) return 0;
    if (lead == 0xf0 && s[1] < 0x90) return 0;
    if (lead == 0xf4 && s[1] > 0x8f) return 0;
    return n;
}

static void add_json_ascii(leat_strbuf *buf, uint8_t c) {
    if (c == '"' || c == '\\') {
        const char pair[2] = {'\\', (char)c};
        leat__strbuf_addn(buf, pair, 2);
    } else if (c == '\n') {
        leat__strbuf_addn(buf, "\\n", 2);
    } else if (c == '\t') {
        leat__strbuf_addn(buf, "\\t", 2);
    } else if (c < 0x20 || c == 0x7f) {
        leat__strbuf_addf(buf, "\\u%04x", c);
    } else {
        leat__strbuf_addn(buf, (const char *)&c, 1);
    }
}

void leat__strbuf_add_json(leat_strbuf *buf, const char *text, size_t length) {
    const uint8_t *s = (const uint8_t *)text;
    leat__strbuf_addn(buf, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(s + i, length - i);
        if (n == 1) add_json_ascii(buf, s[i]);
        else if (n) leat__strbuf_addn(buf, text + i, n);
        else leat__strbuf_addn(buf, "\xef\xbf\xbd", 3);
        i += n ? n : 1;
    }
    leat__strbuf_addn(buf, "\"", 1);
}

void leat__strbuf_add_number(leat_strbuf *buf, double value) {
    char text[40];
    if (!isfinite(value)) {
        leat__strbuf_add(buf, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e", *c)) *c = '.'; /* the locale's decimal sign */
    leat__strbuf_add(buf, text);
}

char *leat__strbuf_take(leat_strbuf *buf) {
    if (!buf->failed && !buf->text) leat__strbuf_addn(buf, "", 0);
    char *text = buf->failed ? NULL : buf->text;
    if (buf->failed) leat__free(buf->text);
    memset(buf, 0, sizeof *buf);
    return text;
}

void leat__strbuf_fini(leat_strbuf *buf) {
    leat__free(buf->text);
    memset(buf, 0, sizeof *buf);
}

int leat__streq(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }
