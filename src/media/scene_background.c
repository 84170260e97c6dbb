/* scene_background.c - what lies under the objects, painted once: wood, cloth, gradient, paper, stone or tiles, and clutter that
 * is neither coin nor bead (strips, sticks, flat discs, rings), so that a detector cannot take every blob for an object. */
#include "media/scene_parts.h"

#include <math.h>

typedef struct painter {
    const leat__scene *scene;
    float dark[3], bright[3], angle_cos, angle_sin, unit, offset, pitch, strength;
} painter;

static const uint8_t palettes[SCENE_BG_COUNT][4][2][3] = {
    {{{74, 44, 24}, {150, 98, 56}},
     {{120, 84, 52}, {198, 158, 112}},
     {{44, 30, 22}, {92, 64, 46}},
     {{160, 128, 92}, {224, 200, 164}}},
    {{{24, 60, 36}, {50, 110, 66}},
     {{90, 20, 28}, {150, 44, 52}},
     {{30, 40, 80}, {64, 84, 140}},
     {{150, 140, 124}, {206, 198, 184}}},
    {{{40, 44, 52}, {160, 166, 176}},
     {{180, 170, 150}, {236, 230, 220}},
     {{20, 36, 60}, {90, 130, 170}},
     {{70, 60, 70}, {190, 150, 160}}},
    {{{200, 196, 186}, {240, 238, 230}},
     {{190, 170, 130}, {224, 208, 172}},
     {{150, 160, 168}, {196, 206, 212}},
     {{60, 62, 64}, {96, 98, 100}}},
    {{{90, 90, 92}, {170, 168, 164}},
     {{50, 52, 56}, {110, 112, 118}},
     {{150, 130, 116}, {210, 196, 184}},
     {{60, 70, 64}, {130, 140, 132}}},
    {{{180, 178, 172}, {226, 224, 220}},
     {{70, 90, 110}, {120, 144, 166}},
     {{130, 90, 70}, {180, 136, 110}},
     {{40, 40, 42}, {84, 84, 88}}},
};

/* Each pattern gives the place between the dark and the bright colour, at (x, y) in units of a hundredth of the picture. */

static float wood(const painter *p, float x, float y) {
    float warp = leat__scene_fractal(p->scene, x * 0.02f, y * 0.15f, 3), ring = y * p->pitch * 0.3f + warp * 9;
    float band = 0.5f + 0.5f * sinf(ring * 2.2f), fine = leat__scene_noise(p->scene, x * 0.25f, y * 6);
    float board = fmodf(fabsf(y) + 400, 34 * p->pitch) < 0.35f ? 0.5f : 0;
    return 0.25f + 0.45f * band * p->strength + 0.3f * fine - board;
}

static float cloth(const painter *p, float x, float y) {
    float u = sinf(x * 6 * p->pitch), v = sinf(y * 6 * p->pitch), weave = (u > 0) == (v > 0) ? u * u : v * v;
    return 0.2f + 0.4f * weave * p->strength + 0.4f * leat__scene_fractal(p->scene, x * 0.06f, y * 0.06f, 3);
}

static float gradient(const painter *p, float x, float y) {
    return 0.5f + 0.006f * x + 0.002f * y + 0.1f * leat__scene_fractal(p->scene, x * 0.05f, y * 0.05f, 2);
}

static float paper(const painter *p, float x, float y) {
    float line = p->pitch > 1 && fmodf(fabsf(y) + 300, 5 * p->pitch) < 0.4f ? 0.5f : 0;
    return 0.6f + 0.4f * leat__scene_fractal(p->scene, x * 1.5f, y * 1.5f, 2) - line;
}

static float stone(const painter *p, float x, float y) {
    float grit = leat__scene_noise(p->scene, x * 2.3f, y * 2.3f),
          vein = fabsf(leat__scene_fractal(p->scene, x * 0.05f, y * 0.05f, 4) - 0.5f);
    return 0.35f * leat__scene_fractal(p->scene, x * 0.1f, y * 0.1f, 3) + 0.55f * grit * p->strength +
           (vein < 0.02f ? 0.4f : 0.1f);
}

static float tiles(const painter *p, float x, float y) {
    float side = 16 * p->pitch, u = fmodf(x + 600, side), v = fmodf(y + 600, side),
          border = fminf(fminf(u, side - u), fminf(v, side - v));
    float tone = leat__scene_noise(p->scene, floorf((x + 600) / side) * 1.7f, floorf((y + 600) / side) * 1.7f);
    return (0.45f + 0.4f * tone + 0.15f * leat__scene_noise(p->scene, x, y)) * (border < 0.5f ? 0.3f : 1);
}

static float pattern(int kind, const painter *p, float x, float y) {
    switch (kind) {
    case SCENE_BG_WOOD: return wood(p, x, y);
    case SCENE_BG_CLOTH: return cloth(p, x, y);
    case SCENE_BG_PAPER: return paper(p, x, y);
    case SCENE_BG_STONE: return stone(p, x, y);
    case SCENE_BG_TILES: return tiles(p, x, y);
    default: return gradient(p, x, y);
    }
}

