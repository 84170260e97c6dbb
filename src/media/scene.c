/* scene.c - a synthetic scene from opening to closing, and one frame from end to end; see scene.h. */
#include "media/scene_parts.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"

enum { TRUTH_WORDS = 7 };

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static int make_tables(leat__scene *scene) {
    const scene_spec *s = &scene->spec;
    scene->lattice = leat__alloc(SCENE_LATTICE * SCENE_LATTICE * sizeof *scene->lattice, LEAT_MEMORY_IO);
    scene->grain = leat__alloc(SCENE_NOISE + SCENE_NOISE_RUN, LEAT_MEMORY_IO);
    if (!scene->lattice || !scene->grain) return LEAT_ENOMEM;
    for (uint64_t i = 0; i < SCENE_LATTICE * SCENE_LATTICE; i++)
        scene->lattice[i] = leat__rng_uniformf(s->seed, SCENE_RNG_LATTICE, i);
    for (uint64_t i = 0; i < SCENE_NOISE + SCENE_NOISE_RUN; i++)
        scene->grain[i] = (int8_t)scene_clamp((float)leat__rng_normal(s->seed, SCENE_RNG_GRAIN, i) * 32, -127, 127);
    return LEAT_OK;
}

static int make_surfaces(leat__scene *scene) {
    const scene_spec *s = &scene->spec;
    scene->margin = (int32_t)ceilf(scene->look.shake * 3) + 2;
    size_t width = (size_t)s->width, height = (size_t)s->height, margin = 2 * (size_t)scene->margin;
    scene->background = leat__alloc((width + margin) * (height + margin) * 3, LEAT_MEMORY_IO);
    scene->gains = leat__calloc(width * 3 + 64, sizeof *scene->gains, LEAT_MEMORY_IO);
    scene->owner = leat__calloc(width, height, LEAT_MEMORY_IO);
    if (s->format != LEAT_PIXEL_RGB24) scene->canvas = leat__alloc(width * height * 3, LEAT_MEMORY_IO);
    /* The largest object with the edge of a tilted coin and perspective, and its path while the shutter is open. */
    scene->patch_side = 2 * (int32_t)ceilf(scene->look.radius_max * 1.3f * (SCENE_REACH + 0.25f) + 2) + SCENE_BLUR + 8;
    size_t patch = (size_t)scene->patch_side * (size_t)scene->patch_side * 4;
    scene->patch = leat__alloc(patch, LEAT_MEMORY_IO);
    scene->smear = leat__alloc(patch * sizeof *scene->smear, LEAT_MEMORY_IO);
    int made = scene->background && scene->gains && scene->owner && scene->patch && scene->smear &&
               (scene->canvas || s->format == LEAT_PIXEL_RGB24);
    return made ? LEAT_OK : LEAT_ENOMEM;
}

static int make_sprites(leat__scene *scene) {
    int side = (int)scene_clamp(2.2f * scene->look.radius_max, 24, 160),
        count = scene->spec.objects < 2 ? 2 : scene->spec.objects;
    float *heights = leat__alloc((size_t)side * (size_t)side * sizeof *heights, LEAT_MEMORY_IO);
    scene->matcaps = leat__alloc(SCENE_MATERIALS * sizeof *scene->matcaps, LEAT_MEMORY_IO);
    int status = heights && scene->matcaps ? LEAT_OK : LEAT_ENOMEM;
    for (int i = 0; status == LEAT_OK && i < count && i < SCENE_MAX_SPRITES; i++) {
        scene_sprite *sprite = &scene->sprites[i];
        *sprite = (scene_sprite){.side = side, .class_index = i % 2 == 0 ? SCENE_COIN : SCENE_BEAD};
        sprite->texels = leat__alloc((size_t)side * (size_t)side * sizeof *sprite->texels, LEAT_MEMORY_IO);
        if (!sprite->texels) {
            status = LEAT_ENOMEM;
            break;
        }
        scene->sprite_count++;
        if (sprite->class_index == SCENE_COIN)
            leat__scene_make_coin(scene, SCENE_RNG_SPRITE + (uint64_t)i, sprite, heights);
        else
            leat__scene_make_bead(scene, SCENE_RNG_SPRITE + (uint64_t)i, sprite);
    }
    leat__free(heights);
    if (status == LEAT_OK) leat__scene_make_matcaps(scene);
    return status;
}

static int make_kept(leat__scene *scene) {
    for (int i = 0; i < LEAT_SCENE_KEPT; i++) {
        scene_kept *kept = &scene->kept[i];
        atomic_init(&kept->version, 0);
        atomic_init(&kept->count, 0);
        kept->words = leat__calloc((size_t)scene->spec.objects * TRUTH_WORDS, sizeof *kept->words, LEAT_MEMORY_IO);
        if (!kept->words) return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

int leat__scene_open(const char *spec, leat__scene **scene, leat_error *error) {
    scene_spec parsed;
    *scene = NULL;
    int status = leat__scene_parse(spec, &parsed, error);
    if (status != LEAT_OK) return status;
    leat__scene *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_IO);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "scene: out of memory");
    s->spec = parsed;
    leat__scene_choose_look(s);
    status = make_tables(s);
    if (status == LEAT_OK) status = make_surfaces(s);
    if (status == LEAT_OK) status = make_sprites(s);
    if (status == LEAT_OK) status = make_kept(s);
    if (status != LEAT_OK) {
        leat__scene_close(s);
        return leat__fail(error, status, "scene: out of memory");
    }
    leat__scene_paint_background(s);
    leat__scene_paint_clutter(s);
    leat__free(s->lattice);
    s->lattice = NULL;
    *scene = s;
    return LEAT_OK;
}

