/* attn_kv.c - attention over a cache: how a call is cut into pieces, and what a piece does with the kernels of attn_kv_impl.h.
 *
 * The rows of a kv head are its (query, head) pairs, query by query, so K and V are read once for all heads that share them.  Blocks of ROWS rows are one
 * dimension of the pieces, kv heads the other.  One query alone makes too few pieces for several threads; its positions are then cut into spans of at least
 * SPAN_MIN, each with its own maximum, sum and unfinished output in the shared scratch, joined at the end.  Cuts depend on sizes only.
 *
 * Online softmax: per row the largest score so far, the sum of weights relative to it and the weighted sum of V rows; when a tile brings a larger score, the
 * earlier sums are scaled down.  Tiles that no row of the block may see are skipped. */
#include <math.h>
#include <string.h>

#include "cpu/attn_kv_impl.h"

enum { ROWS = LEAT_ATTN_ROWS, TILE = LEAT_ATTN_TILE, LANES = LEAT_ATTN_LANES, PIECES_WANTED = 32, SPANS_MAX = 32, SPAN_MIN = 128, ASK = 16 };

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- rows of the cache ---------------------------------------------------------------------------------------------- */

size_t leat__kv_row_bytes(leat_kv_format format, int64_t width) {
    if (format == LEAT_KV_FORMAT_Q8_0) return (size_t)width / 32 * 34;
    return (size_t)width * (format == LEAT_KV_FORMAT_F16 ? 2 : 4);
}

void leat__kv_store(leat_kv_format format, const float *x, int64_t ldx, int64_t count, int64_t width, uint8_t *row, int64_t stride) {
    for (int64_t i = 0; i < count; i++) leat__attn_kv_kernels.store(format, x + i * ldx, width, row + i * stride);
}

/* ---- how a call is cut ---------------------------------------------------------------------------------------------- */

typedef struct cut {
    int64_t group, rows, blocks, spans, span; /* heads of a kv head, rows of it, blocks of rows; spans and positions in each */
} cut;

/* The positions [*from, *to) that query i sees. */
static void seen(const leat_attn_kv *a, int64_t i, int64_t *from, int64_t *to) {
    int64_t own = a->first_position + i;
    *to = a->causal ? min64(own + 1, a->length) : a->length;
    *from = a->window > 0 ? max64(own - a->window + 1, 0) : 0;
}

static cut cut_of(const leat_attn_kv *a) {
    cut     c = {.group = a->heads / a->kv_heads, .spans = 1};
    int64_t from, to;
    c.rows = c.group * a->n;
    c.blocks = (c.rows + ROWS - 1) / ROWS;
    seen(a, 0, &from, &to);
    c.span = max64(to - from, 1);
    if (a->n != 1 || c.span < 2 * SPAN_MIN) return c;
    int64_t wanted = min64((PIECES_WANTED + a->kv_heads * c.blocks - 1) / (a->kv_heads * c.blocks), SPANS_MAX);
    int64_t seen_now = c.span;
    c.span = round_up(max64((seen_now + wanted - 1) / wanted, SPAN_MIN), TILE);
    c.spans = (seen_now + c.span - 1) / c.span;
    return c;
}

int64_t leat__attn_kv_pieces(const leat_attn_kv *a) {
    cut c = cut_of(a);
    return a->kv_heads * c.blocks * c.spans;
}

/* ---- scratch -------------------------------------------------------------------------------------------------------- */

typedef struct work {
    float  *q, *s, *o, *k, *v;     /* [ROWS, k_ld] scaled, [ROWS, TILE], [ROWS, v_ld], [k_width, TILE], [TILE, v_ld] */
    float  *max, *sum;             /* [ROWS] */
    int64_t k_ld, v_ld;
} work;

static work lay_out(const leat_attn_kv *a, void *scratch) {
    work w = {.k_ld = round_up(a->k_width, LANES), .v_ld = round_up(a->v_width, LANES)};
    w.q = scratch;
    w.o = w.q + ROWS * w.k_ld;
    w.s = w.o + ROWS * w.v_ld;
    w.k = w.s + ROWS * TILE;
    w.v = w.k + w.k_ld * TILE;
    w.max = w.v + TILE * w.v_ld;
    w.sum = w.max + ROWS;
    return w;
}

size_t leat__attn_kv_scratch_bytes(int k_width, int v_width) {
    size_t k = (size_t)round_up(k_width, LANES), v = (size_t)round_up(v_width, LANES);
    return (ROWS * (k + v + TILE + 2) + TILE * (k + v)) * sizeof(float) + LEAT_TAIL_BYTES;
}

