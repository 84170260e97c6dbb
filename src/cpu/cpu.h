/* cpu.h - run-time dispatch of the kernels.
 *
 * Each family has one table of function pointers, filled for a level by its leat__<family>_init(level): reference first, then
 * ascending levels overwrite what they do better.  leat__cpu_init() calls them all once; leat__cpu_select() again (tests, --isa).
 * A family joins by a line FAMILY(x) in cpu_families.h.  Kernels know pointers, sizes and strides; they allocate nothing and never fail.
 *
 * In <family>_init.c the variants of a kind of machine stand under LEAT_CPU_X86 or LEAT_CPU_ARM, since others build without those files:
 *
 *     void leat__vmath_init(leat_isa level) {
 *         leat__vmath = leat__vmath_ref;
 *     #if LEAT_CPU_X86
 *         if (level >= LEAT_ISA_AVX2) leat__vmath_fill_avx2(&leat__vmath);
 *     #elif LEAT_CPU_ARM
 *         if (level >= LEAT_ISA_NEON) leat__vmath_fill_neon(&leat__vmath);
 *     #endif
 *     }
 */
#ifndef LEAT_CPU_H
#define LEAT_CPU_H

#include "leat/common.h"

#if defined(__x86_64__)
#define LEAT_CPU_X86 1
#else
#define LEAT_CPU_X86 0
#endif
#if defined(__aarch64__)
#define LEAT_CPU_ARM 1
#else
#define LEAT_CPU_ARM 0
#endif

/* What the CPU and the OS can do (CPUID and XGETBV; AT_HWCAP). */
leat_isa leat__cpu_detect(void);
/* Fills every family's table for the level in use; idempotent, thread-safe. */
void leat__cpu_init(void);
/* Refills for `level` (<= detected).  Not while kernels run. */
void leat__cpu_select(leat_isa level);
/* The level that the tables were filled for. */
leat_isa leat__cpu_level(void);
/* Holds the level while a model is open: leat_isa_select() fails with LEAT_ESTATE between hold and release.  Any thread. */
void leat__cpu_hold(void);
void leat__cpu_release(void);
/* Data cache sizes in bytes as the OS or CPUID tells (0 unknown). */
void leat__cpu_caches(size_t *l1d, size_t *l2, size_t *l3);

#endif
