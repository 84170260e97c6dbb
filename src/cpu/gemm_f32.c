/* gemm_f32.c - packing, blocking and threading of the matrix multiply.
 *
 * Loops, outermost first: blocks of rows; blocks of depth so that a panel of B stays near L1; panels of B; register tiles.  Within a
 * block of rows A and C stay in L2, and every panel of B is read once per block of rows.  When B as a whole exceeds L2, the next panel is
 * prefetched while the tiles of this one run.  A stays where it is: copying it, also where rows lie 4 KiB apart, only cost (SPEED.md).
 */
#include "cpu/gemm_f32.h"

#include "cpu/transpose.h"
#include "cpu/vmath.h"

#include <math.h>
#include <string.h>

#define MAX_DEPTH 512    /* of one pass over a panel: 32 KiB at 16 columns */
#define SINGLE_DEPTH 768 /* up to here one pass, no partial sums in C */
#define A_BYTES 262144   /* of a block of rows, one pass deep */
#define LEAST_MC 96      /* rows of a block */
#define MOST_MC 208
#define LARGE_B 262144   /* floats: beyond, panels come from L3 or memory */
#define LEAST_TILES 4    /* below, the panels themselves stream fast enough for the hardware's prefetch */
#define TASK_MACS 500000.0
#define LEAST_PART_ROWS 24
#define LEAST_TASK_ROWS 10.0 /* with fewer, reading B takes the time of so many */

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Vectors of the panel that starts at vector `v` of `total`: pairs, but three at the end of an odd number. */
static int panel_vectors(int64_t v, int64_t total) {
    int64_t left = total - v;
    return left == 3 || left == 1 ? (int)left : 2;
}

/* ---- packing ------------------------------------------------------------------------------------------------------------ */

size_t leat__f32_gemm_packed_bytes(int64_t depth, int64_t n) {
    int vec = leat__gemm_f32.vec;
    return (size_t)depth * (size_t)(ceil_div(n, vec) * vec) * sizeof(float);
}

int leat__f32_gemm_panel_width(int64_t n, int64_t start) {
    int vec = leat__gemm_f32.vec;
    return panel_vectors(start / vec, ceil_div(n, vec)) * vec;
}

uint64_t leat__f32_gemm_format(void) { return (uint64_t)leat__gemm_f32.vec; }

static void pack_column(const float *src, int64_t taps, int64_t k, int64_t st, int64_t sk, float scale, float *to, int width) {
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < k; i++, to += width) *to = scale * src[t * st + i * sk];
}

/* Columns lie side by side in memory: copy `count` of them row by row. */
static void pack_rows(const float *src, int64_t k, int64_t sk, float scale, float *to, int width, int count) {
    for (int64_t i = 0; i < k; i++, src += sk, to += width)
        for (int j = 0; j < count; j++) to[j] = scale * src[j];
}

void leat__f32_gemm_pack_part(const float *src, int64_t taps, int64_t k, int64_t n, int64_t st, int64_t sk, int64_t sn, float scale,
                              int64_t c0, int64_t c1, float *packed) {
    int vec = leat__gemm_f32.vec;
    int64_t total = ceil_div(n, vec), v = c0 / vec;
    while (v * vec < c1) {
        int width = panel_vectors(v, total) * vec, count = (int)min64(width, n - v * vec);
        float *panel = packed + v * vec * taps * k;
        const float *from = src + v * vec * sn;
        if (sn == 1 && taps == 1) pack_rows(from, k, sk, scale, panel, width, count);
        else
            for (int j = 0; j < count; j++) pack_column(from + j * sn, taps, k, st, sk, scale, panel + j, width);
        for (int j = count; j < width; j++)
            for (int64_t i = 0; i < taps * k; i++) panel[i * width + j] = 0;
        v += width / vec;
    }
}

void leat__f32_gemm_pack(const float *src, int64_t taps, int64_t k, int64_t n, int64_t st, int64_t sk, int64_t sn, float *packed) {
    leat__f32_gemm_pack_part(src, taps, k, n, st, sk, sn, 1.0f, 0, n, packed);
}

