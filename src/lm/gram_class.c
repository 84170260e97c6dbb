/* gram_class.c - a class of characters as ranges of bytes: the range of code points is cut where the length of the UTF-8 sequence changes, then where its leading
 * bytes do, until each piece is a sequence of byte ranges that are free of each other.  Tails that are equal are made once. */
#include "lm/gram.h"

#define MOST_TAILS 256

typedef struct tail {
    uint8_t  from, to;
    uint32_t next, place;
} tail;

typedef struct class_build {
    leat_gram_build *b;
    uint32_t         next;
    tail             tails[MOST_TAILS];
    uint32_t         n_tails;
    leat_gram_edge   heads[MOST_TAILS];
    uint32_t         n_heads;
} class_build;

static uint32_t tail_place(class_build *c, uint8_t from, uint8_t to, uint32_t next) {
    for (uint32_t i = 0; i < c->n_tails; i++)
        if (c->tails[i].from == from && c->tails[i].to == to && c->tails[i].next == next) return c->tails[i].place;
    uint32_t place = leat__gram_place(c->b, LEAT_GRAM_BYTES, c->b->g->n_edges, 1);
    leat__gram_edge(c->b, from, to, next);
    if (c->n_tails < MOST_TAILS) c->tails[c->n_tails++] = (tail){from, to, next, place};
    return place;
}

/* Edges of the place itself come last, in one piece; a full list becomes a place of its own behind no byte, which never happens for sorted classes of one
 * script and costs little where it does. */
static void head(class_build *c, uint8_t from, uint8_t to, uint32_t place, uint32_t *forks, uint32_t *n_forks) {
    if (c->n_heads && c->heads[c->n_heads - 1].place == place && c->heads[c->n_heads - 1].to + 1 == from) {
        c->heads[c->n_heads - 1].to = to;
        return;
    }
    if (c->n_heads == MOST_TAILS && *n_forks < MOST_TAILS) {
        forks[(*n_forks)++] = leat__gram_place(c->b, LEAT_GRAM_BYTES, c->b->g->n_edges, c->n_heads);
        for (uint32_t i = 0; i < c->n_heads; i++) leat__gram_edge(c->b, c->heads[i].from, c->heads[i].to, c->heads[i].place);
        c->n_heads = 0;
    }
    if (c->n_heads == MOST_TAILS) c->b->status = LEAT_ELIMIT;
    else c->heads[c->n_heads++] = (leat_gram_edge){from, to, place};
}

static int encode(uint32_t c, uint8_t out[4]) {
    if (c < 0x80) return out[0] = (uint8_t)c, 1;
    if (c < 0x800) return out[0] = (uint8_t)(0xC0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 63)), 2;
    if (c < 0x10000) return out[0] = (uint8_t)(0xE0 | c >> 12), out[1] = (uint8_t)(0x80 | (c >> 6 & 63)), out[2] = (uint8_t)(0x80 | (c & 63)), 3;
    return out[0] = (uint8_t)(0xF0 | c >> 18), out[1] = (uint8_t)(0x80 | (c >> 12 & 63)), out[2] = (uint8_t)(0x80 | (c >> 6 & 63)), out[3] = (uint8_t)(0x80 | (c & 63)), 4;
}

/* The largest `to` so that [from, to] is one sequence of byte ranges: a lower byte may vary only when it runs over all its values. */
static uint32_t piece_end(uint32_t from, uint32_t to) {
    static const uint32_t last_of_length[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    for (int i = 0; i < 4; i++)
        if (from <= last_of_length[i]) {
            if (to > last_of_length[i]) to = last_of_length[i];
            break;
        }
    for (uint32_t bits = 6; from > 0x7F && bits <= 18; bits += 6) {
        uint32_t low = (1u << bits) - 1;
        if ((from & ~low) == (to & ~low)) break;      /* the bytes above are equal: what is below may be any range */
        if (from & low) return from | low;            /* up to the end of this block first */
        if ((to & low) != low) to = (to & ~low) - 1;  /* whole blocks, the rest later */
    }
    return to;
}

uint32_t leat__gram_class(leat_gram_build *b, const leat_gram_range *ranges, uint32_t count, uint32_t next) {
    class_build c = {.b = b, .next = next};
    uint32_t forks[MOST_TAILS + 1], n_forks = 0;
    for (uint32_t i = 0; i < count && b->status == LEAT_OK; i++)
        for (uint32_t from = ranges[i].from, to; from <= ranges[i].to; from = to + 1) {
            if (from >= 0xD800 && from < 0xE000) {
                to = 0xDFFF;
                continue;
            }
            uint32_t limit = from < 0xD800 && ranges[i].to >= 0xD800 ? 0xD7FF : ranges[i].to;
            uint8_t low[4], high[4];
            to = piece_end(from, limit);
            int n = encode(from, low);
            encode(to, high);
            uint32_t place = next;
            for (int k = n - 1; k > 0; k--) place = tail_place(&c, low[k], high[k], place);
            head(&c, low[0], high[0], place, forks, &n_forks);
        }
    uint32_t place = leat__gram_place(b, LEAT_GRAM_BYTES, b->g->n_edges, c.n_heads);
    for (uint32_t i = 0; i < c.n_heads; i++) leat__gram_edge(b, c.heads[i].from, c.heads[i].to, c.heads[i].place);
    if (!n_forks) return place;
    forks[n_forks++] = place;
    return leat__gram_fork(b, forks, n_forks);
}

uint64_t leat__gram_class_size(const leat_gram_range *ranges, uint32_t count) {
    uint64_t size = 1;
    for (uint32_t i = 0; i < count; i++)
        if (ranges[i].to > 0x7F) size += ranges[i].to - ranges[i].from < 64 ? 3 : ranges[i].to > 0xFFFF ? 12 : 6;
    return size;
}
