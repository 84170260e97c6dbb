/* probe.h - the ceilings of a core: loops that do nothing but multiply, so that every other figure can be given as a share of them.
 *
 * Each probe runs `rounds` rounds and returns a value that depends on all of them, so that none is optimised away. */
#ifndef LEAT_CPU_PROBE_H
#define LEAT_CPU_PROBE_H

#include <stdint.h>

#include "leat/common.h"

typedef struct leat_probe {
    float (*fma)(int64_t rounds);
    int64_t fma_ops;  /* operations of a round, 2 a multiply-add */
    int (*int8)(int64_t rounds);
    int64_t int8_ops; /* operations of a round, 2 a multiply-add */
} leat_probe;

void leat__probe_init(leat_isa level);
void leat__probe_fill_ref(leat_probe *probe);
void leat__probe_fill_avx2(leat_probe *probe);
void leat__probe_fill_avx512(leat_probe *probe);
void leat__probe_fill_avx512vnni(leat_probe *probe);
void leat__probe_fill_neon(leat_probe *probe);
void leat__probe_fill_neondot(leat_probe *probe);
void leat__probe_fill_neoni8mm(leat_probe *probe);
extern leat_probe leat__probe;

/* Reads `bytes` (a multiple of 256) once; returns a value that depends on all of them. */
uint64_t leat__probe_read(const void *data, int64_t bytes);

#endif
