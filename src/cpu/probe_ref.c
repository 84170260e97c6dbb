/* probe_ref.c - the probes in plain C, and the memory read. */
#include "cpu/probe.h"

enum { CHAINS = 8 };

static float fma_rounds(int64_t rounds) {
    float acc[CHAINS] = {1, 2, 3, 4, 5, 6, 7, 8}, sum = 0;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) acc[i] = acc[i] * 0.999f + 0.001f;
    for (int i = 0; i < CHAINS; i++) sum += acc[i];
    return sum;
}

static int int8_rounds(int64_t rounds) {
    uint32_t acc[CHAINS] = {1, 2, 3, 4, 5, 6, 7, 8}, sum = 0;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) acc[i] += (uint32_t)((uint8_t)acc[i] * (int8_t)(r + i));
    for (int i = 0; i < CHAINS; i++) sum += acc[i];
    return (int)sum;
}

void leat__probe_fill_ref(leat_probe *probe) { *probe = (leat_probe){fma_rounds, 2 * CHAINS, int8_rounds, 2 * CHAINS}; }

/* Four independent sums of 8 bytes a cache line's quarter: the memory is the limit, not the adding. */
uint64_t leat__probe_read(const void *data, int64_t bytes) {
    const uint64_t *p = data;
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (int64_t i = 0; i < bytes / 8; i += 8) { /* a cache line a round */
        a += p[i] ^ p[i + 4];
        b += p[i + 1] ^ p[i + 5];
        c += p[i + 2] ^ p[i + 6];
        d += p[i + 3] ^ p[i + 7];
    }
    return a + b + c + d;
}
