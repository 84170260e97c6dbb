/* scene_draw.c - shadows and objects, back to front, and who is seen at each pixel.
 *
 * An object is shaded into a small patch (premultiplied RGBA), which is smeared along its path while the shutter is open, then
 * laid over the frame.  A pixel belongs to the last object that covers it by half or more. */
#include "media/scene_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- shading ------------------------------------------------------------------------------------------------------------ */

typedef struct shader {
    const scene_object *object;
    const scene_sprite *sprite;
    const scene_matcap *matcap;
    float turn[3][3]; /* normal of the sprite -> normal of the image */
    float lean_cos, lean_sin;
    float squeeze, edge, texels; /* short axis over long axis; visible height of a coin's edge in radii; texels a radius */
    float turn_cos, turn_sin;
} shader;

static void aim(shader *s, const scene_object *o) {
    int coin = o->class_index == SCENE_COIN;
    float tilt = coin ? o->tilt : 0, lean = coin ? o->lean : 0, c = cosf(o->turn), d = sinf(o->turn), k = cosf(tilt),
          e = sinf(tilt), a = cosf(lean), b = sinf(lean);
    float flat[3][3] = {{c, -d, 0}, {k * d, k * c, -e}, {e * d, e * c, k}};
    for (int j = 0; j < 3; j++) {
        s->turn[0][j] = a * flat[0][j] - b * flat[1][j];
        s->turn[1][j] = b * flat[0][j] + a * flat[1][j];
        s->turn[2][j] = flat[2][j];
    }
    s->lean_cos = a;
    s->lean_sin = b;
    s->squeeze = k;
    s->edge = coin ? s->sprite->thickness * e : 0;
    s->turn_cos = c;
    s->turn_sin = d;
    s->texels = (float)s->sprite->side / (2 * SCENE_REACH);
}

/* Eight channels at once, four in the even and four in the odd bytes. */
static uint64_t blend8(uint64_t a, uint64_t b, uint32_t part) {
    const uint64_t even = 0x00ff00ff00ff00ffull;
    uint64_t low = (((a & even) * (256 - part) + (b & even) * part) >> 8) & even;
    uint64_t high = (((a >> 8) & even) * (256 - part) + ((b >> 8) & even) * part) & ~even;
    return low | high;
}

static scene_texel fetch(const scene_sprite *sprite, float u, float v) {
    int x = (int)(u * 256) - 128, y = (int)(v * 256) - 128, last = (sprite->side - 1) * 256 - 1;
    x = x < 0 ? 0 : x > last ? last : x;
    y = y < 0 ? 0 : y > last ? last : y;
    const scene_texel *at = sprite->texels + (y >> 8) * sprite->side + (x >> 8);
    uint64_t corner[4];
    memcpy(corner, at, 16);
    memcpy(corner + 2, at + sprite->side, 16);
    uint64_t top = blend8(corner[0], corner[1], (uint32_t)x & 255), low = blend8(corner[2], corner[3], (uint32_t)x & 255),
             all = blend8(top, low, (uint32_t)y & 255);
    scene_texel t;
    memcpy(&t, &all, 8);
    return t;
}

static const scene_shade *look_up(const shader *s, float x, float y) {
    int u = (int)((x + 1) * (SCENE_MATCAP / 2)), v = (int)((y + 1) * (SCENE_MATCAP / 2));
    u = u < 0 ? 0 : u >= SCENE_MATCAP ? SCENE_MATCAP - 1 : u;
    v = v < 0 ? 0 : v >= SCENE_MATCAP ? SCENE_MATCAP - 1 : v;
    return &s->matcap->shade[v * SCENE_MATCAP + u];
}

static void emit(const shader *s, const scene_shade *shade, const scene_texel *t, uint32_t alpha, uint8_t out[4]) {
    for (int c = 0; c < 3; c++) {
        uint32_t color = s->object->color[0][c] * (256u - t->tone) + s->object->color[1][c] * (uint32_t)t->tone;
        uint32_t value = ((color >> 8) * shade->base[c] * t->open >> 15) + ((uint32_t)shade->shine[c] * t->gloss >> 8);
        out[c] = (uint8_t)((value > 255 ? 255 : value) * alpha / 255);
    }
    out[3] = (uint8_t)alpha;
}

/* The face at (u, v), in radii of the untilted object. */
static void shade_face(const shader *s, float u, float v, float cover, uint8_t out[4]) {
    float su = u * s->turn_cos + v * s->turn_sin, sv = v * s->turn_cos - u * s->turn_sin;
    scene_texel t = fetch(s->sprite, (su + SCENE_REACH) * s->texels, (sv + SCENE_REACH) * s->texels);
    uint32_t alpha = (uint32_t)((float)t.alpha * cover);
    if (alpha == 0) return;
    float nx = (float)t.nx - 128, ny = (float)t.ny - 128, nz = (float)t.nz * (127.0f / 255);
    const float scale = 1.0f / 127;
    float x = (s->turn[0][0] * nx + s->turn[0][1] * ny + s->turn[0][2] * nz) * scale,
          y = (s->turn[1][0] * nx + s->turn[1][1] * ny + s->turn[1][2] * nz) * scale;
    emit(s, look_up(s, x, y), &t, alpha, out);
}