static painter choose(const leat__scene *scene, int kind) {
    const scene_spec *s = &scene->spec;
    const uint8_t(*colors)[3] = palettes[kind][leat__scene_pick(s, SCENE_RNG_BACKGROUND, 1, 4)];
    float angle = leat__scene_draw(s, SCENE_RNG_BACKGROUND, 2, 0, 3.14159f);
    painter p = {.scene = scene,
                 .angle_cos = cosf(angle),
                 .angle_sin = sinf(angle),
                 .unit = 100 / sqrtf((float)s->width * (float)s->height),
                 .pitch = leat__scene_draw(s, SCENE_RNG_BACKGROUND, 3, 0.6f, 1.6f),
                 .strength = leat__scene_draw(s, SCENE_RNG_BACKGROUND, 4, 0.3f, 1)};
    for (int c = 0; c < 3; c++) {
        float shift = leat__scene_draw(s, SCENE_RNG_BACKGROUND, 5 + (uint64_t)c, -18, 18);
        p.dark[c] = (float)colors[0][c] + shift;
        p.bright[c] = (float)colors[1][c] + shift;
    }
    return p;
}

void leat__scene_paint_background(leat__scene *scene) {
    int kind = scene->spec.background >= 0 ? scene->spec.background
                                           : leat__scene_pick(&scene->spec, SCENE_RNG_BACKGROUND, 0, SCENE_BG_COUNT);
    int width = scene->spec.width + 2 * scene->margin, height = scene->spec.height + 2 * scene->margin;
    painter p = choose(scene, kind);
    uint8_t *out = scene->background;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += 3) {
            float dx = ((float)x - (float)width / 2) * p.unit, dy = ((float)y - (float)height / 2) * p.unit;
            float t = pattern(kind, &p, dx * p.angle_cos + dy * p.angle_sin, dy * p.angle_cos - dx * p.angle_sin);
            for (int c = 0; c < 3; c++) out[c] = scene_byte(scene_mix(p.dark[c], p.bright[c], t));
        }
}

/* One thing that is no object: its signed distance decides where it is. */
typedef struct litter {
    float x, y, cos, sin, length, width, color[3], opacity;
    int kind; /* 0, 1: strip; 2: flat disc; 3: ring; 4: sheet of paper */
} litter;

static float litter_distance(const litter *l, float x, float y) {
    float u = x * l->cos + y * l->sin, v = y * l->cos - x * l->sin;
    if (l->kind == 2) return sqrtf(u * u + v * v) - l->width;
    if (l->kind == 3) return fabsf(sqrtf(u * u + v * v) - l->width) - l->width * 0.12f;
    return fmaxf(fabsf(u) - l->length, fabsf(v) - l->width);
}

static litter choose_litter(const leat__scene *scene, uint64_t i) {
    const scene_spec *s = &scene->spec;
    uint64_t at = 16 * (i + 1);
    float unit = sqrtf((float)s->width * (float)s->height), angle = leat__scene_draw(s, SCENE_RNG_CLUTTER, at, 0, 6.2832f);
    litter l = {.kind = leat__scene_pick(s, SCENE_RNG_CLUTTER, at + 1, 5),
                .cos = cosf(angle),
                .sin = sinf(angle),
                .x = leat__scene_draw(s, SCENE_RNG_CLUTTER, at + 2, 0, (float)s->width),
                .y = leat__scene_draw(s, SCENE_RNG_CLUTTER, at + 3, 0, (float)s->height),
                .opacity = leat__scene_draw(s, SCENE_RNG_CLUTTER, at + 4, 0.4f, 1)};
    float size = leat__scene_draw(s, SCENE_RNG_CLUTTER, at + 5, 0.3f, 1);
    static const float lengths[5] = {0.25f, 0.12f, 0.07f, 0.07f, 0.15f}, widths[5] = {0.006f, 0.02f, 0.06f, 0.07f, 0.11f};
    l.length = lengths[l.kind] * size * unit;
    l.width = widths[l.kind] * size * unit;
    for (int c = 0; c < 3; c++) l.color[c] = leat__scene_draw(s, SCENE_RNG_CLUTTER, at + 6 + (uint64_t)c, 20, 235);
    return l;
}

static void paint_litter(leat__scene *scene, const litter *l) {
    int width = scene->spec.width + 2 * scene->margin, height = scene->spec.height + 2 * scene->margin;
    float reach = fmaxf(l->length, l->width) * 1.45f + 2, cx = l->x + (float)scene->margin, cy = l->y + (float)scene->margin;
    int x0 = (int)fmaxf(0, cx - reach), x1 = (int)fminf((float)width, cx + reach), y0 = (int)fmaxf(0, cy - reach),
        y1 = (int)fminf((float)height, cy + reach);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float cover = scene_clamp(0.5f - litter_distance(l, (float)x - cx, (float)y - cy), 0, 1) * l->opacity;
            uint8_t *out = scene->background + ((int64_t)y * width + x) * 3;
            for (int c = 0; c < 3 && cover > 0; c++) out[c] = scene_byte(scene_mix(out[c], l->color[c], cover));
        }
}

void leat__scene_paint_clutter(leat__scene *scene) {
    int count = (int)(leat__scene_draw(&scene->spec, SCENE_RNG_CLUTTER, 0, 0, 9) * scene->spec.clutter);
    for (int i = 0; i < count; i++) {
        litter l = choose_litter(scene, (uint64_t)i);
        paint_litter(scene, &l);
    }
}
