/* qmat.c - activations laid out and rounded, products handed to the kernels for few or many tokens; see qmat.h. */
#include "cpu/qmat.h"

#include <string.h>

#include "cpu/qdot.h"
#include "cpu/qgemm.h"

enum { GROUP = 32, PIECE = 16 };

static int64_t groups_of(int64_t cols) { return (cols + 255) / 256 * 8; }
static size_t aligned(size_t bytes) { return (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN; }

size_t leat__qact_bytes(int64_t n, int64_t cols) {
    size_t groups = (size_t)n * (size_t)groups_of(cols), few = (size_t)(n < LEAT_QMAT_FEW ? n : LEAT_QMAT_FEW) * (size_t)groups_of(cols);
    return GROUP * groups + 4 * aligned(4 * groups) + aligned(groups / 2) + 5 * GROUP * few + aligned(16 * few) + 2 * aligned(8 * few) + aligned(4 * few) + LEAT_TAIL_BYTES;
}

/* The next `bytes` of the memory. */
static void *take(char **at, size_t bytes) {
    void *piece = *at;
    *at += aligned(bytes);
    return piece;
}

void leat__qact_init(leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols, int64_t ld) {
    size_t groups = (size_t)n * (size_t)groups_of(cols), few = n <= LEAT_QMAT_FEW ? groups : 0;
    char  *at = memory;
    *act = (leat_qact){.n = n, .cols = cols, .ld = ld, .groups = groups_of(cols), .x = x};
    act->q = take(&at, GROUP * groups);
    act->scale = take(&at, 4 * groups);
    act->bias = take(&at, 4 * groups);
    act->sum = take(&at, 4 * groups);
    act->grain = take(&at, 4 * groups);
    act->unit = take(&at, groups / 2);
    act->split = take(&at, GROUP * few);
    act->pairs = take(&at, GROUP * few);
    act->fours = take(&at, GROUP * few);
    act->lack = take(&at, 4 * few);
    act->grains = take(&at, 8 * few);
    act->biases = take(&at, 8 * few);
    act->twice = take(&at, 2 * GROUP * few);
    act->eights = take(&at, 16 * few);
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
