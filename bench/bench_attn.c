/* bench_attn.c - attention over a KV cache as a share of the FMA peak (prefill) and of the read bandwidth (decoding), rows at cache speed.
 *
 * usage: bench_attn [THREADS] [FILTER]      rows whose text contains FILTER
 *
 * Both ceilings are measured in turn with every line, best of the rounds.  Prefill counts the multiply-adds of scores that a query may see, so masked halves
 * of tiles, exponentials and conversions all count against it.  Decoding walks over so many caches that none is left from the round before. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tpool.h"
#include "cpu/attn_kv.h"
#include "cpu/cpu.h"
#include "cpu/lm_rows.h"
#include "cpu/probe.h"

enum { ROUNDS = 12, PEAK_ROUNDS = 20000, CACHES_BYTES = 160 << 20, READ_BYTES = 160 << 20 };

static leat_tpool *pool;
static int         threads;
static const char *filter;
static uint8_t    *memory; /* CACHES_BYTES, what caches and the bandwidth probe read */
static void       *scratch[LEAT_MAX_THREADS], *shared;

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) abort();
    memset(p, 0, bytes);
    return p;
}

/* ---- ceilings ------------------------------------------------------------------------------------------------------- */

static volatile float sink;
static void peak_task(void *arg, int64_t i, int worker) {
    (void)arg, (void)i, (void)worker;
    sink = leat__probe.fma(PEAK_ROUNDS);
}
static double peak_flops(void) {
    int64_t start = leat__now_ns();
    leat__tpool_for(pool, threads, peak_task, NULL);
    return (double)(leat__probe.fma_ops * PEAK_ROUNDS * threads) / (double)(leat__now_ns() - start) * 1e9;
}

static volatile uint64_t read_sink;
static void read_task(void *arg, int64_t i, int worker) {
    (void)arg, (void)worker;
    read_sink = leat__probe_read(memory + i * (READ_BYTES / 64), READ_BYTES / 64);
}
static double read_bytes_per_second(void) {
    int64_t start = leat__now_ns();
    leat__tpool_for(pool, 64, read_task, NULL);
    return (double)READ_BYTES / (double)(leat__now_ns() - start) * 1e9;
}

/* ---- attention ------------------------------------------------------------------------------------------------------ */

typedef struct shape {
    const char *name;
    int         heads, kv_heads, width;
} shape;
static const shape shapes[] = {{"110M 12/12x64", 12, 12, 64}, {"1.1B 32/4x64", 32, 4, 64}, {"qwen 12/2x128", 12, 2, 128}, {"7B 32/32x128", 32, 32, 128},
                               {"gemma 8/4x256", 8, 4, 256}, {"MiniLM 12/12x32", 12, 12, 32}};

static void piece_task(void *arg, int64_t i, int worker) { leat__attn_kv_piece(arg, i, scratch[worker], shared); }

static leat_attn_kv call_of(const shape *s, leat_kv_format format, int n, int length, float *q, float *out) {
    int64_t row = (int64_t)leat__kv_row_bytes(format, s->width);
    return (leat_attn_kv){.q = q, .out = out, .n = n, .ldq = s->heads * s->width, .ldo = s->heads * s->width, .k = memory, .v = memory + s->kv_heads * length * row,
                          .k_head = length * row, .k_row = row, .v_head = length * row, .v_row = row, .format = format, .length = length,
                          .first_position = length - n, .causal = 1, .heads = s->heads, .kv_heads = s->kv_heads, .k_width = s->width, .v_width = s->width,
                          .scale = 1.0f / sqrtf((float)s->width)};
}

static void fill(leat_kv_format format) { /* small values in any format */
    float row[256];
    for (int i = 0; i < 256; i++) row[i] = sinf((float)i);
    size_t bytes = leat__kv_row_bytes(format, 256);
    for (size_t at = 0; at + bytes <= CACHES_BYTES; at += bytes) leat__kv_store(format, row, 256, 1, 256, memory + at, (int64_t)bytes);
}

static int64_t once(const leat_attn_kv *a) {
    int64_t start = leat__now_ns();
    leat__tpool_for(pool, leat__attn_kv_pieces(a), piece_task, (void *)a);
    leat__attn_kv_finish(a, shared);
    return leat__now_ns() - start;
}

static void prefill(const shape *s, leat_kv_format format, const char *text, int n, int length) {
    float       *q = room((size_t)n * (size_t)(s->heads * s->width) * sizeof *q), *out = room((size_t)n * (size_t)(s->heads * s->width) * sizeof *out);
    leat_attn_kv a = call_of(s, format, n, length, q, out);
    double       best = 1e30, peak = 0, seen = (double)n * (length - n) + (double)n * (n + 1) / 2;
    for (int i = 0; i < n * s->heads * s->width; i++) q[i] = cosf((float)i);
    for (int r = 0; r < ROUNDS; r++) {
        peak = fmax(peak, peak_flops());
        best = fmin(best, (double)once(&a));
    }
    double flops = 4 * seen * s->heads * s->width / best * 1e9;
    printf("%-16s prefill %-5s n %4d of %4d  %9.1f us  %7.1f GFLOP/s  %5.1f %% of peak\n", s->name, text, n, length, best / 1e3, flops / 1e9, 100 * flops / peak);
    free(q), free(out);
}

