/* scene_material.c - what each direction of a surface looks like under the scene's light, one table a material, and the colours
 * of single objects.
 *
 * Polished and worn metal mirror a made-up room (a window, a bright ceiling, a dark table, a few blurred lamps); plastic, glass
 * and matt stuff are lit diffusely with a sharp, a double or no highlight. */
#include "media/scene_parts.h"

#include <math.h>

enum { LAMPS = 5 };
typedef struct scene_room {
    const scene_look *look;
    float lamp[LAMPS][4]; /* direction, brightness */
} scene_room;

static float dot_light(const scene_look *l, float x, float y, float z) {
    return x * l->light_x + y * l->light_y + z * l->light_z;
}

static float mirrored(const scene_room *room, float x, float y, float z, float sharpness) {
    float up = -y * 0.8f + z * 0.6f, bright = 0.22f + 0.75f * scene_step(-0.5f, 0.8f, up);
    for (int i = 0; i < LAMPS; i++) {
        const float *l = room->lamp[i];
        float near = x * l[0] + y * l[1] + z * l[2];
        bright += l[3] * expf((near - 1) * sharpness);
    }
    return bright + 1.1f * expf((dot_light(room->look, x, y, z) - 1) * sharpness * 1.5f);
}

static void shade(const scene_room *room, int material, float x, float y, float z, scene_shade *out) {
    const scene_look *look = room->look;
    float rx = 2 * z * x, ry = 2 * z * y, rz = 2 * z * z - 1, lit = fmaxf(0, dot_light(look, x, y, z)),
          toward = dot_light(look, rx, ry, rz);
    float base, shine = 0, rim = powf(1 - z, 3);
    if (material == SCENE_POLISHED) {
        base = mirrored(room, rx, ry, rz, 14);
        shine = 60 * scene_step(0.93f, 0.99f, toward);
    } else if (material == SCENE_WORN) {
        base = 0.25f + 0.35f * lit + 0.45f * mirrored(room, rx, ry, rz, 5);
    } else if (material == SCENE_PLASTIC) {
        base = 0.36f + 0.78f * lit;
        shine = 190 * scene_step(0.94f, 0.975f, toward) + 70 * rim;
    } else if (material == SCENE_GLASS) {
        float through = fmaxf(0, -x * look->light_x - y * look->light_y);
        base = 0.45f + 0.35f * lit + 0.9f * through * through;
        shine = 230 * scene_step(0.965f, 0.98f, toward) + 90 * rim + 30 * scene_step(0.5f, 0.9f, ry);
    } else {
        base = 0.34f + 0.8f * lit;
        shine = 25 * scene_step(0.6f, 1, toward);
    }
    float warmth[3] = {1 + look->warm, 1, 1 - look->warm};
    for (int c = 0; c < 3; c++) {
        out->base[c] = scene_byte(128 * base * warmth[c]);
        out->shine[c] = scene_byte(shine * warmth[c]);
    }
}

void leat__scene_make_matcaps(leat__scene *scene) {
    scene_room room = {.look = &scene->look};
    for (int i = 0; i < LAMPS; i++) {
        float a = leat__scene_draw(&scene->spec, SCENE_RNG_LIGHT, 100 + 4 * (uint64_t)i, 0, 6.2832f),
              z = leat__scene_draw(&scene->spec, SCENE_RNG_LIGHT, 101 + 4 * (uint64_t)i, 0.1f, 0.95f);
        float flat = sqrtf(1 - z * z),
              power = leat__scene_draw(&scene->spec, SCENE_RNG_LIGHT, 102 + 4 * (uint64_t)i, -0.35f, 0.6f);
        float lamp[4] = {flat * cosf(a), flat * sinf(a), z, power};
        for (int k = 0; k < 4; k++) room.lamp[i][k] = lamp[k];
    }
    for (int m = 0; m < SCENE_MATERIALS; m++)
        for (int i = 0; i < SCENE_MATCAP * SCENE_MATCAP; i++) {
            float x = ((float)(i % SCENE_MATCAP) + 0.5f) * (2.0f / SCENE_MATCAP) - 1,
                  y = ((float)(i / SCENE_MATCAP) + 0.5f) * (2.0f / SCENE_MATCAP) - 1;
            float flat = x * x + y * y, z = flat < 1 ? sqrtf(1 - flat) : 0, n = flat < 1 ? 1 : 1 / sqrtf(flat);
            shade(&room, m, x * n, y * n, z, &scene->matcaps[m].shade[i]);
        }
}

static void hue(float h, float saturation, float value, uint8_t out[3]) {
    for (int c = 0; c < 3; c++) {
        float k = fmodf(h * 6 + (c == 0 ? 5 : c == 1 ? 3 : 1), 6), ramp = scene_clamp(fminf(k, 4 - k), 0, 1);
        out[c] = scene_byte(255 * value * (1 - saturation * ramp));
    }
}

static void coin_colors(const scene_spec *s, uint64_t stream, uint64_t at, scene_object *o) {
    static const uint8_t metals[8][3] = {{218, 178, 84},  {190, 192, 196}, {186, 112, 72}, {152, 118, 70},
                                         {166, 160, 148}, {128, 132, 138}, {120, 86, 60},  {204, 186, 128}};
    const uint8_t *metal[2] = {metals[leat__scene_pick(s, stream, at, 8)], metals[leat__scene_pick(s, stream, at + 1, 8)]};
    float bright = leat__scene_draw(s, stream, at + 2, 0.8f, 1.15f);
    for (int c = 0; c < 3; c++) {
        o->color[0][c] = scene_byte((float)metal[0][c] * bright);
        o->color[1][c] = scene_byte((float)metal[1][c] * bright);
    }
    o->material = leat__scene_pick(s, stream, at + 3, 2) ? SCENE_POLISHED : SCENE_WORN;
}

static void bead_colors(const scene_spec *s, uint64_t stream, uint64_t at, scene_object *o) {
    static const uint8_t plain[4][3] = {{226, 222, 210}, {44, 42, 46}, {170, 118, 70}, {236, 224, 214}};
    static const int materials[4] = {SCENE_PLASTIC, SCENE_PLASTIC, SCENE_GLASS, SCENE_MATTE};
    float h = leat__scene_draw(s, stream, at, 0, 1);
    hue(h, leat__scene_draw(s, stream, at + 1, 0.5f, 0.95f), leat__scene_draw(s, stream, at + 2, 0.45f, 0.95f), o->color[0]);
    hue(fmodf(h + leat__scene_draw(s, stream, at + 3, 0.05f, 0.6f), 1), 0.6f, 0.9f, o->color[1]);
    if (leat__scene_pick(s, stream, at + 4, 4) == 0) {
        const uint8_t *p = plain[leat__scene_pick(s, stream, at + 5, 4)];
        for (int c = 0; c < 3; c++) o->color[0][c] = p[c];
    }
    o->material = materials[leat__scene_pick(s, stream, at + 6, 4)];
}

void leat__scene_choose_colors(const leat__scene *scene, uint64_t stream, uint64_t at, scene_object *object) {
    if (object->class_index == SCENE_COIN)
        coin_colors(&scene->spec, stream, at, object);
    else
        bead_colors(&scene->spec, stream, at, object);
}
