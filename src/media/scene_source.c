/* scene_source.c - the synthetic scene as a source: "scene:seed=7,size=1280x720,fps=30,objects=12,frames=300". */
#include "media/source.h"

#include "base/error.h"
#include "base/mem.h"
#include "media/scene.h"

typedef struct scene_state {
    leat__scene *scene;
    int64_t at, frames; /* frames -1 = endless */
} scene_state;

static int ready(leat_source *base, leat_error *error) {
    const scene_state *s = base->state;
    return s->frames >= 0 && s->at >= s->frames ? LEAT_EEND : LEAT_OK;
}

static int read_frame(leat_source *base, leat_frame *frame, leat_error *error) {
    scene_state *s = base->state;
    int status = leat__scene_render(s->scene, s->at, frame);
    if (status != LEAT_OK) return leat__fail(error, status, "scene: frame %lld could not be drawn", (long long)s->at);
    s->at++;
    return LEAT_OK;
}

static int skip(leat_source *base, int64_t count, int64_t *left_out, leat_error *error) {
    scene_state *s = base->state;
    int64_t left = s->frames < 0 ? INT64_MAX / 4 - s->at : s->frames - s->at;
    *left_out = count < left ? count : left;
    s->at += *left_out;
    return LEAT_OK;
}

static int rewind_scene(leat_source *base, leat_error *error) {
    scene_state *s = base->state;
    s->at = 0;
    return LEAT_OK;
}

static int truth(const leat_source *base, int64_t index, leat_truth *objects, int capacity, int *count) {
    const scene_state *s = base->state;
    return leat__scene_truth(s->scene, index, objects, capacity, count);
}

static void close_scene(leat_source *base) {
    scene_state *s = base->state;
    leat__scene_close(s->scene);
    leat__free(s);
}

static const leat_source_kind scene_kind = {"scene", 0, ready, read_frame, skip, rewind_scene, truth, close_scene};

int leat__scene_source_open(const char *spec, leat_source *base, leat_error *error) {
    leat__scene_info info;
    scene_state *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_IO);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "scene: out of memory");
    int status = leat__scene_open(spec, &s->scene, error);
    if (status != LEAT_OK) {
        leat__free(s);
        return status;
    }
    leat__scene_describe(s->scene, &info);
    s->frames = info.frames;
    base->kind = &scene_kind;
    base->state = s;
    base->next = (leat_source_next_frame){info.format, info.matrix, 0, info.width, info.height};
    base->fps = info.fps;
    base->frames = info.frames;
    return LEAT_OK;
}