static void decode(const shape *s, leat_kv_format format, const char *text, int length) {
    float       *q = room((size_t)(s->heads * s->width) * sizeof *q), *out = room((size_t)(s->heads * s->width) * sizeof *out);
    leat_attn_kv a = call_of(s, format, 1, length, q, out);
    int64_t      bytes = 2 * a.k_head * s->kv_heads, caches = CACHES_BYTES / bytes < 400 ? CACHES_BYTES / bytes : 400;
    double       best = 1e30, read = 0;
    for (int r = 0; r < ROUNDS; r++) {
        read = fmax(read, read_bytes_per_second());
        double ns = 0;
        for (int64_t c = 0; c < caches; c++) {
            a.k = memory + c * bytes;
            a.v = a.k + bytes / 2;
            ns += (double)once(&a);
        }
        best = fmin(best, ns / (double)caches);
    }
    printf("%-16s decode  %-5s of %5d  %9.1f us  %6.1f GB/s  %5.1f %% of %.1f\n", s->name, text, length, best / 1e3, (double)bytes / best,
           100 * (double)bytes / best / (read / 1e9), read / 1e9);
    free(q), free(out);
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

enum { ROW_MAX = 131072 };
static float *rx, *ry, *rz;

typedef struct row_case {
    const char *name;
    int         n;
    void      (*run)(int n);
} row_case;
static void run_rms(int n) { leat__lm_rows.rms_norm(rx, ry, 1e-5f, n, rz); }
static void run_layer(int n) { leat__lm_rows.layer_norm(rx, ry, ry, 1e-5f, n, rz); }
static void run_silu(int n) { leat__lm_rows.silu_mul(rx, ry, n, rz); }
static void run_gelu(int n) { leat__lm_rows.gelu_mul(rx, ry, n, rz); }
static void run_erf(int n) { leat__lm_rows.gelu_erf(rx, n, rz); }
static void run_pairs(int n) { leat__lm_rows.rope_pairs(rz, rx, ry, n / 2); }
static void run_halves(int n) { leat__lm_rows.rope_halves(rz, rx, ry, n / 2); }
static void run_softmax(int n) { leat__lm_rows.softmax(rz, n); }
static void run_softcap(int n) { leat__lm_rows.softcap(rx, 30, n, rz); }
static void run_argmax(int n) { sink = (float)leat__lm_rows.argmax(rx, n); }
static const row_case row_cases[] = {{"rms_norm", 2048, run_rms}, {"layer_norm", 768, run_layer}, {"silu_mul", 5632, run_silu}, {"gelu_mul", 5632, run_gelu},
                                     {"gelu_erf", 3072, run_erf}, {"rope_pairs", 128, run_pairs}, {"rope_halves", 128, run_halves}, {"softmax", 32000, run_softmax},
                                     {"softcap", 128256, run_softcap}, {"argmax", 128256, run_argmax}};

static void row(const row_case *c) {
    double best = 1e30;
    int    times = 400000 / c->n + 1;
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = leat__now_ns();
        for (int i = 0; i < times; i++) c->run(c->n);
        best = fmin(best, (double)(leat__now_ns() - start) / times);
    }
    printf("%-16s row of %6d  %9.2f us  %6.3f ns each\n", c->name, c->n, best / 1e3, best / c->n);
}

/* ---- main ----------------------------------------------------------------------------------------------------------- */

static int chosen(const char *name, const char *text) {
    char line[64];
    snprintf(line, sizeof line, "%s %s", name, text);
    return !filter || strstr(line, filter);
}

int main(int argc, char **argv) {
    static const char *names[] = {"f16", "f32", "q8_0"};
    threads = argc > 1 ? atoi(argv[1]) : 1;
    filter = argc > 2 ? argv[2] : NULL;
    if (leat_tpool_new(threads, &pool)) return 1;
    leat__cpu_init();
    memory = room(CACHES_BYTES);
    for (int i = 0; i < threads; i++) scratch[i] = room(leat__attn_kv_scratch_bytes(256, 256));
    shared = room(leat__attn_kv_shared_bytes(32, 256));
    rx = room(ROW_MAX * sizeof *rx), ry = room(ROW_MAX * sizeof *ry), rz = room(ROW_MAX * sizeof *rz);
    for (int i = 0; i < ROW_MAX; i++) rx[i] = sinf((float)i), ry[i] = cosf((float)i);
    for (int f = 0; f < 3; f++) {
        fill((leat_kv_format)f);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            char text[32];
            snprintf(text, sizeof text, "prefill %s", names[f]);
            if (chosen(shapes[i].name, text)) prefill(&shapes[i], (leat_kv_format)f, names[f], 512, 512);
            snprintf(text, sizeof text, "decode %s", names[f]);
            if (chosen(shapes[i].name, text)) decode(&shapes[i], (leat_kv_format)f, names[f], 512), decode(&shapes[i], (leat_kv_format)f, names[f], 4096);
        }
    }
    for (size_t i = 0; i < sizeof row_cases / sizeof *row_cases; i++)
        if (chosen(row_cases[i].name, "row")) row(&row_cases[i]);
    leat_tpool_unref(pool);
    return 0;
}
