/* bench_kernels.c - convolutions, products and inverted residuals of well-known networks, as a share of the FMA peak.
 *
 * usage: bench_kernels [THREADS] [FILTER]      one row per layer whose network or kernel contains FILTER
 *
 * The peak is measured between the runs of every layer, so that both see the same machine; times are the best of the rounds.  Winograd
 * counts as the direct convolution, hence more than 100 %.  Layers run through the operators, channels-last, weights packed.
 */
#include <stdio.h>

#include "../tests/ops/op_harness.h"
#include "base/clock.h"
#include "cpu/probe.h"

typedef enum kind { CONV, MATMUL, BLOCK } kind;

typedef struct layer {
    const char *network;
    kind        kind;
    int         c, co, size, kernel, stride, group; /* MATMUL: size x c times c x co */
    int         expanded;                           /* BLOCK */
} layer;

static const layer layers[] = {
    {"ResNet", CONV, 3, 64, 224, 7, 2, 1, 0},         {"ResNet", CONV, 64, 64, 56, 3, 1, 1, 0},     {"ResNet", CONV, 128, 128, 28, 3, 1, 1, 0},
    {"ResNet", CONV, 256, 256, 14, 3, 1, 1, 0},       {"ResNet", CONV, 512, 512, 7, 3, 1, 1, 0},    {"ResNet", CONV, 64, 128, 56, 3, 2, 1, 0},
    {"ResNet", CONV, 64, 256, 56, 1, 1, 1, 0},        {"ResNet", CONV, 256, 64, 56, 1, 1, 1, 0},    {"ResNet", CONV, 512, 128, 28, 1, 1, 1, 0},
    {"ResNet", CONV, 256, 1024, 14, 1, 1, 1, 0},      {"ResNet", CONV, 1024, 256, 14, 1, 1, 1, 0},  {"ResNet", CONV, 2048, 512, 7, 1, 1, 1, 0},
    {"ResNet", CONV, 1024, 2048, 14, 1, 2, 1, 0},     {"ResNet", MATMUL, 2048, 1000, 1, 0, 0, 0, 0},
    {"MobileNetV2", CONV, 3, 32, 224, 3, 2, 1, 0},    {"MobileNetV2", CONV, 32, 32, 112, 3, 1, 32, 0},
    {"MobileNetV2", CONV, 144, 144, 56, 3, 1, 144, 0}, {"MobileNetV2", CONV, 96, 96, 112, 3, 2, 96, 0},
    {"MobileNetV2", BLOCK, 16, 24, 112, 3, 2, 0, 96}, {"MobileNetV2", BLOCK, 24, 24, 56, 3, 1, 0, 144},
    {"MobileNetV2", BLOCK, 32, 32, 28, 3, 1, 0, 192}, {"MobileNetV2", BLOCK, 64, 64, 14, 3, 1, 0, 384},
    {"MobileNetV2", BLOCK, 160, 160, 7, 3, 1, 0, 960}, {"MobileNetV2", CONV, 320, 1280, 7, 1, 1, 1, 0},
    {"YOLOv8n", CONV, 3, 16, 640, 3, 2, 1, 0},        {"YOLOv8n", CONV, 16, 32, 320, 3, 2, 1, 0},   {"YOLOv8n", CONV, 32, 32, 160, 1, 1, 1, 0},
    {"YOLOv8n", CONV, 16, 16, 160, 3, 1, 1, 0},       {"YOLOv8n", CONV, 64, 64, 80, 3, 1, 1, 0},    {"YOLOv8n", CONV, 384, 128, 40, 1, 1, 1, 0},
    {"lip-sync", BLOCK, 6, 32, 320, 3, 1, 0, 12},     {"lip-sync", BLOCK, 32, 32, 320, 3, 2, 0, 64}, {"lip-sync", BLOCK, 64, 16, 320, 3, 1, 0, 128},
    {"lip-sync", BLOCK, 128, 32, 80, 3, 1, 0, 256},   {"lip-sync", BLOCK, 256, 256, 20, 3, 1, 0, 512},
    {"lip-sync", BLOCK, 1024, 512, 10, 3, 1, 0, 2048}, {"lip-sync", CONV, 16, 3, 320, 1, 1, 1, 0},
    {"BERT", MATMUL, 768, 768, 128, 0, 0, 0, 0},      {"BERT", MATMUL, 768, 3072, 128, 0, 0, 0, 0}, {"BERT", MATMUL, 3072, 768, 128, 0, 0, 0, 0},
    {"BERT", MATMUL, 384, 384, 197, 0, 0, 0, 0},      {"BERT", MATMUL, 1024, 1024, 1, 0, 0, 0, 0},
};

enum { ROUNDS = 40, PEAK_ROUNDS = 20000 };

static void add_input(op_case *c, int rank, const int64_t *dims, int constant) {
    leat_tensor *t = op_in(c, LEAT_DTYPE_F32, rank, dims, NULL);
    for (int64_t i = 0; i < leat_tensor_count(t); i++) ((float *)t->data)[i] = (float)((i * 2654435761u >> 9) & 255) / 256 - 0.5f;
    if (rank == 4 && !constant) t->flags = LEAT_TENSOR_NHWC;
    c->in_const[c->call.n_in - 1] = (uint8_t)constant;
}

