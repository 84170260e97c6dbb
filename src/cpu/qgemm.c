/* qgemm.c - panels, slices and tokens of the products with many tokens; see qgemm.h.
 *
 * Loops, outermost first: panels of 32 rows; slices of 512 of the depth, unpacked into 16 KB that stay in L1; tokens, a tile at a time, in as few tiles
 * as possible of nearly equal size.  Y is summed over the slices in
 * scratch, where rows lie together: 8 KB apart in Y they would fall into few cache sets.  Rows come out of the unpack stage in natural order and are interleaved by a
 * transposition of four bytes at a time, scales the same way.
 */
#include "cpu/qgemm.h"

#include <string.h>

#include "cpu/blocks.h"
#include "cpu/gemm_f32.h"
#include "cpu/transpose.h"
#include "cpu/vmath.h"

#define ROWS LEAT_QGEMM_ROWS
#define DEPTH LEAT_QGEMM_DEPTH
#define PIECE 256         /* of a row that is unpacked at once: the longest block */
#define TOKENS 512        /* for which a panel is unpacked once */
#define FLOAT_DEPTH 1024  /* of a slice of a float panel: 128 KB */

enum { TYPE_F32 = 0, TYPE_F16 = 1, TYPE_BF16 = 30 };

/* Scratch of a thread. */
typedef struct panel {
    _Alignas(64) uint8_t bytes[DEPTH * ROWS];            /* [depth / piece][ROWS][piece] */
    float                scale[DEPTH / 16 * ROWS * 2];   /* [depth / group][width] */
    float                added[DEPTH / 16 * ROWS * 2];
    uint8_t              q[ROWS][PIECE];                 /* as unpacked */
    float                raw_scale[ROWS][PIECE / 16], raw_added[ROWS][PIECE / 16];
    float                y[TOKENS][ROWS];                /* sums so far */
} panel;

typedef struct float_panel {
    _Alignas(64) float packed[FLOAT_DEPTH * ROWS];
    float              raw[ROWS][PIECE];
    _Alignas(64) char  scratch[1024];
} float_panel;

typedef struct product {
    const leat_qmat *w;
    const leat_qact *act;
    float           *y;
    int64_t          ldy;
    int64_t          row;  /* first of the panel */
    int              rows; /* of it, <= ROWS */
} product;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

size_t leat__qgemm_scratch_bytes(int64_t cols) { return sizeof(panel) > sizeof(float_panel) ? sizeof(panel) : sizeof(float_panel); }

/* ---- block formats -------------------------------------------------------------------------------------------------------- */

static int halves(leat_qgemm_kind kind) { return kind == LEAT_QGEMM_16_6 || kind == LEAT_QGEMM_16_6_MIN; }
static int has_min(leat_qgemm_kind kind) {
    return kind == LEAT_QGEMM_32_4_MIN || kind == LEAT_QGEMM_32_5_MIN || kind == LEAT_QGEMM_16_6_MIN;
}

/* Columns [k, k + depth) of the panel's rows. */
static void unpack(const product *p, const leat_qgemm_format *f, int64_t k, int64_t depth, panel *to) {
    const leat_qgemm_table  *table = &leat__qgemm_kernels;
    const leat_block_format *blocks = leat__block_format(p->w->type);
    int group = halves(f->kind) ? 16 : 32;
    for (int64_t at = 0; at < depth; at += PIECE) {
        int64_t        length = min64(PIECE, depth - at), scales = length / group;
        const uint8_t *from = p->w->data + p->row * p->w->stride + (k + at) / blocks->length * blocks->bytes;
        for (int r = 0; r < p->rows; r++, from += p->w->stride) f->unpack(from, length / 32, to->q[r], to->raw_scale[r], to->raw_added[r]);
        table->interleave_bytes(to->q, sizeof to->q[0], length / table->piece, to->bytes + at * ROWS);
        table->interleave_scales(to->raw_scale, sizeof to->raw_scale[0], scales, to->scale + at / group * table->width);
        if (has_min(f->kind)) table->interleave_scales(to->raw_added, sizeof to->raw_added[0], scales, to->added + at / group * table->width);
    }
}

/* Asks for the lines that the panel's sums will be written to. */
static void prefetch_row(const float *y) {
    for (int at = 0; at < ROWS; at += 16) __builtin_prefetch(y + at, 1);
}

/* The slice after [k, k + depth): of this panel, or the first one of the next, which most often is the thread's next work even when it belongs to another
 * call.  An address behind the weights does no harm. */
static leat_qgemm_ahead slice_after(const product *p, int64_t k, int64_t depth, int64_t tiles) {
    const leat_block_format *blocks = leat__block_format(p->w->type);
    int64_t next = k + depth < p->w->cols ? k + depth : 0, row = next ? p->row : p->row + ROWS;
    int64_t bytes = min64(DEPTH, p->w->cols - next) / blocks->length * blocks->bytes, lines = ROWS * (bytes / 64 + 2);
    leat_qgemm_ahead a = {.left = bytes, .row = bytes, .stride = p->w->stride, .rows = ROWS, .lines = lines / (tiles * depth / 32) + 1};
    a.at = (const uint8_t *)((uintptr_t)p->w->data + (uintptr_t)(row * p->w->stride + next / blocks->length * blocks->bytes));
    return a;
}

