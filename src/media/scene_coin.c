/* scene_coin.c - a coin's face as relief: raised rim, ring of pearls, legend, motif in the middle; wear.  The relief is a height
 * map, its slope becomes the normals of the sprite.
 *
 * Coordinates (u, v) are in radii of the coin. */
#include "media/scene_parts.h"

#include <math.h>

#include "base/rng.h"

typedef struct coin_face {
    float rim, pearls, legend_cells, legend_in, legend_out, points, twist, motif_size, hole;
    int motif; /* 0 star, 1 head, 2 numeral, 3 rings */
    uint64_t glyphs;
} coin_face;

static coin_face choose(const scene_spec *s, uint64_t stream) {
    return (coin_face){.rim = leat__scene_draw(s, stream, 1, 0.86f, 0.94f),
                       .pearls = leat__scene_pick(s, stream, 2, 2) ? leat__scene_draw(s, stream, 3, 40, 80) : 0,
                       .legend_cells = floorf(leat__scene_draw(s, stream, 4, 14, 34)),
                       .legend_in = 0.64f,
                       .legend_out = leat__scene_draw(s, stream, 5, 0.74f, 0.8f),
                       .points = floorf(leat__scene_draw(s, stream, 6, 3, 9)),
                       .twist = leat__scene_draw(s, stream, 7, 0.2f, 0.6f),
                       .motif_size = leat__scene_draw(s, stream, 8, 0.38f, 0.55f),
                       .hole = leat__scene_pick(s, stream, 9, 10) == 0 ? 0.18f : 0,
                       .motif = leat__scene_pick(s, stream, 10, 4),
                       .glyphs = leat__rng_u64(s->seed, stream, 11)};
}

/* Strokes of 3 x 4 cells a letter, from hashed bits: no alphabet, but it glints like one. */
static float legend(const coin_face *f, float radius, float angle) {
    if (radius < f->legend_in || radius > f->legend_out) return 0;
    float at = (angle + 3.14159265f) / 6.2831853f * f->legend_cells, cell = floorf(at), inside = (at - cell) * 4;
    float row = (radius - f->legend_in) / (f->legend_out - f->legend_in) * 4;
    if (inside >= 3) return 0;
    unsigned bit = ((unsigned)cell * 7 + (unsigned)inside * 4 + (unsigned)row * 13) & 63;
    return (f->glyphs >> bit) & 1 ? 1 : 0;
}

static float motif(const coin_face *f, float u, float v, float radius, float angle) {
    float size = f->motif_size;
    if (f->motif == 0) return scene_step(0.03f, -0.03f, radius - size * (1 - f->twist * (0.5f + 0.5f * cosf(angle * f->points))));
    if (f->motif == 1) {
        float head = hypotf(u / 0.8f, v + 0.08f) - size * 0.62f, bust = hypotf(u, (v - size) / 0.7f) - size * 0.75f;
        return scene_step(0.06f, -0.2f, fminf(head, bust)) * (radius < 0.62f);
    }
    if (f->motif == 2) {
        float stem = fmaxf(fabsf(u - 0.05f * f->points) - 0.08f, fabsf(v) - size),
              bow = fabsf(hypotf(u + 0.1f, v + size * 0.4f) - size * 0.45f) - 0.06f;
        return scene_step(0.03f, -0.03f, fminf(stem, bow));
    }
    return 0.5f + 0.5f * cosf(radius * 25 * f->twist * 2 + cosf(angle * f->points));
}

static float height_at(const coin_face *f, float u, float v) {
    float radius = hypotf(u, v), angle = atan2f(v, u),
          rim = scene_step(f->rim - 0.02f, f->rim + 0.015f, radius) * scene_step(1.02f, 0.97f, radius);
    float pearl = 0;
    if (f->pearls > 0 && radius > 0.8f && radius < f->rim) {
        float at = angle * f->pearls / 6.2831853f, off = (at - floorf(at + 0.5f)) * 6.2831853f / f->pearls * radius;
        pearl = scene_step(0.03f, 0.01f, hypotf(off, radius - (f->rim - 0.05f)));
    }
    return rim + 0.8f * pearl + 0.7f * legend(f, radius, angle) + 0.9f * motif(f, u, v, radius, angle) * (radius < 0.62f);
}

static void store(const leat__scene *scene, const coin_face *f, const scene_sprite *sprite, const float *heights, int x, int y) {
    int side = sprite->side, x0 = x > 0 ? x - 1 : x, x1 = x + 1 < side ? x + 1 : x, y0 = y > 0 ? y - 1 : y,
        y1 = y + 1 < side ? y + 1 : y;
    float step = 2 * SCENE_REACH / (float)side, u = ((float)x + 0.5f) * step - SCENE_REACH,
          v = ((float)y + 0.5f) * step - SCENE_REACH, radius = hypotf(u, v);
    scene_texel *t = &sprite->texels[y * side + x];
    float here = heights[y * side + x], wear = leat__scene_fractal(scene, u * 9 + 31 * sprite->inner, v * 9, 2);
    float slope_x = (heights[y * side + x1] - heights[y * side + x0]) * (float)side * 0.013f,
          slope_y = (heights[y1 * side + x] - heights[y0 * side + x]) * (float)side * 0.013f;
    float around = (heights[y0 * side + x] + heights[y1 * side + x] + heights[y * side + x0] + heights[y * side + x1]) / 4;
    leat__scene_normal_store(t, -slope_x + (wear - 0.5f) * 0.12f, -slope_y, 1);
    t->alpha = f->hole > 0 ? scene_byte(255 * scene_clamp((radius - f->hole) / step + 0.5f, 0, 1)) : 255;
    t->tone = sprite->inner > 0 ? scene_byte(255 * scene_step(sprite->inner + 0.02f, sprite->inner - 0.02f, radius)) : 0;
    t->open = scene_byte(255 * scene_clamp(0.72f + 0.2f * here + 1.2f * (here - around), 0.3f, 1));
    t->gloss = scene_byte(160 + 95 * wear);
}

void leat__scene_make_coin(const leat__scene *scene, uint64_t stream, scene_sprite *sprite, float *heights) {
    const scene_spec *s = &scene->spec;
    coin_face face = choose(s, stream);
    int side = sprite->side;
    float step = 2 * SCENE_REACH / (float)side;
    sprite->thickness = leat__scene_draw(s, stream, 20, 0.1f, 0.24f);
    sprite->reeds = leat__scene_pick(s, stream, 21, 2) ? leat__scene_draw(s, stream, 22, 40, 90) : 0;
    sprite->inner = leat__scene_pick(s, stream, 23, 4) == 0 ? 0.62f : 0;
    for (int i = 0; i < side * side; i++)
        heights[i] = height_at(&face, ((float)(i % side) + 0.5f) * step - SCENE_REACH,
                               ((float)(i / side) + 0.5f) * step - SCENE_REACH);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) store(scene, &face, sprite, heights, x, y);
}
