/* cpu.h - run-time dispatch of the kernels.
 *
 * Each family has one table of function pointers, filled for a level by its leat__<family>_init(level): reference first, then
 * ascending levels overwrite what they do better.  leat__cpu_init() calls them all once; leat__cpu_select() again (tests, --isa).
 * Kernels know pointers, sizes and strides; they allocate nothing and never fail.
 */
#ifndef LEAT_CPU_H
#define LEAT_CPU_H

#include "leat/common.h"

/* What the CPU and the OS can do (CPUID and XGETBV). */
leat_isa leat__cpu_detect(void);
/* Fills every family's table for the level in use; idempotent, thread-safe. */
void leat__cpu_init(void);
/* Refills for `level` (<= detected).  Not while kernels run. */
void leat__cpu_select(leat_isa level);
/* The level that the tables were filled for. */
leat_isa leat__cpu_level(void);
/* Data cache sizes in bytes as the OS or CPUID tells (0 unknown). */
void leat__cpu_caches(size_t *l1d, size_t *l2, size_t *l3);

#endif
