/* wino_f32.c - packing, blocking and threading of the Winograd convolution (contract in wino_f32.h).
 *
 * A block of tiles goes through three phases on one thread: transform its inputs to V [P][tiles][C], one matrix product a point to
 * M [P][tiles][CO], transform M to outputs.  The number of tiles in a block is what keeps V and M in L2; it is not less than two
 * register tiles, because each block reads all the kernels once.  When there are fewer blocks than threads the output channels
 * are shared out as well and each thread transforms the inputs for itself.
 */
#include "cpu/wino_f32.h"

#include <math.h>
#include <string.h>

#include "cpu/vmath.h"

#define L2_BUDGET (640 * 1024)
#define LINE 16          /* floats: keeps the P planes of V and M out of each other's cache sets */
#define LEAST_TILES 12
#define MOST_TILES 96
#define COST_STREAM 4.0  /* multiply-adds that fit in the time of reading one kernel value past L2 */
#define COST_EDGE 6.0    /* the same for one value through a transform, a point */
#define ADVANTAGE 0.80   /* Winograd must be this much cheaper by the model, which knows no overheads */

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t padded(int64_t channels) { return ceil_div(channels, 16) * 16; }
static int points(int tile) { return (tile + 2) * (tile + 2); }

/* ---- choice -------------------------------------------------------------------------------------------------------------- */

static double cost(int tile, double tiles, double c, double co) {
    double rows = ceil(tiles / 4) * 4; /* short products run at lower speed */
    return points(tile) * (rows * c * co + COST_STREAM * c * co + COST_EDGE * tiles * (c + co));
}

int leat__wino_f32_choose(int64_t n, int64_t oh, int64_t ow, int64_t c, int64_t co) {
    if (c < 12 || co < 12 || oh < 3 || ow < 3) return 0;
    double direct = 9.0 * (double)c * (double)co * ((double)(n * oh * ow) + COST_STREAM);
    double four = cost(4, (double)(n * ceil_div(oh, 4) * ceil_div(ow, 4)), (double)c, (double)co);
    double two = cost(2, (double)(n * ceil_div(oh, 2) * ceil_div(ow, 2)), (double)c, (double)co);
    if (four <= two && four < ADVANTAGE * direct) return 4;
    return two < ADVANTAGE * direct ? 2 : 0;
}

/* ---- kernels ------------------------------------------------------------------------------------------------------------- */

/* Rows of G: [1, p, p^2] / product of (p - q) over the other finite points, and [0, 0, 1] for infinity. */
static const double g4[6][3] = {
    {1 / 1.265625, 0, 0},
    {1 / -1.8984375, 0.75 / -1.8984375, 0.5625 / -1.8984375},
    {1 / -1.8984375, -0.75 / -1.8984375, 0.5625 / -1.8984375},
    {1 / 7.59375, 1.5 / 7.59375, 2.25 / 7.59375},
    {1 / 7.59375, -1.5 / 7.59375, 2.25 / 7.59375},
    {0, 0, 1},
};
static const double g2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

/* All points of the kernels w [c][3][3] of one output channel, in double and rounded once: u[p * plane + k * width]. */
static void transform_kernels(int tile, const float *w, int64_t c, float *u, size_t plane, int width) {
    const double(*g)[3] = tile == 4 ? g4 : g2;
    int side = tile + 2;
    for (int64_t k = 0; k < c; k++, w += 9)
        for (int i = 0; i < side; i++) {
            double r0 = g[i][0] * w[0] + g[i][1] * w[3] + g[i][2] * w[6];
            double r1 = g[i][0] * w[1] + g[i][1] * w[4] + g[i][2] * w[7];
            double r2 = g[i][0] * w[2] + g[i][1] * w[5] + g[i][2] * w[8];
            for (int j = 0; j < side; j++)
                u[(size_t)(i * side + j) * plane + (size_t)(k * width)] = (float)(g[j][0] * r0 + g[j][1] * r1 + g[j][2] * r2);
        }
}

size_t leat__wino_f32_packed_bytes(int tile, int64_t c, int64_t co) { return (size_t)points(tile) * leat__f32_gemm_packed_bytes(c, co); }

