/* text_stream.c - see text_stream.h. */
#include "lm/text_stream.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "lm/tok.h"

static int measure_stops(leat_lm_text *t, size_t *longest, leat_error *error) {
    *longest = 0;
    if (t->n_stop < 0 || (t->n_stop && !t->stop)) return leat__fail(error, LEAT_EINVAL, "n_stop is %d, and stop %s", t->n_stop, t->stop ? "given" : "NULL");
    if (t->n_stop > LM_MOST_STOPS) return leat__fail(error, LEAT_ELIMIT, "%d stop strings; %d is the limit", t->n_stop, LM_MOST_STOPS);
    for (int32_t i = 0; i < t->n_stop; i++) {
        t->stop_bytes[i] = t->stop[i] ? strnlen(t->stop[i], LM_MOST_STOP_BYTES + 1) : 0;
        if (!t->stop_bytes[i]) return leat__fail(error, LEAT_EINVAL, "stop[%d] is empty", i);
        if (t->stop_bytes[i] > LM_MOST_STOP_BYTES) return leat__fail(error, LEAT_ELIMIT, "stop[%d] has more than %d bytes", i, LM_MOST_STOP_BYTES);
        if (t->stop_bytes[i] > *longest) *longest = t->stop_bytes[i];
    }
    return LEAT_OK;
}

int leat__text_begin(leat_lm_text *t, const leat_tokenizer *tokenizer, uint32_t flags, int strip, const char *const *stop, int32_t n_stop, leat_error *error) {
    size_t longest;
    t->tokenizer = tokenizer;
    t->flags = flags;
    t->strip = strip;
    t->stop = stop;
    t->n_stop = n_stop;
    t->bytes = 0;
    int status = measure_stops(t, &longest, error);
    size_t needed = longest + tokenizer->longest + 8;
    if (status || needed <= t->capacity) return status;
    leat__text_fini(t);
    t->waiting = leat__alloc(needed, LEAT_MEMORY_ARENA);
    t->shown = leat__alloc(3 * needed, LEAT_MEMORY_ARENA);
    if (!t->waiting || !t->shown) {
        leat__text_fini(t);
        return leat__fail(error, LEAT_ENOMEM, "out of memory for the text");
    }
    t->capacity = needed;
    return LEAT_OK;
}

void leat__text_fini(leat_lm_text *t) {
    leat__free(t->waiting);
    leat__free(t->shown);
    t->waiting = t->shown = NULL;
    t->capacity = t->bytes = 0;
}

/* Bytes of the valid character at text, 0 when there is none.  Source: Unicode 15, table 3-7. */
static size_t character(const uint8_t *text, size_t left) {
    uint8_t first = text[0], low = 0x80, high = 0xBF;
    size_t  length = first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
    if (!length || length > left) return 0;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF)
        if (text[i] < low || text[i] > high) return 0;
    return length;
}

/* Moves the first `count` waiting bytes to `shown`; returns their number there. */
static size_t show(leat_lm_text *t, size_t count) {
    size_t out = 0;
    for (size_t at = 0, length; at < count; at += length) {
        length = character((const uint8_t *)t->waiting + at, count - at);
        if (length) {
            memcpy(t->shown + out, t->waiting + at, length);
            out += length;
        } else {
            memcpy(t->shown + out, "\xEF\xBF\xBD", 3);
            out += 3;
            length = 1;
        }
    }
    t->bytes -= count;
    memmove(t->waiting, t->waiting + count, t->bytes);
    return out;
}

/* Where the first complete stop string begins; `bytes` when there is none. */
static size_t find_stop(const leat_lm_text *t) {
    size_t first = t->bytes;
    for (int32_t i = 0; i < t->n_stop; i++) {
        const char *at = memmem(t->waiting, t->bytes, t->stop[i], t->stop_bytes[i]);
        if (at && (size_t)(at - t->waiting) < first) first = (size_t)(at - t->waiting);
    }
    return first;
}

/* Where the longest end of the waiting text begins that a stop string begins with. */
static size_t find_doubt(const leat_lm_text *t) {
    size_t longest = 0;
    for (int32_t i = 0; i < t->n_stop; i++) {
        size_t n = t->stop_bytes[i] - 1 < t->bytes ? t->stop_bytes[i] - 1 : t->bytes;
        while (n > longest && memcmp(t->waiting + t->bytes - n, t->stop[i], n) != 0) n--;
        if (n > longest) longest = n;
    }
    return t->bytes - longest;
}

static void take_token(leat_lm_text *t, int32_t token) {
    size_t added = 0;
    char  *to = t->waiting + t->bytes;
    int    type = leat_tokenizer_type(t->tokenizer, token);
    if (leat_tokenizer_piece(t->tokenizer, token, t->flags, to, t->capacity - t->bytes, &added) != LEAT_OK) added = 0;
    if (t->strip && type == LEAT_TOKEN_NORMAL && added && to[0] == ' ') memmove(to, to + 1, --added);
    if (type != LEAT_TOKEN_CONTROL) t->strip = 0;
    t->bytes += added;
}

size_t leat__text_add(leat_lm_text *t, int32_t token, int *stopped) {
    take_token(t, token);
    size_t stop = find_stop(t);
    *stopped = stop < t->bytes;
    if (*stopped) {
        t->bytes = stop;
        return leat__text_flush(t);
    }
    return show(t, leat_utf8_complete(t->waiting, find_doubt(t)));
}

size_t leat__text_flush(leat_lm_text *t) {
    size_t shown = show(t, leat_utf8_complete(t->waiting, t->bytes));
    t->bytes = 0;
    return shown;
}