void leat__f32_gemm_pack_tap(const float *src, int64_t taps, int64_t tap, int64_t k, int64_t n, int64_t k_there, int64_t n_there, int64_t sk,
                             int64_t sn, float *packed) {
    int vec = leat__gemm_f32.vec;
    int64_t total = ceil_div(n, vec);
    for (int64_t v = 0; v < total;) {
        int width = panel_vectors(v, total) * vec;
        float *to = packed + v * vec * taps * k + tap * k * width;
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < width; j++) *to++ = i < k_there && v * vec + j < n_there ? src[i * sk + (v * vec + j) * sn] : 0.0f;
        v += width / vec;
    }
}

void leat__f32_gemm_transpose(const float *from, int64_t rows, int64_t columns, float *to) {
    leat__transpose.b4((const uint8_t *)from, columns * 4, (uint8_t *)to, rows * 4, rows, columns);
}

/* ---- one thread's share -------------------------------------------------------------------------------------------------- */

/* A pass over a block: rows [m, m + rows), taps [tap, tap + taps), floats [k0, k0 + k) of each. */
typedef struct block {
    const leat_gemm *g;
    const float    **rows; /* [g->taps][stride] where A is indirect */
    int64_t          stride;
    int64_t          m, count;
    int64_t          tap, taps, k0, k;
    int              first, last;
    int64_t          n0, n1;
} block;

static int64_t depth_step(const leat_gemm *g) {
    return g->k <= SINGLE_DEPTH ? g->k : ceil_div(g->k, ceil_div(g->k, MAX_DEPTH));
}

static int64_t tap_step(const leat_gemm *g) {
    if (g->taps * g->k <= SINGLE_DEPTH) return g->taps;
    return g->k <= SINGLE_DEPTH ? max64(1, min64(g->taps, MAX_DEPTH / max64(g->k, 1))) : 1;
}

/* Rows of a block: as many as leave A's part of a pass within A_BYTES, so that B is read seldom. */
static int64_t block_rows(const leat_gemm *g) {
    int64_t depth = max64(1, depth_step(g) * tap_step(g)), rows = A_BYTES / (depth * (int64_t)sizeof(float));
    return min64(max64(g->m, 1), max64(LEAST_MC, min64(rows, MOST_MC)));
}

size_t leat__f32_gemm_scratch(const leat_gemm *g) {
    return align64((size_t)(g->a ? 0 : block_rows(g) * g->taps) * sizeof(float *)) + 64;
}

/* leat_gemm_tile.clips */
static int clips(const leat_gemm *g) {
    int act = g->epilogue.act;
    return act == LEAT_ACT_RELU || act == LEAT_ACT_CLIP ? 1 : act == LEAT_ACT_HARD_SWISH && g->a ? 2 : 0;
}

static int needs_pass(const leat_gemm *g) { return g->epilogue.act != LEAT_ACT_NONE && !clips(g); }

/* Asks for cache lines [i / n, (i + 1) / n) of a panel's pass that runs next. */
static void prefetch_part(const float *panel, int64_t floats, int64_t i, int64_t n) {
    for (int64_t at = i * floats / n; at < (i + 1) * floats / n; at += 16) __builtin_prefetch(panel + at, 0, 2);
}

/* The tile of a panel but for its rows.  The first pass over the depth starts from bias and residual, which may be C itself, the others
 * from C; the last one clips.  Field by field: a copy would wait for the stores to arrive. */
static void describe_panel(const block *b, int64_t column, int width, leat_gemm_tile *t) {
    const leat_gemm *g = b->g;
    const leat_epilogue *e = &g->epilogue;
    t->a = NULL;
    t->lda = g->lda;
    t->tap_step = g->tap_step;
    t->rows = NULL;
    t->row_stride = b->stride;
    t->k0 = b->k0;
    t->taps = b->taps;
    t->k = b->k;
    t->b = g->b + column * g->taps * g->k + (b->tap * g->k + b->k0) * width;
    t->ldc = g->ldc;
    t->n = (int)min64(width, g->n - column);
    t->clips = b->last ? clips(g) : 0;
    t->lo = e->act == LEAT_ACT_RELU ? 0.0f : e->params.lo;
    t->hi = e->act == LEAT_ACT_RELU ? INFINITY : e->params.hi;
    t->bias = b->first && e->bias ? e->bias + column : NULL;
    t->ldadd = b->first ? e->ldr : g->ldc;
    t->ldafter = e->ldr;
}

