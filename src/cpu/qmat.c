/* qmat.c - activations laid out and rounded, products handed to the kernels for few or many tokens; see qmat.h. */
#include "cpu/qmat.h"

#include "cpu/qdot.h"

static int64_t groups_of(int64_t cols) { return (cols + 31) / 32; }
static size_t aligned(size_t bytes) { return (bytes + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN; }

size_t leat__qact_bytes(int64_t n, int64_t cols) {
    size_t groups = (size_t)n * (size_t)groups_of(cols);
    return aligned(32 * groups) + 3 * aligned(4 * groups) + LEAT_TAIL_BYTES;
}

void leat__qact_init(leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols, int64_t ld) {
    size_t   groups = (size_t)n * (size_t)groups_of(cols);
    uint8_t *at = memory;
    *act = (leat_qact){.n = n, .cols = cols, .ld = ld, .x = x, .q = memory};
    act->scale = (float *)(at += aligned(32 * groups));
    act->bias = (float *)(at += aligned(4 * groups));
    act->sum = (int16_t *)(at + aligned(4 * groups));
}

int leat__qact_wanted(int type) { return type != 0 && type != 1 && type != 30; }

void leat__qact_round(leat_qact *act, int64_t first, int64_t count) {
    int64_t groups = groups_of(act->cols);
    for (int64_t t = first; t < first + count; t++)
        leat__qdot.round(act->x + t * act->ld, act->cols, act->q + 32 * t * groups, act->scale + t * groups, act->bias + t * groups, act->sum + 2 * t * groups);
}

size_t leat__qmat_scratch_bytes(int64_t cols) { return LEAT_ALIGN; }

/* Tokens [first, first + n) of act. */
static leat_qact tokens(const leat_qact *act, int64_t first, int64_t n) {
    int64_t   groups = groups_of(act->cols), at = first * groups;
    leat_qact part = *act;
    part.n = n;
    part.x += first * act->ld;
    part.q += 32 * at;
    part.scale += at;
    part.bias += at;
    part.sum += 2 * at;
    return part;
}

void leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    const uint8_t *rows = w->data + first * w->stride;
    for (int64_t t = 0; t < act->n; t += LEAT_QMAT_FEW) {
        leat_qact part = tokens(act, t, act->n - t < LEAT_QMAT_FEW ? act->n - t : LEAT_QMAT_FEW);
        leat__qdot.rows[w->type](rows, w->stride, count, &part, y + t * ldy + first, ldy);
    }
}