static void open_conv(op_case *c, const layer *l, int64_t *attributes) {
    int k = l->kernel, same = k / 2;
    op_open(c, "leat", "Conv", 1);
    add_input(c, 4, (int64_t[]){1, l->c, l->size, l->size}, 0);
    add_input(c, 4, (int64_t[]){l->co, l->c / l->group, k, k}, 1);
    add_input(c, 1, (int64_t[]){l->co}, 1);
    for (int i = 0; i < 4; i++) attributes[i] = same;
    attributes[4] = attributes[5] = l->stride;
    op_attr_ints(c, "pads", attributes, 4);
    op_attr_ints(c, "strides", attributes + 4, 2);
    op_attr_int(c, "group", l->group);
    op_attr_string(c, "act", "relu");
}

static void open_block(op_case *c, const layer *l, int64_t *attributes) {
    op_open(c, "leat", "InvertedResidual", 1);
    add_input(c, 4, (int64_t[]){1, l->c, l->size, l->size}, 0);
    add_input(c, 4, (int64_t[]){l->expanded, l->c, 1, 1}, 1);
    add_input(c, 1, (int64_t[]){l->expanded}, 1);
    add_input(c, 4, (int64_t[]){l->expanded, 1, l->kernel, l->kernel}, 1);
    add_input(c, 1, (int64_t[]){l->expanded}, 1);
    add_input(c, 4, (int64_t[]){l->co, l->expanded, 1, 1}, 1);
    add_input(c, 1, (int64_t[]){l->co}, 1);
    for (int i = 0; i < 4; i++) attributes[i] = l->kernel / 2;
    attributes[4] = attributes[5] = l->stride;
    op_attr_ints(c, "pads", attributes, 4);
    op_attr_ints(c, "strides", attributes + 4, 2);
    op_attr_string(c, "act1", "relu");
    op_attr_string(c, "actd", "relu");
}

static void open_matmul(op_case *c, const layer *l) {
    op_open(c, "leat", "MatMul", 1);
    add_input(c, 2, (int64_t[]){l->size, l->c}, 0);
    add_input(c, 2, (int64_t[]){l->c, l->co}, 1);
    add_input(c, 1, (int64_t[]){l->co}, 1);
}

static int prepare(op_case *c, leat_tpool *pool, int threads) {
    op_out(c);
    c->call.pool = pool;
    c->call.threads = threads;
    if (!c->call.op || c->call.op->infer(&c->call) != LEAT_OK || op_allocate(c) != LEAT_OK) return 0;
    if (c->out[0].rank == 4) c->out[0].flags = LEAT_TENSOR_NHWC;
    if (c->call.op->prepare(&c->call) != LEAT_OK) return 0;
    c->call.scratch = op_block(c, c->call.scratch_bytes);
    return c->call.scratch != NULL;
}

static void peak_task(void *arg, int64_t index, int worker) {
    volatile float sink = leat__probe.fma(PEAK_ROUNDS);
    (void)sink;
}

static double best_time(double best, int64_t start) {
    double took = (double)(leat__now_ns() - start);
    return took < best ? took : best;
}

static void measure(op_case *c, const layer *l, leat_tpool *pool, int threads) {
    double run = 1e30, peak = 1e30;
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = leat__now_ns();
        leat__tpool_for_n(pool, threads, threads, peak_task, NULL);
        peak = best_time(peak, start);
        start = leat__now_ns();
        c->call.op->run(&c->call);
        run = best_time(run, start);
    }
    double rate = 2.0 * (double)c->call.macs / run, ceiling = (double)(threads * PEAK_ROUNDS * leat__probe.fma_ops) / peak;
    printf("%-12s %4d ->%5d  %3d  k%d s%d %-5s %-34s %9.1f us %7.1f GFLOP/s %6.1f %%\n", l->network, l->c, l->co, l->size, l->kernel, l->stride,
           l->kind == BLOCK ? "block" : l->group > 1 ? "depth" : "", c->call.kernel, run / 1e3, rate, 100 * rate / ceiling);
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    leat_tpool *pool = NULL;
    if (threads < 1 || leat_tpool_new(threads, &pool) != LEAT_OK) {
        fprintf(stderr, "usage: bench_kernels [THREADS] [FILTER]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        op_case c;
        int64_t attributes[6];
        const layer *l = &layers[i];
        if (l->kind == CONV) open_conv(&c, l, attributes);
        else if (l->kind == BLOCK) open_block(&c, l, attributes);
        else open_matmul(&c, l);
        int ready = prepare(&c, pool, threads);
        if (!ready) fprintf(stderr, "%s: %s\n", l->network, c.error.message);
        else if (argc < 3 || strstr(l->network, argv[2]) || strstr(c.call.kernel, argv[2])) measure(&c, l, pool, threads);
        op_close(&c);
    }
    leat_tpool_unref(pool);
    return 0;
}
