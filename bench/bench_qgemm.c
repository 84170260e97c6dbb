/* bench_qgemm.c - products of stored weights with many tokens as a share of the int8 (float formats: FMA) peak, which is measured between the runs.
 *
 *     bench_qgemm [--isa LEVEL] [-t THREADS] [--only TEXT]      TEXT: part of a line's beginning, such as "Q4_K" or "5632 x 2048"
 * Shapes are those of a model of 110 M parameters and one of 1.1 B; time is the best of several rounds, weights come from memory in the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fp16.h"
#include "base/tpool.h"
#include "cpu/blocks.h"
#include "cpu/probe.h"
#include "cpu/qgemm.h"

enum { PEAK_ROUNDS = 4000, TASK_ROWS = 64, MOST_TOKENS = 512 };
#define LEAST_NS 60000000 /* of rounds */

typedef struct shape {
    int64_t rows, cols;
} shape;

static const shape   shapes[] = {{768, 768}, {2048, 768}, {768, 2048}, {2048, 2048}, {5632, 2048}, {2048, 5632}};
static const int     types[] = {8, 2, 12, 14, 3, 6, 7, 10, 11, 13, 20, 23, 0, 1, 30};
static const int64_t tokens[] = {12, 16, 32, 64, 512};

typedef struct job {
    leat_qmat w;
    leat_qact act;
    float    *y;
    char     *scratch;
    size_t    scratch_bytes;
} job;

static void *memory(size_t bytes) {
    void *p = aligned_alloc(LEAT_ALIGN, (bytes + 2 * LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN);
    if (!p) exit(1);
    memset(p, 0, bytes);
    return p;
}

static uint8_t *weights(const leat_block_format *f, int64_t blocks) {
    uint8_t *w = memory((size_t)blocks * (size_t)f->bytes);
    uint32_t state = 1;
    for (int64_t i = 0; i < blocks * f->bytes; i++) {
        state = state * 1664525u + 1013904223u;
        w[i] = (uint8_t)(state >> 24) & (f->length == 1 ? 0x3f : 0xff);
    }
    for (int64_t b = 0; f->length > 1 && b < blocks; b++) { /* finite scales, wherever they stand */
        uint16_t one = leat__f32_to_f16(0.01f);
        memcpy(w + b * f->bytes, &one, 2);
        memcpy(w + b * f->bytes + (f->length == 256 ? f->bytes - 2 : 2), &one, 2);
    }
    return w;
}

static void open_job(job *j, const shape *s, int type, int threads) {
    const leat_block_format *f = leat__block_format(type);
    int64_t groups = s->cols / 32;
    j->w = (leat_qmat){.rows = s->rows, .cols = s->cols, .stride = s->cols / f->length * f->bytes, .type = type};
    j->w.data = weights(f, s->rows * s->cols / f->length);
    j->act = (leat_qact){.cols = s->cols, .ld = s->cols, .groups = groups, .x = memory((size_t)(MOST_TOKENS * s->cols) * 4)};
    j->act.q = memory((size_t)(MOST_TOKENS * s->cols));
    j->act.scale = memory((size_t)(MOST_TOKENS * groups) * 4);
    j->act.sum = memory((size_t)(MOST_TOKENS * groups) * 4);
    for (int64_t i = 0; i < MOST_TOKENS * s->cols; i++) j->act.q[i] = (int8_t)(i * 7 % 255 - 127);
    j->y = memory((size_t)(MOST_TOKENS * s->rows) * 4);
    j->scratch_bytes = (leat__qgemm_scratch_bytes(s->cols) + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    j->scratch = memory(j->scratch_bytes * (size_t)threads);
}

static void close_job(job *j) {
    free((void *)(uintptr_t)j->w.data);
    free((void *)(uintptr_t)j->act.x);
    free(j->act.q);
    free(j->act.scale);
    free(j->act.sum);
    free(j->y);
    free(j->scratch);
}

static void multiply_task(void *arg, int64_t index, int worker) {
    const job *j = arg;
    int64_t first = index * TASK_ROWS, count = j->w.rows - first < TASK_ROWS ? j->w.rows - first : TASK_ROWS;
    leat__qgemm(&j->w, &j->act, first, count, j->y, j->w.rows, j->scratch + (size_t)worker * j->scratch_bytes);
}

static void peak_task(void *arg, int64_t index, int worker) {
    volatile int sink = *(int *)arg ? leat__probe.int8(PEAK_ROUNDS) : (int)leat__probe.fma(PEAK_ROUNDS);
    (void)sink;
}

static double shorter(double best, int64_t start) {
    double took = (double)(leat__now_ns() - start);
    return took < best ? took : best;
}

static void measure(job *j, leat_tpool *pool, int threads, int64_t n) {
    double  run = 1e30, peak = 1e30;
    int     integers = leat__block_format(j->w.type)->length > 1;
    int64_t begin = leat__now_ns();
    j->act.n = n;
    for (int r = 0; r < 3 || leat__now_ns() - begin < LEAST_NS; r++) {
        int64_t start = leat__now_ns();
        leat__tpool_for_n(pool, threads, threads, peak_task, &integers);
        peak = shorter(peak, start);
        start = leat__now_ns();
        leat__tpool_for_n(pool, threads, (j->w.rows + TASK_ROWS - 1) / TASK_ROWS, multiply_task, j);
        run = shorter(run, start);
    }
    double rate = 2.0 * (double)(n * j->w.rows * j->w.cols) / run;
    double ceiling = (double)threads * PEAK_ROUNDS * (double)(integers ? leat__probe.int8_ops : leat__probe.fma_ops) / peak;
    printf(" %7.1f GOP/s %5.1f %%", rate, 100 * rate / ceiling);
}

static void measure_shape(const shape *s, int type, leat_tpool *pool, int threads, const char *only) {
    char line[80];
    snprintf(line, sizeof line, "%-7s %5d x %-5d", leat__block_format(type)->name, (int)s->rows, (int)s->cols);
    if (only && !strstr(line, only)) return;
    job j;
    open_job(&j, s, type, threads);
    printf("%s", line);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) measure(&j, pool, threads, tokens[i]);
    printf("\n");
    fflush(stdout);
    close_job(&j);
}

int main(int argc, char **argv) {
    const char *only = NULL;
    int threads = 1, bad = 0;
    leat_isa level = leat_isa_supported();
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 >= argc) bad = 1;
        else if (!strcmp(argv[i], "--only")) only = argv[i + 1];
        else if (!strcmp(argv[i], "-t")) threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--isa") || leat_isa_parse(argv[i + 1], &level)) bad = 1;
    }
    leat_tpool *pool = NULL;
    if (bad || threads < 1 || leat_isa_select(level) || leat_tpool_new(threads, &pool)) {
        fprintf(stderr, "usage: bench_qgemm [--isa LEVEL] [-t THREADS] [--only TEXT]\n");
        return 2;
    }
    printf("%s, %d threads\n%-21s", leat_isa_name(level), threads, "tokens");
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) printf("%22d", (int)tokens[i]);
    printf("\n");
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) measure_shape(&shapes[i], types[t], pool, threads, only);
    leat_tpool_unref(pool);
    return 0;
}
