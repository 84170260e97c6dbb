/* probe_init.c - dispatch of the probes, and leat_machine_measure().
 *
 * A rate is the best of SLICES slices: interruptions only ever lower it.  Rates of several threads are the work of all over the time
 * from the first start to the last end.  The memory probes walk buffers several times the last-level cache, one of its own for each thread.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/tpool.h"
#include "cpu/arm_name.h"
#include "cpu/cpu.h"
#include "cpu/probe.h"

#if LEAT_CPU_X86
#include <cpuid.h>
#endif

enum { SLICES = 4, PROBES = 8, ROUNDS = 2000 };
#define LEAST_BUFFER (64 << 20)
#define MOST_BUFFER ((size_t)256 << 20)

leat_probe leat__probe;

void leat__probe_init(leat_isa level) {
    leat__probe_fill_ref(&leat__probe);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__probe_fill_avx2(&leat__probe);
    if (level >= LEAT_ISA_AVX512) leat__probe_fill_avx512(&leat__probe);
    if (level >= LEAT_ISA_AVX512VNNI) leat__probe_fill_avx512vnni(&leat__probe);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__probe_fill_neon(&leat__probe);
    if (level >= LEAT_ISA_NEONDOT) leat__probe_fill_neondot(&leat__probe);
    if (level >= LEAT_ISA_NEONI8MM) leat__probe_fill_neoni8mm(&leat__probe);
#endif
}

typedef enum probe_kind { FMA, INT8, READ, COPY } probe_kind;

typedef struct slice {
    probe_kind      kind;
    int64_t         slice_ns;
    char           *buffer; /* [threads][bytes] */
    size_t          bytes;
    _Atomic int64_t work;   /* operations or bytes, of all threads */
    _Atomic int64_t sink;   /* what the loops computed, so that they stay */
} slice;

/* One step of a probe; returns its operations or bytes. */
static int64_t step(slice *s, char *own) {
    switch (s->kind) {
    case FMA: s->sink += (int64_t)leat__probe.fma(ROUNDS); return ROUNDS * leat__probe.fma_ops;
    case INT8: s->sink += leat__probe.int8(ROUNDS); return ROUNDS * leat__probe.int8_ops;
    case READ: s->sink += (int64_t)leat__probe_read(own, (int64_t)s->bytes); return (int64_t)s->bytes;
    default: memcpy(own, own + s->bytes / 2, s->bytes / 2); return (int64_t)s->bytes;
    }
}

static void run_slice(void *arg, int64_t index, int worker) {
    slice *s = arg;
    int64_t end = leat__now_ns() + s->slice_ns, work = 0;
    char *own = s->buffer + (size_t)index * s->bytes;
    do work += step(s, own);
    while (leat__now_ns() < end);
    atomic_fetch_add(&s->work, work);
}

/* Operations or bytes a nanosecond: GOP/s or GB/s. */
static double rate(slice *s, leat_tpool *pool, int threads) {
    double best = 0;
    for (int i = 0; i < SLICES; i++) {
        atomic_store(&s->work, 0);
        int64_t start = leat__now_ns();
        leat__tpool_for_n(pool, threads, threads, run_slice, s);
        double r = (double)atomic_load(&s->work) / (double)(leat__now_ns() - start);
        if (r > best) best = r;
    }
    return best;
}

/* CPUID's brand string; on ARM the kernel's numbers of the cores, or what the devicetree calls the board. */
static void name_cpu(char *name, size_t size) {
    snprintf(name, size, "unknown");
#if LEAT_CPU_X86
    unsigned r[12], *at = r;
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) return;
    for (unsigned leaf = 0x80000002u; leaf <= 0x80000004u; leaf++, at += 4) __get_cpuid(leaf, &at[0], &at[1], &at[2], &at[3]);
    snprintf(name, size, "%.48s", (const char *)r);
#elif LEAT_CPU_ARM
    FILE *board = fopen("/proc/device-tree/model", "re"), *cpuinfo = fopen("/proc/cpuinfo", "re");
    if (board && !fgets(name, (int)size, board)) snprintf(name, size, "unknown");
    if (cpuinfo) leat__arm_name(cpuinfo, name, size);
    if (board) fclose(board);
    if (cpuinfo) fclose(cpuinfo);
#endif
}

static void describe(leat_machine *m) {
    size_t l1, l2, l3;
    memset(m, 0, sizeof *m);
    name_cpu(m->cpu_name, sizeof m->cpu_name);
    leat__cpu_caches(&l1, &l2, &l3);
    m->cpus = leat_cpu_count();
    m->l1d_kib = (int)(l1 >> 10), m->l2_kib = (int)(l2 >> 10), m->l3_kib = (int)(l3 >> 10);
}

static size_t buffer_bytes(const leat_machine *m) {
    size_t each = (size_t)m->l3_kib * 4096 / (size_t)m->threads_nt & ~(size_t)511;
    return each < LEAST_BUFFER ? LEAST_BUFFER : each > MOST_BUFFER ? MOST_BUFFER : each;
}

static void measure_all(leat_machine *m, leat_tpool *pool, slice *s) {
    double *to[4][2] = {{&m->fma_gflops_1t, &m->fma_gflops_nt}, {&m->int8_gops_1t, &m->int8_gops_nt},
                        {&m->read_gbps_1t, &m->read_gbps_nt}, {&m->copy_gbps_1t, &m->copy_gbps_nt}};
    for (int kind = FMA; kind <= COPY; kind++) {
        s->kind = (probe_kind)kind;
        *to[kind][0] = rate(s, pool, 1);
        *to[kind][1] = m->threads_nt == 1 ? *to[kind][0] : rate(s, pool, m->threads_nt);
    }
}

int leat_machine_measure(int measure_ms, int threads, leat_machine *m) {
    if (!m || threads < 0 || threads > LEAT_MAX_THREADS) return LEAT_EINVAL;
    leat__cpu_init();
    describe(m);
    m->threads_nt = threads ? threads : m->cpus;
    if (measure_ms <= 0) return LEAT_OK;
    slice s = {.slice_ns = (int64_t)measure_ms * 1000000 / (SLICES * PROBES), .bytes = buffer_bytes(m)};
    leat_tpool *pool = NULL;
    int status = leat_tpool_new(m->threads_nt, &pool);
    size_t all;
    s.buffer = leat__mul_overflows((size_t)m->threads_nt, s.bytes, &all) ? NULL : leat__alloc(all, LEAT_MEMORY_OTHER);
    if (!status && !s.buffer) status = LEAT_ENOMEM;
    if (!status) {
        memset(s.buffer, 1, all); /* pages of its own: untouched ones are all the same page of zeros */
        measure_all(m, pool, &s);
    }
    leat__free(s.buffer);
    leat_tpool_unref(pool);
    return status;
}
