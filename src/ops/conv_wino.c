/* conv_wino.c - Conv by Winograd: 3x3, stride 1, one group, where the cost model of wino_f32.h says that it wins. */
#include "cpu/wino_f32.h"
#include "ops/conv_plan.h"

int leat__conv_wino_tile(const leat_conv_shape *s) {
    int fits = s->group == 1 && leat__conv_is_flat(s) && s->kernel[1] == 3 && s->kernel[2] == 3 &&
               s->stride[1] == 1 && s->stride[2] == 1 && s->dilation[1] == 1 && s->dilation[2] == 1;
    return fits ? leat__wino_f32_choose(s->n, s->out[1], s->out[2], s->cin, s->cout) : 0;
}

static int tile_of(const conv_plan *p) { return p->algo == &leat__conv_wino4 ? 4 : 2; }

static leat_wino geometry(const conv_plan *p) {
    const leat_conv_shape *s = &p->shape;
    return (leat_wino){.tile = tile_of(p), .n = s->n, .h = s->in[1], .w = s->in[2], .c = s->cin, .pad_top = s->pad[1], .pad_left = s->pad[2],
                       .oh = s->out[1], .ow = s->out[2], .co = s->cout};
}

static size_t packed_bytes(const conv_plan *p) { return leat__wino_f32_packed_bytes(tile_of(p), p->shape.cin, p->shape.cout); }

static void pack(const conv_plan *p, const float *w, void *packed) {
    leat__wino_f32_pack(tile_of(p), w, p->shape.cin, p->shape.cout, packed);
}

static void scratch(conv_plan *p, int threads) {
    leat_wino g = geometry(p);
    p->worker_bytes = 0;
    p->shared_bytes = leat__wino_f32_scratch(&g, threads);
}

static void run(const conv_run *r) {
    leat_wino          g = geometry(r->plan);
    const leat_tensor *bias = leat__op_in(r->call, 2);
    g.x = r->x;
    g.y = r->y;
    g.u = r->weights;
    g.epilogue = r->plan->epilogue;
    g.epilogue.bias = bias ? bias->data : NULL;
    g.epilogue.residual = r->residual;
    g.epilogue.ldr = g.co;
    leat__wino_f32_run(&g, r->call->pool, r->plan->threads, r->shared);
}

const conv_algo leat__conv_wino4 = {"wino43", 0, packed_bytes, pack, scratch, run};
const conv_algo leat__conv_wino2 = {"wino23", 0, packed_bytes, pack, scratch, run};
