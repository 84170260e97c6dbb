/* rng.c - Philox 4x32-10: the seed is the key, (block, stream) the counter. */
#include "base/rng.h"

#include <math.h>

#define ROUNDS 10
#define MUL0 0xD2511F53u
#define MUL1 0xCD9E8D57u
#define WEYL0 0x9E3779B9u
#define WEYL1 0xBB67AE85u

void leat__rng_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MUL0 * c0, p1 = (uint64_t)MUL1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += WEYL0;
        k1 += WEYL1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t leat__rng_u64(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    leat__rng_block(seed, stream, index >> 1, w);
    return index & 1 ? (uint64_t)w[3] << 32 | w[2] : (uint64_t)w[1] << 32 | w[0];
}

static double to_unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

double leat__rng_uniform(uint64_t seed, uint64_t stream, uint64_t index) { return to_unit(leat__rng_u64(seed, stream, index)); }

float leat__rng_uniformf(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    leat__rng_block(seed, stream, index >> 2, w);
    return (float)(w[index & 3] >> 8) * 0x1p-24f;
}

double leat__rng_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    leat__rng_block(seed, stream, index, w);
    double u = 1.0 - to_unit((uint64_t)w[1] << 32 | w[0]); /* (0, 1], so that the logarithm is finite */
    double v = to_unit((uint64_t)w[3] << 32 | w[2]);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v);
}