/* The edge of a tilted coin below its face; across: -1..1 along the long axis. */
static void shade_edge(const shader *s, float across, float cover, uint8_t out[4]) {
    float deep = sqrtf(fmaxf(0, 1 - across * across)),
          ridge = s->sprite->reeds > 0 ? 0.35f * sinf((asinf(across) - s->object->turn) * s->sprite->reeds) : 0;
    float x = across + ridge * deep, y = deep * s->squeeze;
    scene_texel t = {.tone = 0, .open = 175, .gloss = 200};
    emit(s, look_up(s, x * s->lean_cos - y * s->lean_sin, x * s->lean_sin + y * s->lean_cos), &t, (uint32_t)(255 * cover), out);
}

static void shade_coin(const shader *s, float dx, float dy, uint8_t out[4]) {
    float radius = s->object->radius, p = (dx * s->lean_cos + dy * s->lean_sin) / radius,
          q = (dy * s->lean_cos - dx * s->lean_sin) / radius;
    float v = q / s->squeeze, r2 = p * p + v * v;
    if (r2 < 0.8f) {
        shade_face(s, p, v, 1, out);
        return;
    }
    float r = sqrtf(r2), slope = sqrtf(p * p + v * v / (s->squeeze * s->squeeze)) / r, inside = (1 - r) / slope * radius;
    int edge = q > 0 && s->edge * radius >= 0.5f;
    if (inside > (edge ? 0 : -0.5f)) {
        shade_face(s, p, v, edge ? 1 : scene_clamp(inside + 0.5f, 0, 1), out);
        return;
    }
    if (!edge || fabsf(p) >= 1) return;
    float below = (s->squeeze * sqrtf(1 - p * p) + s->edge - q) * radius, beside = (1 - fabsf(p)) * radius;
    float cover = scene_clamp(fminf(below, beside) + 0.5f, 0, 1);
    if (cover > 0) shade_edge(s, p, cover, out);
}

/* ---- a patch ------------------------------------------------------------------------------------------------------------ */

enum { BLOCK = 16 };

/* Where a patch lies on the frame; it may reach outside.  The width is a multiple of four before smearing. */
typedef struct patch {
    int x, y, width, height;
} patch;

static patch shade_object(leat__scene *scene, const scene_object *o) {
    shader s = {.object = o, .sprite = &scene->sprites[o->sprite], .matcap = &scene->matcaps[o->material]};
    aim(&s, o);
    float reach = o->radius * (SCENE_REACH + s.edge) + 1;
    patch p = {.x = (int)floorf(o->x - reach), .y = (int)floorf(o->y - reach)};
    p.width = ((int)ceilf(o->x + reach) - p.x + 3) & ~3;
    p.height = (int)ceilf(o->y + reach) - p.y;
    memset(scene->patch, 0, (size_t)p.width * (size_t)p.height * 4);
    for (int y = 0; y < p.height; y++)
        for (int x = 0; x < p.width; x++) {
            uint8_t *out = scene->patch + ((int64_t)y * p.width + x) * 4;
            float dx = (float)(p.x + x) + 0.5f - o->x, dy = (float)(p.y + y) + 0.5f - o->y;
            if (dx * dx + dy * dy > reach * reach) continue;
            if (o->class_index == SCENE_COIN)
                shade_coin(&s, dx, dy, out);
            else
                shade_face(&s, dx / o->radius, dy / o->radius, 1, out);
        }
    return p;
}

/* Four pixels at a time: a constant count becomes vectors. */
static void add_block(const uint8_t *restrict from, uint16_t *restrict to) {
    for (int i = 0; i < BLOCK; i++) to[i] = (uint16_t)(to[i] + from[i]);
}

static void scale_block(const uint16_t *restrict sums, uint16_t part, uint8_t *restrict out) {
    for (int i = 0; i < BLOCK; i++) out[i] = (uint8_t)((uint32_t)sums[i] * part >> 16);
}