/* `tiles` tiles of mr rows from row `row` of the block. */
static void run_tiles(const block *b, leat_gemm_tile *t, int64_t column, int nv, int64_t row, int64_t tiles, int64_t mr) {
    const leat_gemm *g = b->g;
    const leat_epilogue *e = &g->epilogue;
    int64_t m = b->m + row, vec = leat__gemm_f32.vec;
    const float *residual = e->residual ? e->residual + m * e->ldr + column : NULL;
    t->tiles = tiles;
    if (g->a) t->a = g->a + m * g->lda + b->tap * g->tap_step + b->k0;
    else t->rows = b->rows + b->tap * b->stride + row;
    t->c = g->c + m * g->ldc + column;
    t->add = !b->first ? t->c : !e->after ? residual : NULL;
    t->after = b->last && e->after && !needs_pass(g) ? residual : NULL;
    leat__gemm_f32.tile[nv][mr][g->a != NULL][t->n <= nv * vec - vec / 2](t);
}

static void run_panel(const block *b, int64_t column, int nv) {
    const leat_gemm *g = b->g;
    int width = nv * leat__gemm_f32.vec;
    uint32_t count = (uint32_t)b->count, tallest = (uint32_t)leat__gemm_f32.mr[nv]; /* of a block: few */
    uint32_t tiles = (count + tallest - 1) / tallest, mr = count / tiles, taller = count % tiles;
    leat_gemm_tile t;
    describe_panel(b, column, width, &t);
    const float *next_panel = t.b + width * g->taps * g->k;
    int ahead = g->n * g->k * g->taps > LARGE_B && column + 2 * width <= g->n && tiles >= LEAST_TILES;
    if (!ahead) {
        if (taller) run_tiles(b, &t, column, nv, 0, taller, mr + 1);
        run_tiles(b, &t, column, nv, taller * (mr + 1), tiles - taller, mr);
        return;
    }
    for (int64_t i = 0; i < (int64_t)tiles; i++) {
        run_tiles(b, &t, column, nv, i * mr + min64(i, taller), 1, mr + (i < (int64_t)taller));
        prefetch_part(next_panel, width * b->taps * b->k, i, tiles);
    }
}

static void run_panels(const block *b) {
    int vec = leat__gemm_f32.vec;
    int64_t total = ceil_div(b->g->n, vec), v = b->n0 / vec;
    while (v * vec < b->n1) {
        int nv = panel_vectors(v, total);
        run_panel(b, v * vec, nv);
        v += nv;
    }
}

static void run_depths(block *b) {
    const leat_gemm *g = b->g;
    int64_t dk = depth_step(g), dt = tap_step(g);
    for (int64_t tap = 0; tap < g->taps; tap += dt) {
        for (int64_t k0 = 0; k0 < g->k || k0 == 0; k0 += max64(dk, 1)) {
            b->tap = tap;
            b->taps = min64(dt, g->taps - tap);
            b->k0 = k0;
            b->k = min64(dk, g->k - k0);
            b->first = tap == 0 && k0 == 0;
            b->last = tap + dt >= g->taps && k0 + dk >= g->k;
            run_panels(b);
        }
    }
}

static void activate(const block *b) {
    const leat_gemm *g = b->g;
    const leat_epilogue *e = &g->epilogue;
    int64_t width = min64(b->n1, g->n) - b->n0;
    if (width == g->ldc && !(e->residual && e->after)) { /* rows lie together */
        leat__act_f32(e->act, g->c + b->m * width, width * b->count, &e->params);
        return;
    }
    for (int64_t i = 0; i < b->count; i++) {
        float *c = g->c + (b->m + i) * g->ldc + b->n0;
        leat__act_f32(e->act, c, width, &e->params);
        if (e->residual && e->after) leat__vmath()->vv[LEAT_VBIN_ADD](c, e->residual + (b->m + i) * e->ldr + b->n0, c, width);
    }
}

void leat__f32_gemm_part(const leat_gemm *g, int64_t m0, int64_t m1, int64_t n0, int64_t n1, void *scratch) {
    int64_t stride = block_rows(g), blocks = ceil_div(m1 - m0, stride);
    block b = {.g = g, .rows = scratch, .stride = stride, .n0 = n0, .n1 = n1};
    for (int64_t i = 0; i < blocks; i++) {
        b.m = m0 + i * (m1 - m0) / blocks;
        b.count = m0 + (i + 1) * (m1 - m0) / blocks - b.m;
        if (!g->a) g->rows(g->rows_arg, b.m, (int)b.count, b.rows, stride);
        run_depths(&b);
        if (needs_pass(g)) activate(&b);
    }
}

