/* rng.h - counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): value i of stream (seed, stream) needs no state. */
#ifndef LEAT_BASE_RNG_H
#define LEAT_BASE_RNG_H

#include <stdint.h>

/* Four words for counter `block` of the key (seed, stream). */
void leat__rng_block(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]);
uint64_t leat__rng_u64(uint64_t seed, uint64_t stream, uint64_t index);
double leat__rng_uniform(uint64_t seed, uint64_t stream, uint64_t index); /* [0, 1), 53 bits */
float leat__rng_uniformf(uint64_t seed, uint64_t stream, uint64_t index); /* [0, 1), 24 bits */
double leat__rng_normal(uint64_t seed, uint64_t stream, uint64_t index);  /* mean 0, sd 1 (Box-Muller) */

#endif
