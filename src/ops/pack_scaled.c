/* pack_scaled.c - scales a temporary copy of the weights while they are packed: the file keeps the only lasting unscaled one.
 *
 * Packs are found again by the address of W and a variant.  Shared weights under another scale are another packing, so the address of the
 * scale is part of the variant.  A fill cannot fail half-way for its caller; when there is no memory for the copy, what it leaves is made
 * unfindable by counting failures into the variant too.
 */
#include "ops/pack_scaled.h"

#include <stdatomic.h>

#include "base/mem.h"

typedef struct scaled_job {
    const leat_tensor *w;
    const float       *scale;
    leat_pack_fn       pack;
    void              *arg;
    int                failed;
} scaled_job;

static atomic_uint failed_fills;

static void fill(void *block, void *arg) {
    scaled_job  *job = arg;
    const float *w = job->w->data;
    if (!job->scale) {
        job->pack(w, block, job->arg);
        return;
    }
    int64_t outputs = job->w->dims[0], each = outputs ? leat_tensor_count(job->w) / outputs : 0;
    float  *scaled = leat__calloc((size_t)outputs, (size_t)each * sizeof(float), LEAT_MEMORY_WEIGHTS);
    if (!scaled) {
        job->failed = 1;
        atomic_fetch_add(&failed_fills, 1);
        return;
    }
    for (int64_t m = 0; m < outputs; m++)
        for (int64_t i = 0; i < each; i++) scaled[m * each + i] = w[m * each + i] * job->scale[m];
    job->pack(scaled, block, job->arg);
    leat__free(scaled);
}

const void *leat__op_pack_scaled(leat_op_call *call, int w, int scale, uint64_t variant, size_t bytes, leat_pack_fn pack, void *arg) {
    scaled_job job = {.w = call->in[w], .pack = pack, .arg = arg};
    if (leat__op_in(call, scale)) {
        job.scale = call->in[scale]->data;
        variant ^= (((uint64_t)(uintptr_t)job.scale + atomic_load(&failed_fills)) * 0x9e3779b97f4a7c15u) | 1;
    }
    const void *packed = leat__op_pack(call, job.w->data, variant, bytes, fill, &job);
    if (!job.failed) return packed;
    leat__op_fail(call, LEAT_ENOMEM, "out of memory while packing weights");
    return NULL;
}

int leat__op_check_scale(leat_op_call *call, int w, int scale, int64_t outputs) {
    const leat_tensor *s = leat__op_in(call, scale);
    if (!s) return LEAT_OK;
    if (s->dtype == LEAT_DTYPE_F32 && leat_tensor_count(s) == outputs && leat__op_is_const(call, scale) && leat__op_is_const(call, w) &&
        call->in[w]->dtype == LEAT_DTYPE_F32)
        return LEAT_OK;
    return leat__op_fail(call, LEAT_ESHAPE, "input %d (scale) must be constant float32[%lld], the weights too", scale, (long long)outputs);
}