/* A span's result for a head: output [v_width], maximum, sum. */
static size_t partial_floats(int v_width) { return (size_t)round_up(v_width + 2, LANES); }
size_t leat__attn_kv_shared_bytes(int heads, int v_width) { return SPANS_MAX * (size_t)heads * partial_floats(v_width) * sizeof(float); }

/* ---- a piece -------------------------------------------------------------------------------------------------------- */

typedef struct block {
    const leat_attn_kv *a;
    cut            c;
    int64_t        first, head, from, to; /* first row, kv head, positions that any row sees in this span */
    int64_t        all_see;               /* no row's view ends before this position */
    int            rows;
    const uint8_t *k, *v;
    float          cap;
    work           w;
} block;

static void take_queries(const block *b) {
    const leat_attn_kv *a = b->a;
    float               factor = a->softcap > 0 ? a->scale / a->softcap : a->scale * 1.44269504f;
    for (int r = 0; r < b->rows; r++) {
        int64_t      row = b->first + r;
        const float *q = a->q + row / b->c.group * a->ldq + (b->head * b->c.group + row % b->c.group) * a->k_width;
        float       *to = b->w.q + r * b->w.k_ld;
        for (int i = 0; i < a->k_width; i++) to[i] = q[i] * factor;
        for (int64_t i = a->k_width; i < b->w.k_ld; i++) to[i] = 0;
        b->w.max[r] = -INFINITY;
        b->w.sum[r] = 0;
    }
    memset(b->w.o, 0, (size_t)(b->rows * b->w.v_ld) * sizeof(float));
}

/* Scores of the tile at `position` to weights, row by row, each with the positions that its query sees. */
static void weigh(const block *b, int64_t position, int count) {
    for (int r = 0; r < b->rows; r++) {
        int64_t from, to;
        seen(b->a, (b->first + r) / b->c.group, &from, &to);
        from = max64(from - position, 0);
        to = max64(min64(to - position, count), from);
        float factor = leat__attn_kv_kernels.weights(b->w.s + r * TILE, (int)from, (int)to, b->cap, &b->w.max[r], &b->w.sum[r]);
        if (factor != 1.0f) leat__attn_kv_kernels.scale(b->w.o + r * b->w.v_ld, b->w.v_ld, factor);
    }
}

static void ask_for(const uint8_t *p, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i, 0, 2);
}

static void few_rows(const block *b, int64_t position, int count) {
    const leat_attn_kv *a = b->a;
    const uint8_t      *k = b->k + position * a->k_row, *v = b->v + position * a->v_row;
    const uint8_t      *after = k + (position + TILE < b->to ? TILE * a->k_row : a->k_head);
    for (int at = 0; at < count; at += ASK) {
        int n = (int)min64(count - at, ASK);
        ask_for(v + at * a->v_row, n * a->v_row);
        leat__attn_kv_kernels.dots(a->format, k + at * a->k_row, a->k_row, n, a->k_width, b->w.q, b->w.k_ld, b->rows, b->w.s + at);
    }
    weigh(b, position, count);
    for (int at = 0; at < count; at += ASK) {
        int n = (int)min64(count - at, ASK);
        ask_for(after + at * a->k_row, n * a->k_row);
        leat__attn_kv_kernels.mix(a->format, v + at * a->v_row, a->v_row, n, a->v_width, b->w.s + at, b->rows, b->w.o, b->w.v_ld);
    }
}

/* Rows of the block that share how far they see: the upper right of the diagonal's tiles is not computed. */
enum { BAND = 12 };