void leat__scene_close(leat__scene *scene) {
    if (!scene) return;
    void *const blocks[] = {scene->lattice, scene->background, scene->matcaps, scene->grain, scene->gains,
                            scene->owner,   scene->canvas,     scene->patch,   scene->smear};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) leat__free(blocks[i]);
    for (int i = 0; i < scene->sprite_count; i++) leat__free(scene->sprites[i].texels);
    for (int i = 0; i < LEAT_SCENE_KEPT; i++) leat__free(scene->kept[i].words);
    leat__free(scene);
}

void leat__scene_describe(const leat__scene *scene, leat__scene_info *info) {
    const scene_spec *s = &scene->spec;
    *info = (leat__scene_info){s->format, s->matrix, s->width, s->height, s->objects, s->fps, s->frames > 0 ? s->frames : -1};
}

/* ---- truth -------------------------------------------------------------------------------------------------------------- */

/* The box around the pixels that are the object's, and their number. */
static int64_t visible_extent(const leat__scene *scene, int place, int box[4]) {
    const scene_object *o = &scene->moment.objects[place];
    int64_t seen = 0;
    box[0] = box[1] = INT32_MAX;
    box[2] = box[3] = 0;
    for (int y = o->top; y < o->bottom; y++) {
        const uint8_t *row = scene->owner + (int64_t)y * scene->spec.width;
        int before = (int)seen != 0, first = o->right, last = -1;
        for (int x = o->left; x < o->right; x++) {
            if (row[x] != place + 1) continue;
            seen++;
            if (x < first) first = x;
            last = x;
        }
        if (last < 0) continue;
        if (!before) box[1] = y;
        box[3] = y + 1;
        if (first < box[0]) box[0] = first;
        if (last + 1 > box[2]) box[2] = last + 1;
    }
    return seen;
}

static void put_float(atomic_uint_least32_t *word, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(word, bits, memory_order_relaxed);
}

static float get_float(atomic_uint_least32_t *word) {
    uint32_t bits = atomic_load_explicit(word, memory_order_relaxed);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Readers look at the version before and after: odd or changed means that what they copied is not one frame's. */
static void keep_truth(leat__scene *scene, int64_t index) {
    scene_kept *kept = &scene->kept[index % LEAT_SCENE_KEPT];
    uint32_t count = 0;
    atomic_store_explicit(&kept->version, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (int i = 0; i < scene->moment.count; i++) {
        const scene_object *o = &scene->moment.objects[i];
        int box[4];
        int64_t seen = o->area > 0 ? visible_extent(scene, i, box) : 0;
        if (seen == 0) continue;
        atomic_uint_least32_t *word = kept->words + count++ * TRUTH_WORDS;
        atomic_store_explicit(word, (uint32_t)o->track, memory_order_relaxed);
        atomic_store_explicit(word + 1, (uint32_t)o->class_index, memory_order_relaxed);
        for (int k = 0; k < 4; k++) put_float(word + 2 + k, (float)box[k]);
        put_float(word + 6, (float)seen / (float)o->area);
    }
    atomic_store_explicit(&kept->count, count, memory_order_relaxed);
    atomic_store_explicit(&kept->version, (uint64_t)index * 2 + 2, memory_order_release);
}

int leat__scene_truth(const leat__scene *scene, int64_t index, leat_truth *objects, int capacity, int *count) {
    if (!scene || !count || index < 0 || capacity < 0 || (capacity > 0 && !objects)) return LEAT_EINVAL;
    scene_kept *kept = (scene_kept *)&scene->kept[index % LEAT_SCENE_KEPT];
    uint64_t whole = (uint64_t)index * 2 + 2;
    if (atomic_load_explicit(&kept->version, memory_order_acquire) != whole) return LEAT_EINVAL;
    *count = (int)atomic_load_explicit(&kept->count, memory_order_relaxed);
    for (int i = 0; i < *count && i < capacity; i++) {
        atomic_uint_least32_t *word = kept->words + i * TRUTH_WORDS;
        objects[i].track = (int32_t)atomic_load_explicit(word, memory_order_relaxed);
        objects[i].class_index = (int32_t)atomic_load_explicit(word + 1, memory_order_relaxed);
        for (int k = 0; k < 4; k++) objects[i].box[k] = get_float(word + 2 + k);
        objects[i].visible = get_float(word + 6);
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&kept->version, memory_order_relaxed) == whole ? LEAT_OK : LEAT_EINVAL;
}

/* ---- a frame ------------------------------------------------------------------------------------------------------------ */

int leat__scene_render(leat__scene *scene, int64_t index, leat_frame *frame) {
    const scene_spec *s = &scene->spec;
    if (!scene || !frame || index < 0 || index > INT64_MAX / 4) return LEAT_EINVAL;
    if (frame->format != s->format || frame->width != s->width || frame->height != s->height || !leat_frame_is_valid(frame))
        return LEAT_EINVAL;
    frame->matrix = s->matrix;
    frame->full_range = 0;
    frame->index = index;
    frame->pts_ns = (int64_t)((double)index * 1e9 / s->fps + 0.5);
    uint8_t *pixels = scene->canvas ? scene->canvas : frame->plane[0];
    int64_t stride = scene->canvas ? (int64_t)s->width * 3 : frame->stride[0];
    leat__scene_move(scene, index);
    leat__scene_draw_background(scene, pixels, stride);
    leat__scene_draw_objects(scene, pixels, stride);
    keep_truth(scene, index);
    leat__scene_expose(scene, index, pixels, stride);
    if (!scene->canvas) return LEAT_OK;
    leat_frame drawn = *frame;
    int status = leat_frame_layout(&drawn, LEAT_PIXEL_RGB24, s->width, s->height, scene->canvas);
    return status == LEAT_OK ? leat_frame_convert(&drawn, frame) : status;
}
