/* scene_bead.c - beads: bodies of revolution with a hole along the axis, from bicone to sphere to barrel, seen from a fixed side.
 *
 * The body is the ball of the norm N(r, t) = (r^p + |t/h|^p)^(1/p), p = 1.15 a bicone, 2 round, 4 a barrel, less a cylinder.  It
 * is ray-cast once, with parallel rays; N - 1 times the body's inner radius never exceeds the distance, so the march cannot step
 * over the surface. */
#include "media/scene_parts.h"

#include <math.h>

typedef struct bead_body {
    float power, half, hole, inner, axis_y, axis_z, stripes, stripe_width, swirl;
} bead_body;

static bead_body choose(const scene_spec *s, uint64_t stream) {
    static const float powers[4][2] = {{1.15f, 1.35f}, {1.9f, 2.1f}, {1.9f, 2.1f}, {2.8f, 4}};
    int kind = leat__scene_pick(s, stream, 1, 4);
    float tilt = leat__scene_draw(s, stream, 2, 0.1f, 1.15f), half = leat__scene_draw(s, stream, 3, 0.62f, 1);
    if (kind == 1) half = 0.95f;
    bead_body b = {.power = leat__scene_draw(s, stream, 4, powers[kind][0], powers[kind][1]),
                   .half = half,
                   .hole = leat__scene_draw(s, stream, 5, 0.16f, 0.34f),
                   .axis_y = cosf(tilt),
                   .axis_z = sinf(tilt),
                   .stripes = leat__scene_pick(s, stream, 6, 3) == 0 ? leat__scene_draw(s, stream, 7, 2, 5) : 0,
                   .stripe_width = leat__scene_draw(s, stream, 8, -0.4f, 0.4f),
                   .swirl = leat__scene_draw(s, stream, 9, 0, 3)};
    b.inner = b.power < 1.5f ? half / sqrtf(1 + half * half) : half;
    return b;
}

static float split(const bead_body *b, float x, float y, float z, float *along) {
    *along = y * b->axis_y + z * b->axis_z;
    return sqrtf(fmaxf(0, x * x + y * y + z * z - *along * *along));
}

static float norm(const bead_body *b, float x, float y, float z) {
    float t, r = split(b, x, y, z, &t);
    return powf(powf(r, b->power) + powf(fabsf(t) / b->half, b->power), 1 / b->power);
}

/* At most the distance to the bead; *bore: the hole's wall is nearer than the outside. */
static float distance(const bead_body *b, float x, float y, float z, int *bore) {
    float t, r = split(b, x, y, z, &t), body = (norm(b, x, y, z) - 1) * b->inner, wall = b->hole - r;
    *bore = wall > body;
    return *bore ? wall : body;
}

typedef struct bead_hit {
    float z, nearest; /* nearest: smallest distance on the way */
    int hit, bore;
} bead_hit;

static bead_hit cast(const bead_body *b, float x, float y) {
    bead_hit h = {.z = 1.2f, .nearest = 1};
    if (x * x + y * y > 1.2f) return h;
    for (int i = 0; i < 40 && h.z > -1.2f; i++) {
        float d = distance(b, x, y, h.z, &h.bore);
        h.nearest = fminf(h.nearest, d);
        if (d < 0.004f) {
            h.hit = 1;
            return h;
        }
        h.z -= fmaxf(d, 0.01f);
    }
    return h;
}

static void store(const leat__scene *scene, const bead_body *b, scene_texel *t, float x, float y, float z, int bore) {
    const float e = 0.01f;
    float along, radius = split(b, x, y, z, &along);
    float nx = norm(b, x + e, y, z) - norm(b, x - e, y, z), ny = norm(b, x, y + e, z) - norm(b, x, y - e, z),
          nz = norm(b, x, y, z + e) - norm(b, x, y, z - e);
    leat__scene_normal_store(t, nx, ny, nz);
    if (bore) {
        leat__scene_normal_store(t, -x, -y, 0.6f);
        t->open = 40;
    } else {
        t->open = scene_byte(255 * scene_clamp(0.45f + (radius - b->hole) * 4, 0.35f, 1));
    }
    float angle = atan2f(x, z * b->axis_y - y * b->axis_z);
    float tone = b->stripes > 0 ? sinf(along * b->stripes * 4 + angle * floorf(b->swirl)) > b->stripe_width
                                : 0.35f * leat__scene_noise(scene, x * 4 + 9, along * 4 + 3);
    t->tone = scene_byte(255 * tone);
    t->gloss = bore ? 30 : 255;
}

void leat__scene_make_bead(const leat__scene *scene, uint64_t stream, scene_sprite *sprite) {
    bead_body body = choose(&scene->spec, stream);
    int side = sprite->side;
    float step = 2 * SCENE_REACH / (float)side;
    for (int i = 0; i < side * side; i++) {
        float x = ((float)(i % side) + 0.5f) * step - SCENE_REACH, y = ((float)(i / side) + 0.5f) * step - SCENE_REACH;
        scene_texel *t = &sprite->texels[i];
        bead_hit h = cast(&body, x, y);
        *t = (scene_texel){128, 128, 255, 0, 0, 255, 255, 0};
        t->alpha = h.hit ? 255 : scene_byte(255 * scene_clamp(1 - h.nearest / step, 0, 1));
        if (t->alpha) store(scene, &body, t, x, y, h.hit ? h.z : 0, h.hit && h.bore);
    }
}
