/* common.h - version, limits, CPU dispatch, thread pool and memory counters. */
#ifndef LEAT_COMMON_H
#define LEAT_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
#define LEAT_VERSION_STRING "0.1.0"

#define LEAT_ALIGN 64      /* alignment of every buffer that the library allocates, bytes */
#define LEAT_TAIL_BYTES 64 /* readable bytes past the end of every buffer that the library allocates */
#define LEAT_MAX_RANK 8    /* dimensions of a tensor */
#define LEAT_MAX_THREADS 256

/* Returns LEAT_VERSION_STRING of the library that is linked.  Any thread, RT-safe. */
const char *leat_version(void);

/* Instruction-set levels, ascending on each kind of machine.  A level is usable only if the CPU and the OS support all of it. */
typedef enum leat_isa {
    LEAT_ISA_REF = 0,        /* plain C, defines the numbers */
    LEAT_ISA_AVX2 = 1,       /* AVX2 + FMA + F16C */
    LEAT_ISA_AVX512 = 2,     /* AVX-512 F, BW, DQ, VL */
    LEAT_ISA_AVX512VNNI = 3, /* the above + VNNI */
    LEAT_ISA_NEON = 4,       /* 64-bit ARM: Advanced SIMD, which all have */
    LEAT_ISA_NEONDOT = 5,    /* the above + dot products of bytes (FEAT_DotProd) */
    LEAT_ISA_NEONI8MM = 6,   /* the above + matrix products of bytes (FEAT_I8MM) */
    LEAT_ISA_COUNT
} leat_isa;

/* Highest level that this machine supports.  Any thread. */
leat_isa leat_isa_supported(void);
/* The next higher level that this machine supports, LEAT_ISA_COUNT behind the highest; all are met from LEAT_ISA_REF on.  Any thread. */
leat_isa leat_isa_next(leat_isa level);
/* Level in use: the supported one, lowered by LEAT_ISA (a level's name) or leat_isa_select().  Any thread. */
leat_isa leat_isa_selected(void);
/* Selects a level for all kernels.  LEAT_EUNSUPPORTED when the machine lacks it, LEAT_ESTATE while models are open.
 * Main thread, before models are opened. */
int leat_isa_select(leat_isa level);
/* "ref", "avx2", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_isa_name(leat_isa level);
/* Parses a level's name.  LEAT_EINVAL when unknown. */
int leat_isa_parse(const char *name, leat_isa *level);

/* A pool of compute threads: bounded spin, then park; nothing spins between runs.  Ref-counted. */
typedef struct leat_tpool leat_tpool;
/* Makes a pool of `threads` in all, the calling one included (1..LEAT_MAX_THREADS; 0 = number of usable CPUs).
 * *pool: the caller takes one reference.  LEAT_EINVAL, LEAT_ENOMEM.  Any thread. */
int leat_tpool_new(int threads, leat_tpool **pool);
/* Shares: returns the same pool with one more reference.  Any thread. */
leat_tpool *leat_tpool_ref(leat_tpool *pool);
/* Drops a reference; the last one joins the threads.  NULL allowed.  Any thread but the pool's own. */
void leat_tpool_unref(leat_tpool *pool);
/* Threads in all, the caller's included; 1 for NULL.  Any thread, RT-safe. */
int leat_tpool_threads(const leat_tpool *pool);
/* CPUs that this process may use (affinity mask and cgroup quota).  Any thread. */
int leat_cpu_count(void);

/* Bytes that the library holds, by what they are for. */
typedef enum leat_memory_tag {
    LEAT_MEMORY_OTHER = 0,
    LEAT_MEMORY_GRAPH,   /* graph, names, attributes, folded constants */
    LEAT_MEMORY_WEIGHTS, /* packed or converted weights, shared by all contexts */
    LEAT_MEMORY_PLAN,    /* prepared plans and per-node state */
    LEAT_MEMORY_ARENA,   /* activations and scratch of contexts */
    LEAT_MEMORY_IO,      /* input and output buffers that the library owns, decoded media */
    LEAT_MEMORY_TAGS
} leat_memory_tag;

typedef struct leat_memory_stats {
    uint64_t live_bytes[LEAT_MEMORY_TAGS]; /* now, by tag */
    uint64_t peak_bytes;                   /* largest sum over all tags so far */
    uint64_t allocations;                  /* calls that allocated, since the process began */
    uint64_t hot_allocations;              /* those made inside a hot phase; 0 unless something is wrong */
} leat_memory_stats;

/* Fills *stats with the process-wide counters.  Any thread, RT-safe. */
void leat_memory_get(leat_memory_stats *stats);
/* "weights", "arena", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_memory_tag_name(leat_memory_tag tag);

/* Measured ceilings of this machine; see leat_machine_measure(). */
typedef struct leat_machine {
    char   cpu_name[64];
    int    cpus;               /* usable */
    int    l1d_kib, l2_kib, l3_kib;
    double fma_gflops_1t, fma_gflops_nt;   /* fp32 multiply-add, 2 operations each */
    double int8_gops_1t, int8_gops_nt;     /* u8*s8 dot product, 2 operations a MAC; best instruction selected */
    double read_gbps_1t, read_gbps_nt;     /* streaming read from memory */
    double copy_gbps_1t, copy_gbps_nt;     /* memcpy, bytes read + bytes written */
    int    threads_nt;                     /* threads of the _nt figures */
} leat_machine;

/* Fills *machine; with `measure_ms` > 0 runs the probes for about that long in all, else leaves the rates 0.
 * `threads` of the _nt figures, 0 = all usable.  LEAT_EINVAL, LEAT_ENOMEM.  Any thread; not RT-safe (runs for measure_ms). */
int leat_machine_measure(int measure_ms, int threads, leat_machine *machine);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
