/* qmat.c - activations laid out and rounded, products handed to the kernels for few or many tokens; see qmat.h. */
#include "cpu/qmat.h"

#include <string.h>

#include "cpu/qdot.h"
#include "cpu/qgemm.h"

enum { GROUP = 32, PIECE = 16 };

static int64_t groups_of(int64_t cols) { return (cols + 255) / 256 * 8; }
static size_t aligned(size_t bytes) { return (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN; }

size_t leat__qact_bytes(int64_t n, int64_t cols) {
    size_t groups = (size_t)n * (size_t)groups_of(cols);
    return 3 * GROUP * groups + aligned(8 * groups) + 3 * aligned(4 * groups) + LEAT_TAIL_BYTES;
}

void leat__qact_init(leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols, int64_t ld) {
    size_t  groups = (size_t)n * (size_t)groups_of(cols);
    int8_t *at = memory;
    *act = (leat_qact){.n = n, .cols = cols, .ld = ld, .groups = groups_of(cols), .x = x, .q = at};
    act->split = at += GROUP * groups;
    act->pairs = at += GROUP * groups;
    act->joint = (float *)(at += GROUP * groups);
    act->scale = (float *)(at += aligned(8 * groups));
    act->bias = (float *)(at += aligned(4 * groups));
    act->sum = (int16_t *)(at + aligned(4 * groups));
}

int leat__qact_wanted(int type) { return type != 0 && type != 1 && type != 30; }

/* The orders in which the kernels for few tokens meet weights and scales. */
static void reorder(leat_qact *act, int64_t token) {
    for (int64_t i = token * act->groups; i < (token + 1) * act->groups; i += 4) {
        const int8_t *q = act->q + GROUP * i;
        int8_t       *split = act->split + GROUP * i, *pairs = act->pairs + GROUP * i;
        for (int g = 0; g < 4; g++) {
            memcpy(split + PIECE * g, q + GROUP * g, PIECE);
            memcpy(split + PIECE * (g + 4), q + GROUP * g + PIECE, PIECE);
            memcpy(pairs + GROUP * (g / 2 + g % 2 * 2), q + GROUP * g, GROUP);
            act->joint[2 * i + g] = act->scale[i + g];
            act->joint[2 * i + 4 + g] = act->bias[i + g];
        }
    }
}

void leat__qact_round(leat_qact *act, int64_t first, int64_t count) {
    for (int64_t t = first; t < first + count; t++) {
        int64_t at = t * act->groups, used = (act->cols + GROUP - 1) / GROUP, rest = act->groups - used;
        leat__qdot.round(act->x + t * act->ld, act->cols, act->q + GROUP * at, act->scale + at, act->bias + at, act->sum + 2 * at);
        memset(act->q + GROUP * (at + used), 0, (size_t)(GROUP * rest));
        memset(act->scale + at + used, 0, (size_t)rest * sizeof(float));
        memset(act->bias + at + used, 0, (size_t)rest * sizeof(float));
        memset(act->sum + 2 * (at + used), 0, (size_t)rest * 2 * sizeof(int16_t));
        if (act->n <= LEAT_QMAT_FEW) reorder(act, t);
    }
}

size_t leat__qmat_scratch_bytes(int64_t cols) { return leat__qgemm_scratch_bytes(cols); }

void leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    if (act->n > LEAT_QMAT_FEW) leat__qgemm(w, act, first, count, y, ldy, scratch);
    else leat__qdot.rows[w->type](w->data + first * w->stride, w->stride, count, act, y + first, ldy);
}
