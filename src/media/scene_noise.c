/* scene_noise.c - random draws by name and place, and value noise over a small lattice that wraps. */
#include "media/scene_parts.h"

#include <math.h>

#include "base/rng.h"

float leat__scene_draw(const scene_spec *spec, uint64_t stream, uint64_t index, float low, float high) {
    return low + (high - low) * leat__rng_uniformf(spec->seed, stream, index);
}

int leat__scene_pick(const scene_spec *spec, uint64_t stream, uint64_t index, int count) {
    int at = (int)(leat__rng_uniformf(spec->seed, stream, index) * (float)count);
    return at < count ? at : count - 1;
}

float leat__scene_noise(const leat__scene *scene, float x, float y) {
    enum { MASK = SCENE_LATTICE - 1 };
    float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    int x0 = (int)fx & MASK, y0 = (int)fy & MASK, x1 = (x0 + 1) & MASK, y1 = (y0 + 1) & MASK;
    const float *top = scene->lattice + y0 * SCENE_LATTICE, *low = scene->lattice + y1 * SCENE_LATTICE;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    return scene_mix(scene_mix(top[x0], top[x1], u), scene_mix(low[x0], low[x1], u), v);
}

float leat__scene_fractal(const leat__scene *scene, float x, float y, int octaves) {
    float sum = 0, weight = 0.5f, total = 0;
    for (int i = 0; i < octaves; i++) {
        sum += weight * leat__scene_noise(scene, x, y);
        total += weight;
        weight *= 0.5f;
        x = 2 * x + 17.3f;
        y = 2 * y + 5.7f;
    }
    return sum / total;
}

void leat__scene_normal_store(scene_texel *texel, float x, float y, float z) {
    float n = 1 / sqrtf(x * x + y * y + z * z + 1e-12f);
    texel->nx = scene_byte(128 + 127 * x * n);
    texel->ny = scene_byte(128 + 127 * y * n);
    texel->nz = scene_byte(255 * (z > 0 ? z : 0) * n);
}
