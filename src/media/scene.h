/* scene.h - the synthetic scene: a table top over which coins and beads move, drawn with its exact ground truth.
 *
 * A frame depends on the spec and its number only: every choice is a Philox value of (seed, stream, counter), nothing is carried
 * from one frame to the next, so frames may be drawn in any order.  Pixels are the same for one build of the library; another
 * compiler or libm may round one otherwise.
 *
 * The spec is KEY=VALUE pairs with commas between; all have defaults:
 *     seed=1  size=1280x720  fps=30  frames=300 (0 = endless)  objects=12 (0..200)  format=rgb24 (any of leat_pixel_format)
 *     matrix=709|601    background=any|wood|cloth|gradient|paper|stone|tiles
 *     coins=0.5         share of coins among the objects
 *     scale=1           size of the objects
 *     blur noise shake shadow light clutter = 1     strength of each effect, 0 = none, up to 4
 */
#ifndef LEAT_MEDIA_SCENE_H
#define LEAT_MEDIA_SCENE_H

#include "leat/video.h"

typedef struct leat__scene leat__scene;

typedef struct leat__scene_info {
    leat_pixel_format format;
    leat_color_matrix matrix; /* limited range */
    int32_t width, height;
    int32_t objects;          /* at most in one frame's truth */
    double  fps;
    int64_t frames;           /* -1 = endless */
} leat__scene_info;

/* Opens the scene that `spec` describes (the text above; a "scene:" in front is allowed).  All memory is taken here.
 * LEAT_EINVAL names the key and what it may be, LEAT_ENOMEM.  *scene: leat__scene_close(), NULL allowed there. */
int leat__scene_open(const char *spec, leat__scene **scene, leat_error *error);
void leat__scene_close(leat__scene *scene);
void leat__scene_describe(const leat__scene *scene, leat__scene_info *info);

/* Draws frame `index` into the planes of *frame, which the caller has laid out in the scene's format and size; sets its index,
 * pts_ns, matrix and range, not capture_ns.  LEAT_EINVAL when the layout is another or index < 0.  One thread at a time; allocates
 * nothing. */
int leat__scene_render(leat__scene *scene, int64_t index, leat_frame *frame);

/* Ground truth of frame `index`, one of the last LEAT_SCENE_KEPT that were drawn: objects [capacity] and their number, which may
 * be above capacity.  Listed is what has a visible pixel.  LEAT_EINVAL for other frames.  Any thread, RT-safe. */
#define LEAT_SCENE_KEPT 128
int leat__scene_truth(const leat__scene *scene, int64_t index, leat_truth *objects, int capacity, int *count);

#endif
