/* qmat.c - activations laid out and rounded, products handed to the kernels for few or many tokens; see qmat.h. */
#include "cpu/qmat.h"

#include <string.h>

#include "cpu/qdot.h"
#include "cpu/qgemm.h"

enum { GROUP = 32, PIECE = 16 };

static int64_t groups_of(int64_t cols) { return (cols + 255) / 256 * 8; }
static size_t aligned(size_t bytes) { return (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN; }

/* Where the next bytes are handed out. */
typedef struct cursor {
    char  *memory; /* NULL: only counts */
    size_t at;
} cursor;

static void *take(cursor *c, size_t bytes) {
    void *piece = c->memory ? c->memory + c->at : NULL;
    c->at += aligned(bytes);
    return piece;
}

/* Of all groups, and of those of few tokens. */
static void lay_out(leat_qact *act, cursor *c, size_t groups, size_t few) {
    act->q = take(c, GROUP * groups);
    act->scale = take(c, 4 * groups);
    act->bias = take(c, 4 * groups);
    act->sum = take(c, 4 * groups);
    act->grain = take(c, 4 * groups);
    act->unit = take(c, groups / 2);
    act->split = take(c, GROUP * few);
    act->pairs = take(c, GROUP * few);
    act->fours = take(c, GROUP * few);
    act->lack = take(c, 4 * few);
    act->grains = take(c, 8 * few);
    act->biases = take(c, 8 * few);
    act->twice = take(c, 2 * GROUP * few);
    act->eights = take(c, 16 * few);
}

/* Enough for any number of tokens up to n. */
size_t leat__qact_bytes(int64_t n, int64_t cols) {
    leat_qact act;
    cursor    c = {NULL, 0};
    size_t    groups = (size_t)groups_of(cols);
    lay_out(&act, &c, (size_t)n * groups, (size_t)(n < LEAT_QMAT_FEW ? n : LEAT_QMAT_FEW) * groups);
    return c.at + LEAT_TAIL_BYTES;
}

void leat__qact_init(leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols, int64_t ld) {
    cursor c = {memory, 0};
    size_t groups = (size_t)n * (size_t)groups_of(cols);
    *act = (leat_qact){.n = n, .cols = cols, .ld = ld, .groups = groups_of(cols), .x = x};
    lay_out(act, &c, groups, n <= LEAT_QMAT_FEW ? groups : 0);
}

int leat__qact_wanted(int type) { return type != 0 && type != 1 && type != 30; }

/* The orders in which the x86 kernels for few tokens meet weights and scales. */
static void reorder(leat_qact *act, int64_t token) {
    for (int64_t i = token * act->groups; i < (token + 1) * act->groups; i += 4) {
        const int8_t *q = act->q + GROUP * i;
        int8_t       *split = act->split + GROUP * i, *pairs = act->pairs + GROUP * i;
        for (int g = 0; g < 4; g++) {
            memcpy(split + PIECE * g, q + GROUP * g, PIECE);
            memcpy(split + PIECE * (g + 4), q + GROUP * g + PIECE, PIECE);
            memcpy(pairs + GROUP * (g / 2 + g % 2 * 2), q + GROUP * g, GROUP);
        }
    }
    for (int64_t i = token * act->groups; i < (token + 1) * act->groups; i += 8) {
        int16_t *grains = act->grains + 4 * i;
        memset(grains, 0, 32);
        for (int g = 0; g < 8; g++) grains[g / 4 * 8 + g % 4] = act->grain[2 * (i + g)];
        memcpy(grains + 16, grains, 32);
        memcpy(act->biases + 2 * i, act->bias + i, 32);
        memcpy(act->biases + 2 * i + 8, act->bias + i, 32);
    }
}

void leat__qact_round(leat_qact *act, int64_t first, int64_t count) {
    for (int64_t t = first; t < first + count; t++) {
        leat__qdot.round(act, t);
        if (LEAT_CPU_X86 && act->n <= LEAT_QMAT_FEW) reorder(act, t);
    }
}

size_t leat__qmat_scratch_bytes(int64_t cols) { return leat__qgemm_scratch_bytes(cols); }

void leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    if (act->n > LEAT_QMAT_FEW) leat__qgemm(w, act, first, count, y, ldy, scratch);
    else leat__qdot.rows[w->type](w->data + first * w->stride, w->stride, count, act, y + first, ldy);
}
