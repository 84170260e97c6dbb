/* scene_motion.c - where everything is at a time, from the frame's number alone.
 *
 * Every place for an object ("slot") lives through lives of one length, one after the other; a life enters over one border,
 * passes a point inside and leaves over another, slower in the middle.  Its track is slot + objects * life + 1.  The camera
 * shakes as a sum of three sines; light drifts, flickers, and a soft shadow crosses now and then. */
#include "media/scene_parts.h"

#include <math.h>
#include <string.h>

#define TURN 6.2831853f
enum { LIFE_DRAWS = 64 }; /* values of a slot's stream that one life uses */

void leat__scene_choose_look(leat__scene *scene) {
    const scene_spec *s = &scene->spec;
    scene_look *l = &scene->look;
    float unit = sqrtf((float)s->width * (float)s->height), angle = leat__scene_draw(s, SCENE_RNG_LOOK, 0, 0, TURN),
          z = leat__scene_draw(s, SCENE_RNG_LOOK, 1, 0.5f, 0.9f);
    l->light_x = sqrtf(1 - z * z) * cosf(angle);
    l->light_y = sqrtf(1 - z * z) * sinf(angle);
    l->light_z = z;
    l->warm = leat__scene_draw(s, SCENE_RNG_LOOK, 2, -0.1f, 0.14f);
    l->tilt = leat__scene_draw(s, SCENE_RNG_LOOK, 3, 0, 0.9f);
    l->perspective = leat__scene_draw(s, SCENE_RNG_LOOK, 4, 0, 0.5f) * l->tilt;
    l->exposure = leat__scene_draw(s, SCENE_RNG_LOOK, 5, 0.72f, 1.12f);
    l->flicker = leat__scene_draw(s, SCENE_RNG_LOOK, 6, 0, 0.03f) * s->light;
    l->drift = leat__scene_draw(s, SCENE_RNG_LOOK, 7, 0, 0.18f) * s->light;
    l->band_depth = leat__scene_draw(s, SCENE_RNG_LOOK, 8, -0.2f, 0.45f) * s->light;
    l->band_speed = leat__scene_draw(s, SCENE_RNG_LOOK, 9, 0.08f, 0.3f);
    l->band_angle = leat__scene_draw(s, SCENE_RNG_LOOK, 10, 0, TURN);
    l->shake = leat__scene_draw(s, SCENE_RNG_LOOK, 11, 0, 0.0035f) * unit * s->shake;
    l->shutter = leat__scene_draw(s, SCENE_RNG_LOOK, 12, 0.1f, 0.6f) * s->blur;
    l->noise_floor = leat__scene_draw(s, SCENE_RNG_LOOK, 13, 0.4f, 3.5f) * s->noise;
    l->noise_gain = leat__scene_draw(s, SCENE_RNG_LOOK, 14, 0, 4) * s->noise;
    l->shadow = fminf(1, leat__scene_draw(s, SCENE_RNG_LOOK, 15, 0.25f, 0.75f) * s->shadow);
    l->radius_min = fmaxf(3, 0.026f * unit * s->scale);
    l->radius_max = fmaxf(4, 0.08f * unit * s->scale);
}

static void move_camera(const leat__scene *scene, float t, scene_moment *m) {
    float offset[2] = {0, 0};
    for (int i = 0; i < 6; i++) {
        float rate = leat__scene_draw(&scene->spec, SCENE_RNG_LOOK, 20 + (uint64_t)i, 0.4f, 7),
              phase = leat__scene_draw(&scene->spec, SCENE_RNG_LOOK, 30 + (uint64_t)i, 0, TURN);
        offset[i & 1] += sinf(TURN * rate * t + phase) * scene->look.shake / (1 + rate * 0.3f);
    }
    m->shake_x = offset[0];
    m->shake_y = offset[1];
}

static void move_light(const leat__scene *scene, float t, scene_light *light) {
    const scene_look *l = &scene->look;
    const scene_spec *s = &scene->spec;
    float phase = leat__scene_draw(s, SCENE_RNG_LIGHT, 0, 0, TURN),
          level = l->exposure * (1 + l->drift * sinf(0.5f * t + phase) + l->flicker * sinf(31 * t));
    float warm = l->warm * (0.5f + 0.5f * sinf(0.21f * t + phase));
    float across = fabsf((float)s->width * cosf(l->band_angle)) + fabsf((float)s->height * sinf(l->band_angle)),
          round = fmodf(t * l->band_speed + phase, 3);
    light->gain[0] = level * (1 + warm);
    light->gain[1] = level;
    light->gain[2] = level * (1 - warm);
    light->slope_x = leat__scene_draw(s, SCENE_RNG_LIGHT, 1, -0.3f, 0.3f) * s->light / (float)s->width;
    light->slope_y = leat__scene_draw(s, SCENE_RNG_LIGHT, 2, -0.3f, 0.3f) * s->light / (float)s->height;
    light->band_x = cosf(l->band_angle);
    light->band_y = sinf(l->band_angle);
    light->band_at = (round - 1.5f) * across;
    light->band_soft = 0.25f * across;
    light->band_depth = fmaxf(0, l->band_depth);
}

