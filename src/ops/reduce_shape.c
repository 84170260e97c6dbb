/* reduce_shape.c - groups of kept and reduced axes (reduce_shape.h). */
#include "ops/reduce_shape.h"

#include <string.h>

#include "ops/el_walk.h"

static void add_group(leat_reduce_shape *s, int64_t dim, int reduced, int64_t in_stride, int64_t out_stride) {
    int last = s->n - 1;
    if (s->n && s->reduced[last] == reduced && s->in_stride[last] == in_stride * dim && (reduced || s->out_stride[last] == out_stride * dim)) {
        s->dims[last] *= dim;
        s->in_stride[last] = in_stride;
        s->out_stride[last] = out_stride;
        return;
    }
    s->dims[s->n] = dim;
    s->reduced[s->n] = (uint8_t)reduced;
    s->in_stride[s->n] = in_stride;
    s->out_stride[s->n++] = reduced ? 0 : out_stride;
}

void leat__reduce_shape(const leat_tensor *in, const leat_tensor *out, uint32_t mask, leat_reduce_shape *s) {
    int64_t in_stride[LEAT_MAX_RANK], out_own[LEAT_MAX_RANK], out_stride[LEAT_MAX_RANK] = {0}, expected;
    int keep = out->rank == in->rank, nhwc = leat__is_nhwc(in) && in->rank >= 3;
    memset(s, 0, sizeof *s);
    leat__logical_strides(in, in_stride);
    leat__logical_strides(out, out_own);
    for (int i = 0, o = 0; i < in->rank; i++) {
        if (!(mask >> i & 1)) out_stride[i] = out_own[keep ? i : o];
        if (!(mask >> i & 1)) o++;
    }
    s->outputs = s->inputs_each = 1;
    for (int i = 0; i < in->rank; i++) {
        int axis = !nhwc || i == 0 ? i : i == in->rank - 1 ? 1 : i + 1, reduced = mask >> axis & 1;
        *(reduced ? &s->inputs_each : &s->outputs) *= in->dims[axis];
        if (in->dims[axis] != 1) add_group(s, in->dims[axis], reduced, in_stride[axis], out_stride[axis]);
    }
    s->ordered = 1;
    expected = 1;
    for (int i = s->n - 1; i >= 0; i--) {
        if (s->reduced[i]) continue;
        s->ordered &= s->out_stride[i] == expected;
        expected *= s->dims[i];
    }
}

int64_t leat__reduce_offset(const leat_reduce_shape *s, int reduced, int groups, int64_t index, int64_t *out_at) {
    int64_t at = 0;
    *out_at = 0;
    for (int i = groups - 1; i >= 0; i--) {
        if (s->reduced[i] != reduced) continue;
        at += index % s->dims[i] * s->in_stride[i];
        *out_at += index % s->dims[i] * s->out_stride[i];
        index /= s->dims[i];
    }
    return at;
}