/* Tokens [first, first + n), of one slice. */
static void all_tokens(const product *p, const leat_qgemm_format *f, int64_t first, int64_t n, int64_t k, int64_t depth, panel *own) {
    const leat_qact *act = p->act;
    int64_t groups = act->groups, most = leat__qgemm_kernels.most[f->kind], tiles = (n + most - 1) / most;
    leat_qgemm_ahead ahead = slice_after(p, k, depth, tiles);
    leat_qgemm_tile t = {.bytes = own->bytes, .scale = own->scale, .added = own->added, .groups = depth / 32, .offset = f->offset,
                         .ldq = 32 * groups, .ldscale = groups, .ldy = ROWS, .ahead = &ahead};
    for (int64_t i = 0; i < tiles; i++) {
        int64_t from = i * n / tiles, tokens = (i + 1) * n / tiles - from, at = first + from;
        t.q = act->q + at * t.ldq + k;
        t.x_scale = act->scale + at * groups + k / 32;
        t.sum = act->sum + at * 2 * groups + k / 16;
        t.y = own->y[from];
        if (k + depth == p->w->cols)
            for (int64_t j = at; j < at + tokens; j++) prefetch_row(p->y + j * p->ldy + p->row);
        leat__qgemm_kernels.tile[f->kind][tokens](&t);
    }
}

static void block_panel(const product *p, panel *own) {
    const leat_qgemm_format *f = &leat__qgemm_kernels.format[p->w->type];
    if (p->rows < ROWS) memset(own, 0, sizeof *own); /* rows that are not there count nothing */
    for (int64_t first = 0, n; first < p->act->n; first += n) {
        n = min64(TOKENS, p->act->n - first);
        memset(own->y, 0, (size_t)n * sizeof own->y[0]);
        for (int64_t k = 0; k < p->w->cols; k += DEPTH) {
            int64_t depth = min64(DEPTH, p->w->cols - k);
            unpack(p, f, k, depth, own);
            if (leat__qgemm_kernels.make_signed && f->kind == LEAT_QGEMM_32_8)
                leat__qgemm_kernels.make_signed(own->bytes, depth / 32, (int32_t *)(void *)own->added);
            all_tokens(p, f, first, n, k, depth, own);
        }
        for (int64_t t = 0; t < n; t++) memcpy(p->y + (first + t) * p->ldy + p->row, own->y[t], (size_t)p->rows * sizeof(float));
    }
}

/* ---- float formats -------------------------------------------------------------------------------------------------------- */

static void load_floats(int type, const uint8_t *from, int64_t n, float *to) {
    if (type == TYPE_F32) memcpy(to, from, (size_t)n * sizeof(float));
    else if (type == TYPE_F16) leat__vmath()->f16_to_f32((const uint16_t *)(const void *)from, to, n);
    else leat__vmath()->bf16_to_f32((const uint16_t *)(const void *)from, to, n);
}

/* Columns [k, k + depth) of the panel's rows as the matrix multiply's right-hand side. */
static void pack_floats(const product *p, int64_t k, int64_t depth, float_panel *to) {
    int bytes = p->w->type == TYPE_F32 ? 4 : 2;
    for (int64_t at = 0; at < depth; at += PIECE) {
        int64_t        length = min64(PIECE, depth - at);
        const uint8_t *from = p->w->data + p->row * p->w->stride + (k + at) * bytes;
        for (int r = 0; r < p->rows; r++, from += p->w->stride) load_floats(p->w->type, from, length, to->raw[r]);
        for (int r = 0, width; r < p->rows; r += width) {
            width = leat__f32_gemm_panel_width(p->rows, r);
            float *part = to->packed + r * depth + at * width;
            leat__transpose.b4((const uint8_t *)to->raw[r], sizeof to->raw[r], (uint8_t *)part, 4 * width, width, length);
        }
    }
}

static void float_rows(const product *p, float_panel *own) {
    leat_gemm g = {.m = p->act->n, .n = p->rows, .taps = 1, .lda = p->act->ld, .b = own->packed, .c = p->y + p->row, .ldc = p->ldy};
    if (p->rows < ROWS) memset(own->raw, 0, sizeof own->raw);
    for (int64_t k = 0; k < p->w->cols; k += FLOAT_DEPTH) {
        g.k = min64(FLOAT_DEPTH, p->w->cols - k);
        g.a = p->act->x + k;
        g.epilogue.residual = k ? g.c : NULL;
        g.epilogue.ldr = g.ldc;
        pack_floats(p, k, g.k, own);
        leat__f32_gemm_part(&g, 0, g.m, 0, g.n, own->scratch);
    }
}

void leat__qgemm(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    product p = {.w = w, .act = act, .y = y, .ldy = ldy};
    for (int64_t r = first; r < first + count; r += ROWS) {
        p.row = r;
        p.rows = (int)min64(ROWS, first + count - r);
        if (leat__qgemm_kernels.format[w->type].unpack) block_panel(&p, scratch);
        else float_rows(&p, scratch);
    }
}