/* Mean of the patch moved along the path in steps of at most a pixel; the patch grows by the path. */
static patch smear_patch(leat__scene *scene, const scene_object *o, patch p) {
    float length = fmaxf(fabsf(o->blur_x), fabsf(o->blur_y));
    int taps = (int)ceilf(length) + 1, room = SCENE_BLUR;
    if (taps > room) taps = room;
    if (taps < 2) return p;
    float step_x = o->blur_x / ceilf(length), step_y = o->blur_y / ceilf(length);
    int low_x = (int)lrintf(fminf(0, step_x * (float)(taps - 1))), low_y = (int)lrintf(fminf(0, step_y * (float)(taps - 1)));
    patch q = {p.x + low_x, p.y + low_y, p.width + abs((int)lrintf(step_x * (float)(taps - 1))),
               p.height + abs((int)lrintf(step_y * (float)(taps - 1)))};
    memset(scene->smear, 0, (size_t)q.width * (size_t)q.height * 4 * sizeof *scene->smear);
    for (int i = 0; i < taps; i++) {
        int at_x = (int)lrintf(step_x * (float)i) - low_x, at_y = (int)lrintf(step_y * (float)i) - low_y;
        for (int y = 0; y < p.height; y++) {
            const uint8_t *from = scene->patch + (int64_t)y * p.width * 4;
            uint16_t *to = scene->smear + ((int64_t)(y + at_y) * q.width + at_x) * 4;
            for (int x = 0; x < p.width; x += 4) add_block(from + 4 * x, to + 4 * x);
        }
    }
    uint16_t part = (uint16_t)(65536 / taps + 1);
    for (int64_t i = 0; i < (int64_t)q.width * q.height * 4; i += BLOCK) scale_block(scene->smear + i, part, scene->patch + i);
    return q;
}

static void lay(leat__scene *scene, uint8_t *pixels, int64_t stride, patch p, int place) {
    scene_object *o = &scene->moment.objects[place];
    int width = scene->spec.width, height = scene->spec.height;
    o->left = p.x < 0 ? 0 : p.x;
    o->top = p.y < 0 ? 0 : p.y;
    o->right = p.x + p.width > width ? width : p.x + p.width;
    o->bottom = p.y + p.height > height ? height : p.y + p.height;
    for (int64_t i = 0; i < (int64_t)p.width * p.height; i++) o->area += scene->patch[4 * i + 3] >= 128;
    for (int y = o->top; y < o->bottom; y++) {
        const uint8_t *from = scene->patch + ((int64_t)(y - p.y) * p.width + (o->left - p.x)) * 4;
        uint8_t *to = pixels + y * stride + 3 * (int64_t)o->left, *owner = scene->owner + (int64_t)y * width + o->left;
        for (int x = o->left; x < o->right; x++, from += 4, to += 3, owner++) {
            uint32_t a = from[3], rest = 256 - (a + (a >> 7));
            if (a == 0) continue;
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)((to[c] * rest >> 8) + from[c]);
            if (a >= 128) *owner = (uint8_t)(place + 1);
        }
    }
}

/* ---- shadows ------------------------------------------------------------------------------------------------------------ */

static void cast_shadow(const leat__scene *scene, uint8_t *pixels, int64_t stride, const scene_object *o) {
    const scene_look *l = &scene->look;
    float height = o->class_index == SCENE_COIN ? 0.22f : 0.75f, squeeze = o->class_index == SCENE_COIN ? cosf(o->tilt) : 1;
    float cx = o->x - l->light_x / l->light_z * o->radius * height + o->blur_x / 2,
          cy = o->y - l->light_y / l->light_z * o->radius * height + o->blur_y / 2;
    float rx = o->radius * 1.25f, ry = rx * (0.3f + 0.7f * squeeze);
    int x0 = (int)fmaxf(0, cx - rx), x1 = (int)fminf((float)scene->spec.width, cx + rx), y0 = (int)fmaxf(0, cy - ry),
        y1 = (int)fminf((float)scene->spec.height, cy + ry);
    for (int y = y0; y < y1; y++) {
        float v = ((float)y - cy) / ry, rest = 1 - v * v;
        uint8_t *out = pixels + y * stride + 3 * (int64_t)x0;
        for (int x = x0; x < x1; x++, out += 3) {
            float u = ((float)x - cx) / rx, deep = rest - u * u;
            if (deep <= 0) continue;
            deep = deep > 0.6f ? 1 : deep * (1 / 0.6f);
            uint32_t keep = (uint32_t)(256 * (1 - l->shadow * deep * deep));
            for (int c = 0; c < 3; c++) out[c] = (uint8_t)(out[c] * keep >> 8);
        }
    }
}

void leat__scene_draw_objects(leat__scene *scene, uint8_t *pixels, int64_t stride) {
    int width = scene->spec.width, height = scene->spec.height;
    memset(scene->owner, 0, (size_t)width * (size_t)height);
    for (int i = 0; i < scene->moment.count; i++) {
        scene_object *o = &scene->moment.objects[i];
        float reach = o->radius * 1.5f + fabsf(o->blur_x) + fabsf(o->blur_y) + 2;
        if (o->x < -reach || o->y < -reach || o->x > (float)width + reach || o->y > (float)height + reach) continue;
        if (scene->look.shadow > 0) cast_shadow(scene, pixels, stride, o);
        patch p = smear_patch(scene, o, shade_object(scene, o));
        lay(scene, pixels, stride, p, i);
    }
}