void leat__wino_f32_pack(int tile, const float *w, int64_t c, int64_t co, float *u) {
    size_t plane = leat__f32_gemm_packed_bytes(c, co) / sizeof(float);
    memset(u, 0, leat__wino_f32_packed_bytes(tile, c, co));
    for (int64_t start = 0; start < co;) {
        int     width = leat__f32_gemm_panel_width(co, start);
        int64_t end = min64(co, start + width);
        for (int64_t o = start; o < end; o++) transform_kernels(tile, w + o * c * 9, c, u + start * c + (o - start), plane, width);
        start = end;
    }
}

/* ---- blocks ---------------------------------------------------------------------------------------------------------------- */

typedef struct layout {
    int64_t tiles_x, tiles_y, tiles; /* in all */
    int64_t block, blocks;           /* tiles in a block, blocks */
    int64_t n_parts;                 /* shares of the output channels */
    int64_t cp, op;                  /* padded channels */
    int64_t v_stride, m_stride;      /* between points */
    size_t  gemm_bytes, worker_bytes;
} layout;

static leat_gemm point_gemm(const leat_wino *g, const layout *l, int64_t tiles) {
    return (leat_gemm){.m = tiles, .n = g->co, .k = g->c, .taps = 1, .lda = l->cp, .ldc = l->op};
}

static layout lay_out(const leat_wino *g, int threads) {
    layout l = {.tiles_x = ceil_div(g->ow, g->tile), .tiles_y = ceil_div(g->oh, g->tile), .cp = padded(g->c), .op = padded(g->co)};
    l.tiles = g->n * l.tiles_x * l.tiles_y;
    int64_t per_tile = points(g->tile) * (l.cp + l.op) * (int64_t)sizeof(float);
    int64_t most = max64(LEAST_TILES, min64(MOST_TILES, L2_BUDGET / per_tile));
    l.blocks = max64(1, ceil_div(l.tiles, most));
    if (l.blocks > 1 && l.blocks % threads) l.blocks += threads - l.blocks % threads; /* no thread waits for another's last block */
    l.block = max64(1, ceil_div(l.tiles, l.blocks));
    l.n_parts = l.blocks >= threads ? 1 : ceil_div(threads, l.blocks);
    l.v_stride = l.block * l.cp + LINE;
    l.m_stride = l.block * l.op + LINE;
    leat_gemm gemm = point_gemm(g, &l, l.block);
    gemm.a = (const float *)&l; /* plain left-hand side: only whether it is NULL matters for the scratch */
    l.gemm_bytes = (leat__f32_gemm_scratch(&gemm) + 63) & ~(size_t)63;
    size_t zeros = (size_t)l.cp * sizeof(float), values = (size_t)(points(g->tile) * (l.v_stride + l.m_stride)) * sizeof(float);
    l.worker_bytes = (l.gemm_bytes + zeros + values + 63) & ~(size_t)63;
    return l;
}

size_t leat__wino_f32_scratch(const leat_wino *g, int threads) {
    return lay_out(g, threads < 1 ? 1 : threads).worker_bytes * (size_t)(threads < 1 ? 1 : threads);
}

typedef struct job {
    const leat_wino *g;
    layout           l;
    char            *scratch;
} job;

/* Where tile `index` begins: image, first output row and column. */
static void tile_origin(const job *j, int64_t index, int64_t *image, int64_t *y, int64_t *x) {
    *image = index / (j->l.tiles_x * j->l.tiles_y);
    int64_t rest = index % (j->l.tiles_x * j->l.tiles_y);
    *y = rest / j->l.tiles_x * j->g->tile;
    *x = rest % j->l.tiles_x * j->g->tile;
}

static void transform_in(const job *j, int64_t index, const float *zero, float *v) {
    const leat_wino *g = j->g;
    const float     *px[LEAT_WINO_MAX_POINTS];
    int              side = g->tile + 2;
    int64_t          image, y, x;
    tile_origin(j, index, &image, &y, &x);
    for (int r = 0; r < side; r++)
        for (int s = 0; s < side; s++) {
            int64_t iy = y - g->pad_top + r, ix = x - g->pad_left + s;
            int     inside = iy >= 0 && iy < g->h && ix >= 0 && ix < g->w;
            px[r * side + s] = inside ? g->x + ((image * g->h + iy) * g->w + ix) * g->c : zero;
        }
    (g->tile == 4 ? leat__wino_f32.in4 : leat__wino_f32.in2)(px, g->c, v, j->l.v_stride);
}