static void many_rows(const block *b, int64_t position, int count) {
    const leat_attn_kv *a = b->a;
    const work         *w = &b->w;
    const uint8_t      *k = b->k + position * a->k_row, *v = b->v + position * a->v_row;
    int64_t             last, unused;
    int                 band = position + count > b->all_see ? BAND : ROWS; /* one band where no row is masked at the end */
    leat__attn_kv_kernels.transpose(a->format, k, a->k_row, count, a->k_width, w->k);
    for (int r = 0; r < b->rows; r += band) {
        int rows = (int)min64(band, b->rows - r);
        seen(a, (b->first + r + rows - 1) / b->c.group, &unused, &last);
        int columns = (int)round_up(max64(min64(last - position, count), 0), LANES);
        leat__attn_kv_kernels.product(w->q + r * w->k_ld, w->k_ld, w->k, TILE, rows, columns, a->k_width, w->s + r * TILE, TILE, 0, v, r ? 0 : count * a->v_row);
    }
    weigh(b, position, count);
    leat__attn_kv_kernels.widen(a->format, v, a->v_row, count, a->v_width, w->v, w->v_ld);
    for (int r = 0; r < b->rows; r += band) {
        int rows = (int)min64(band, b->rows - r);
        seen(a, (b->first + r + rows - 1) / b->c.group, &unused, &last);
        int depth = (int)max64(min64(last - position, count), 0);
        leat__attn_kv_kernels.product(w->s + r * TILE, TILE, w->v, w->v_ld, rows, (int)w->v_ld, depth, w->o + r * w->v_ld, w->v_ld, 1, k + TILE * a->k_row,
                                      r ? 0 : TILE * a->k_row);
    }
}

static void give(const block *b, int64_t span, float *partials) {
    const leat_attn_kv *a = b->a;
    for (int r = 0; r < b->rows; r++) {
        int64_t row = b->first + r, head = b->head * b->c.group + row % b->c.group;
        float  *o = b->w.o + r * b->w.v_ld;
        if (b->c.spans > 1) {
            float *to = partials + (size_t)(span * a->heads + head) * partial_floats(a->v_width);
            memcpy(to, o, (size_t)a->v_width * sizeof *o);
            to[a->v_width] = b->w.max[r];
            to[a->v_width + 1] = b->w.sum[r];
            continue;
        }
        leat__attn_kv_kernels.scale(o, b->w.v_ld, b->w.sum[r] == 0 ? 0.0f : 1.0f / b->w.sum[r]);
        memcpy(a->out + row / b->c.group * a->ldo + head * a->v_width, o, (size_t)a->v_width * sizeof *o);
    }
}

void leat__attn_kv_piece(const leat_attn_kv *a, int64_t piece, void *scratch, void *shared) {
    block   b = {.a = a, .c = cut_of(a), .cap = a->softcap > 0 ? a->softcap * 1.44269504f : 0.0f, .w = lay_out(a, scratch)};
    int64_t span = piece % b.c.spans, ignored;
    b.head = piece / b.c.spans % a->kv_heads;
    b.first = (b.c.blocks - 1 - piece / b.c.spans / a->kv_heads) * ROWS; /* later queries see more and come first */
    b.rows = (int)min64(b.c.rows - b.first, ROWS);
    seen(a, b.first / b.c.group, &b.from, &b.all_see);
    seen(a, (b.first + b.rows - 1) / b.c.group, &ignored, &b.to);
    b.from += span * b.c.span;
    if (b.c.spans > 1) b.to = min64(b.to, b.from + b.c.span);
    b.k = a->k + b.head * a->k_head;
    b.v = a->v + b.head * a->v_head;
    take_queries(&b);
    for (int64_t position = b.from; position < b.to; position += TILE)
        (b.rows <= LEAT_ATTN_FEW ? few_rows : many_rows)(&b, position, (int)min64(b.to - position, TILE));
    give(&b, span, shared);
}

/* ---- joining spans -------------------------------------------------------------------------------------------------- */

static void join_head(const leat_attn_kv *a, const cut *c, const float *partials, int64_t head) {
    size_t size = partial_floats(a->v_width), step = size * (size_t)a->heads;
    float *out = a->out + head * a->v_width, max = -INFINITY, sum = 0;
    partials += size * (size_t)head;
    for (int64_t s = 0; s < c->spans; s++) max = fmaxf(max, partials[(size_t)s * step + (size_t)a->v_width]);
    for (int i = 0; i < a->v_width; i++) out[i] = 0;
    for (int64_t s = 0; s < c->spans; s++) {
        const float *from = partials + (size_t)s * step;
        float        factor = max > -INFINITY ? exp2f(from[a->v_width] - max) : 0.0f;
        sum += factor * from[a->v_width + 1];
        for (int i = 0; i < a->v_width; i++) out[i] += factor * from[i];
    }
    for (int i = 0; i < a->v_width; i++) out[i] *= sum == 0 ? 0.0f : 1.0f / sum;
}

void leat__attn_kv_finish(const leat_attn_kv *a, void *shared) {
    cut c = cut_of(a);
    for (int64_t h = 0; h < a->heads && c.spans > 1; h++) join_head(a, &c, shared, h);
}