/* ---- threads ------------------------------------------------------------------------------------------------------------- */

int64_t leat__f32_gemm_column(int64_t n, int64_t index, int64_t parts) {
    int vec = leat__gemm_f32.vec;
    int64_t pairs = max64(1, ceil_div(n, vec) / 2); /* an odd last vector belongs to the last pair */
    return index >= parts ? n : min64(n, index * pairs / parts * 2 * vec);
}

/* Cells of the product: n_parts of `pairs` panels each over all rows, then m_parts of the rows over the columns that are left. */
typedef struct grid {
    const leat_gemm *g;
    int64_t          m_parts, n_parts, pairs;
    char            *scratch;
    size_t           scratch_bytes;
} grid;

static void run_cell(void *arg, int64_t index, int worker) {
    const grid *w = arg;
    int64_t m = w->g->m, n = w->g->n, pair = 2 * leat__gemm_f32.vec * w->pairs, rest = w->n_parts * pair;
    void *scratch = w->scratch + (size_t)worker * w->scratch_bytes;
    if (index < w->n_parts) leat__f32_gemm_part(w->g, 0, m, index * pair, min64(n, (index + 1) * pair), scratch);
    else leat__f32_gemm_part(w->g, (index - w->n_parts) * m / w->m_parts, (index - w->n_parts + 1) * m / w->m_parts, rest, n, scratch);
}

/* Parts of the rows: as many as wanted and possible, in multiples of the threads so that none waits for another's last part. */
static int64_t parts_of(int64_t wanted, int64_t most, int threads) {
    int64_t parts = max64(1, min64(wanted, most));
    return parts > threads ? parts / threads * threads : parts;
}

/* Columns in equal parts, a multiple of the threads, that leave as few vectors as possible to be cut by rows; always the last panel
 * if it has three. */
static void split_columns(int64_t cells, int64_t vectors, int threads, grid *w) {
    int64_t pairs = vectors / 2 - vectors % 2, least = pairs + 1;
    for (int64_t parts = min64(cells, pairs) / threads * threads; parts >= threads; parts -= threads) {
        if (pairs % parts >= least) continue;
        least = pairs % parts;
        w->n_parts = parts;
        w->pairs = pairs / parts;
    }
    if (!w->n_parts) return;
    int64_t parts = w->g->m < 2 * threads ? 1 : threads; /* of two rows at least: a single one would be summed in another order */
    w->m_parts = least || vectors % 2 ? parts : 0;
}

/* Cells of at least TASK_MACS, at most eight a thread.  A cut through the rows makes every cell read all of B, one through the columns
 * all of A: the side of the larger operand is cut. */
static void split(const leat_gemm *g, int threads, grid *w) {
    double rows = (double)g->m < LEAST_TASK_ROWS ? LEAST_TASK_ROWS : (double)g->m, macs = rows * (double)g->n * (double)(g->k * g->taps);
    int64_t cells = (int64_t)(macs / TASK_MACS), vectors = ceil_div(g->n, leat__gemm_f32.vec);
    cells = threads <= 1 ? 1 : max64(1, min64(cells, threads * (int64_t)8));
    w->m_parts = parts_of(cells, g->m / LEAST_PART_ROWS, threads);
    int columns = g->n > g->m || w->m_parts < threads;
    if (columns && cells >= threads) split_columns(cells, vectors, threads, w);
}

void leat__f32_gemm_parallel(const leat_gemm *g, leat_tpool *pool, int threads, size_t worker_bytes, void *scratch) {
    if (g->m <= 0 || g->n <= 0) return;
    grid w = {.g = g, .scratch = scratch, .scratch_bytes = worker_bytes};
    split(g, threads, &w);
    if (w.m_parts + w.n_parts == 1) {
        leat__f32_gemm_part(g, 0, g->m, 0, g->n, scratch);
        return;
    }
    leat__tpool_for_n(pool, threads, w.m_parts + w.n_parts, run_cell, &w);
}