static int needs_pass(int act) { return act != LEAT_ACT_NONE && act != LEAT_ACT_RELU && act != LEAT_ACT_CLIP; }

/* Activations beyond a clip run over the pixels that were just written. */
static void activate(const leat_epilogue *e, const leat_wino_out *o, const float *const *after) {
    for (int i = 0; i < LEAT_WINO_MAX_OUTPUTS; i++) {
        if (!o->y[i]) continue;
        leat__act_f32(e->act, o->y[i], o->n, &e->params);
        if (after[i]) leat__vmath()->vv[LEAT_VBIN_ADD](o->y[i], after[i], o->y[i], o->n);
    }
}

static void transform_out(const job *j, int64_t index, const float *m, int64_t n0, int64_t n1) {
    const leat_wino     *g = j->g;
    const leat_epilogue *e = &g->epilogue;
    const float         *after[LEAT_WINO_MAX_OUTPUTS] = {0};
    leat_wino_out        o = {.m = m + n0, .m_stride = j->l.m_stride, .n = n1 - n0, .bias = e->bias ? e->bias + n0 : NULL};
    int                  later = needs_pass(e->act);
    int64_t              image, y, x;
    tile_origin(j, index, &image, &y, &x);
    o.lo = e->act == LEAT_ACT_RELU ? 0.0f : e->act == LEAT_ACT_CLIP ? e->params.lo : -INFINITY;
    o.hi = e->act == LEAT_ACT_CLIP ? e->params.hi : INFINITY;
    for (int r = 0; r < g->tile; r++)
        for (int s = 0; s < g->tile; s++) {
            if (y + r >= g->oh || x + s >= g->ow) continue;
            int64_t pixel = (image * g->oh + y + r) * g->ow + x + s;
            int     i = r * g->tile + s;
            o.y[i] = g->y + pixel * g->co + n0;
            if (!e->residual) continue;
            const float *residual = e->residual + pixel * e->ldr + n0;
            if (!e->after) o.before[i] = residual;
            else if (later) after[i] = residual;
            else o.after[i] = residual;
        }
    (g->tile == 4 ? leat__wino_f32.out4 : leat__wino_f32.out2)(&o);
    if (later) activate(e, &o, after);
}

static void multiply(const job *j, int64_t tiles, int64_t n0, int64_t n1, const float *v, float *m, void *scratch) {
    const leat_wino *g = j->g;
    size_t           one = leat__f32_gemm_packed_bytes(g->c, g->co) / sizeof(float);
    leat_gemm        gemm = point_gemm(g, &j->l, tiles);
    for (int p = 0; p < points(g->tile); p++) {
        gemm.a = v + p * j->l.v_stride;
        gemm.b = g->u + (size_t)p * one;
        gemm.c = m + p * j->l.m_stride;
        leat__f32_gemm_part(&gemm, 0, tiles, n0, n1, scratch);
    }
}

static void run_block(void *arg, int64_t index, int worker) {
    const job   *j = arg;
    const layout *l = &j->l;
    char         *scratch = j->scratch + (size_t)worker * l->worker_bytes;
    float        *zero = (float *)(scratch + l->gemm_bytes), *v = zero + l->cp, *m = v + points(j->g->tile) * l->v_stride;
    int64_t       part = index % l->n_parts, block = index / l->n_parts;
    int64_t       first = block * l->tiles / l->blocks, last = (block + 1) * l->tiles / l->blocks;
    int64_t       n0 = leat__f32_gemm_column(j->g->co, part, l->n_parts), n1 = leat__f32_gemm_column(j->g->co, part + 1, l->n_parts);
    if (n0 >= n1) return;
    memset(zero, 0, (size_t)l->cp * sizeof(float));
    for (int64_t t = first; t < last; t++) transform_in(j, t, zero, v + (t - first) * l->cp);
    multiply(j, last - first, n0, n1, v, m, scratch);
    for (int64_t t = first; t < last; t++) transform_out(j, t, m + (t - first) * l->op, n0, n1);
}

void leat__wino_f32_run(const leat_wino *g, leat_tpool *pool, int threads, void *scratch) {
    if (threads < 1) threads = 1;
    job j = {.g = g, .l = lay_out(g, threads), .scratch = scratch};
    if (j.l.tiles == 0) return;
    leat__tpool_for_n(pool, threads, j.l.blocks * j.l.n_parts, run_block, &j);
}