/* A point beyond border `side`, far enough that `radius` is outside. */
static void outside(const scene_spec *s, int side, float along, float radius, float *x, float *y) {
    float far = radius * 1.5f;
    *x = side == 0 ? -far : side == 1 ? (float)s->width + far : along * (float)s->width;
    *y = side == 2 ? -far : side == 3 ? (float)s->height + far : along * (float)s->height;
}

typedef struct path {
    float x[3], y[3], slow;
} path;

static path choose_path(const leat__scene *scene, uint64_t stream, uint64_t at, float radius) {
    const scene_spec *s = &scene->spec;
    int in = leat__scene_pick(s, stream, at, 4), out = (in + 1 + leat__scene_pick(s, stream, at + 1, 3)) & 3;
    path p = {.slow = leat__scene_draw(s, stream, at + 2, 0.2f, 0.98f)};
    outside(s, in, leat__scene_draw(s, stream, at + 3, 0, 1), radius, &p.x[0], &p.y[0]);
    outside(s, out, leat__scene_draw(s, stream, at + 4, 0, 1), radius, &p.x[2], &p.y[2]);
    float mx = leat__scene_draw(s, stream, at + 5, 0.1f, 0.9f) * (float)s->width,
          my = leat__scene_draw(s, stream, at + 6, 0.1f, 0.9f) * (float)s->height;
    p.x[1] = 2 * mx - 0.5f * (p.x[0] + p.x[2]); /* so that the curve passes through the middle point */
    p.y[1] = 2 * my - 0.5f * (p.y[0] + p.y[2]);
    return p;
}

static void follow(const path *p, float part, float *x, float *y) {
    float u = part + p->slow * sinf(TURN * part) / TURN, v = 1 - u;
    *x = v * v * p->x[0] + 2 * u * v * p->x[1] + u * u * p->x[2];
    *y = v * v * p->y[0] + 2 * u * v * p->y[1] + u * u * p->y[2];
}

static void choose_sprite(const leat__scene *scene, uint64_t stream, uint64_t at, scene_object *o) {
    int of_class[SCENE_MAX_SPRITES], n = 0;
    o->class_index = leat__scene_draw(&scene->spec, stream, at, 0, 1) < scene->spec.coins ? SCENE_COIN : SCENE_BEAD;
    for (int i = 0; i < scene->sprite_count; i++)
        if (scene->sprites[i].class_index == o->class_index) of_class[n++] = i;
    o->sprite = of_class[leat__scene_pick(&scene->spec, stream, at + 1, n)];
}

static void place(const leat__scene *scene, int slot, double t, scene_object *o) {
    const scene_spec *s = &scene->spec;
    const scene_look *l = &scene->look;
    uint64_t stream = SCENE_RNG_LIFE + (uint64_t)slot;
    double length = leat__scene_draw(s, stream, 0, 3.5f, 9), lives = t / length + leat__scene_draw(s, stream, 1, 0, 1),
           life = floor(lives);
    float part = (float)(lives - life), step = (float)(1 / (s->fps * length)), dx, dy;
    uint64_t at = LIFE_DRAWS * ((uint64_t)life + 1);
    memset(o, 0, sizeof *o);
    o->track = (int32_t)(((int64_t)life * s->objects + slot) % INT32_MAX) + 1;
    choose_sprite(scene, stream, at, o);
    leat__scene_choose_colors(scene, stream, at + 8, o);
    float size = leat__scene_draw(s, stream, at + 2, 0, 1),
          radius = scene_mix(l->radius_min, l->radius_max, size * size * 0.6f + size * 0.4f);
    path p = choose_path(scene, stream, at + 20, radius * (1 + 0.5f * l->perspective));
    follow(&p, part, &o->x, &o->y);
    follow(&p, part + step, &dx, &dy);
    o->blur_x = (dx - o->x) * l->shutter;
    o->blur_y = (dy - o->y) * l->shutter;
    o->radius = radius * (1 + l->perspective * scene_clamp(o->y / (float)s->height - 0.5f, -0.6f, 0.6f));
    o->turn = leat__scene_draw(s, stream, at + 30, 0, TURN) + leat__scene_draw(s, stream, at + 31, -2, 2) * part * (float)length;
    o->tilt = scene_clamp(l->tilt + 0.15f * sinf(TURN * leat__scene_draw(s, stream, at + 32, 0.1f, 0.8f) * part * (float)length),
                          0.02f, 1.1f);
    o->lean = leat__scene_draw(s, stream, at + 33, -0.15f, 0.15f);
    o->depth = leat__scene_draw(s, stream, at + 34, 0, 1);
}

void leat__scene_move(leat__scene *scene, int64_t index) {
    scene_moment *m = &scene->moment;
    double t = (double)index / scene->spec.fps;
    move_camera(scene, (float)fmod(t, 3600), m);
    move_light(scene, (float)fmod(t, 3600), &m->light);
    m->count = scene->spec.objects;
    for (int slot = 0; slot < m->count; slot++) {
        scene_object fresh;
        place(scene, slot, t, &fresh);
        fresh.x += m->shake_x;
        fresh.y += m->shake_y;
        int at = slot;
        for (; at > 0 && m->objects[at - 1].depth > fresh.depth; at--) m->objects[at] = m->objects[at - 1];
        m->objects[at] = fresh;
    }
}
