/* kernel_util.h - what kernel tests share: a printed seed, random sizes and data, canaries around outputs, a loop over ISA levels. */
#ifndef LEAT_TESTS_KERNEL_UTIL_H
#define LEAT_TESTS_KERNEL_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/cpu.h"

#define CANARY -123456.75f
#define CANARY_FLOATS 64

static uint64_t kt_state;

/* Seed from LEAT_TEST_SEED or the clock; printed, so that a failure can be repeated. */
static inline int kt_seed(void **state) {
    const char *text = getenv("LEAT_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("LEAT_TEST_SEED=%llu\n", (unsigned long long)seed);
    kt_state = seed * 2654435769u + 88172645463325252ull;
    return 0;
}

static inline uint64_t kt_next(void) { /* xorshift64* */
    kt_state ^= kt_state >> 12;
    kt_state ^= kt_state << 25;
    kt_state ^= kt_state >> 27;
    return kt_state * 2685821657736338717ull;
}

static inline int kt_int(int lo, int hi) { return lo + (int)((kt_next() >> 33) % (uint64_t)(hi - lo + 1)); }
static inline float kt_float(void) { return (float)(kt_next() >> 40) / 8388608.0f - 1.0f; }

/* n floats in [-1, 1) between two fields of canaries, the end misaligned so that over-reads and over-writes show under ASan. */
static inline float *kt_alloc(int64_t n) {
    float *block = malloc(((size_t)n + 2 * CANARY_FLOATS) * sizeof(float));
    assert_non_null(block);
    for (int64_t i = 0; i < n + 2 * CANARY_FLOATS; i++) block[i] = CANARY;
    for (int64_t i = 0; i < n; i++) block[CANARY_FLOATS + i] = kt_float();
    return block + CANARY_FLOATS;
}

static inline void kt_free(float *data) {
    if (data) free(data - CANARY_FLOATS);
}

static inline void kt_check_canaries(const float *data, int64_t n) {
    for (int i = 1; i <= CANARY_FLOATS; i++)
        if (data[-i] != CANARY || data[n + i - 1] != CANARY) fail_msg("written outside the output, %d floats away", i);
}

/* Runs `body` once per level that the machine has, tables filled for it. */
#define KT_EACH_LEVEL(level) \
    for (leat_isa level = LEAT_ISA_REF; level < LEAT_ISA_COUNT; level = leat_isa_next(level)) \
        if (leat__cpu_select(level), 1)

#endif
