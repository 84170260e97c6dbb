/* preprocess.c - from a frame to a network's input: crop, resize, pad, convert colours, normalise, reorder, without an intermediate image.
 *
 * One pass for every format.  The output is cut into bands of rows, which threads take; within a band each row is made on its own: its
 * components (preprocess_bilinear.c, preprocess_weighted.c) stay in the first cache until they are output elements (preprocess_emit.c).
 * A row does not depend on the band it is in, so the number of threads changes nothing.
 */
#include "leat/media.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/tpool.h"
#include "cpu/cpu.h"
#include "media/preprocess_pass.h"

#define MAX_SIDE 65535

void leat_preprocess_default(leat_preprocess *options) {
    *options = (leat_preprocess){
        .size = sizeof *options, .width = 224, .height = 224, .fit = LEAT_FIT_CROP, .crop_ratio = 256.0f / 224.0f, .antialias = 1,
        .pad = {114, 114, 114}, .channels = 3, .dtype = LEAT_DTYPE_F32, .scale = 1.0f / 255.0f,
        .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
}

static int options_are_valid(const leat_preprocess *p) {
    if (!p || p->width < 1 || p->height < 1 || p->width > MAX_SIDE || p->height > MAX_SIDE) return 0;
    if (p->channels != 1 && p->channels != 3) return 0;
    if (p->dtype != LEAT_DTYPE_F32 && p->dtype != LEAT_DTYPE_F16 && p->dtype != LEAT_DTYPE_U8) return 0;
    if (p->fit == LEAT_FIT_CROP && !(p->crop_ratio >= 1.0f && p->crop_ratio <= 16.0f)) return 0;
    for (int c = 0; c < p->channels; c++)
        if (p->std[c] == 0.0f || !isfinite(p->std[c]) || !isfinite(p->mean[c])) return 0;
    if (p->antialias < LEAT_ANTIALIAS_NONE || p->antialias > LEAT_ANTIALIAS_AREA) return 0;
    return isfinite(p->scale);
}

/* ---- placement ---------------------------------------------------------------------------------------------------------- */

static int64_t at_least(double value, int64_t least) {
    int64_t v = (int64_t)value;
    return v > least ? v : least;
}

/* False when the rectangle leaves the source. */
static int take_rectangle(const leat_preprocess *p, int width, int height, leat_pre_place *at) {
    const int32_t *r = p->crop_rect;
    *at = (leat_pre_place){.crop_width = width, .crop_height = height};
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) return 0;
    if (r[2] == 0) return r[0] == 0 && r[1] == 0 && r[3] == 0;
    at->x = r[0], at->y = r[1], at->crop_width = r[2], at->crop_height = r[3];
    return at->x >= 0 && at->y >= 0 && r[2] > 0 && r[3] > 0 && at->x + r[2] <= width && at->y + r[3] <= height;
}

static int place(const leat_preprocess *p, int width, int height, leat_pre_place *at) {
    if (!take_rectangle(p, width, height, at)) return 0;
    double sx = (double)p->width / (double)at->crop_width, sy = (double)p->height / (double)at->crop_height;
    at->width = p->width, at->height = p->height;
    if (p->fit == LEAT_FIT_STRETCH) return 1;
    int    cut = p->fit == LEAT_FIT_CROP;
    double s = cut ? (sx > sy ? sx : sy) * p->crop_ratio : sx < sy ? sx : sy;
    at->width = at_least(rint((double)at->crop_width * s), cut ? p->width : 1);
    at->height = at_least(rint((double)at->crop_height * s), cut ? p->height : 1);
    if (p->fit == LEAT_FIT_LETTERBOX_TOP_LEFT) return 1;
    at->left = (p->width - at->width) / 2;
    at->top = (p->height - at->height) / 2;
    return 1;
}

int leat_preprocess_place(const leat_preprocess *options, int width, int height, leat_placement *out) {
    leat_pre_place at;
    if (!options_are_valid(options) || !place(options, width, height, &at)) return LEAT_EINVAL;
    double sx = (double)at.width / (double)at.crop_width, sy = (double)at.height / (double)at.crop_height;
    *out = (leat_placement){(float)sx, (float)sy, (float)((double)at.left - (double)at.x * sx), (float)((double)at.top - (double)at.y * sy),
                            (int32_t)at.width, (int32_t)at.height};
    return LEAT_OK;
}

/* ---- the pass ----------------------------------------------------------------------------------------------------------- */

static size_t row_floats(const leat_preprocess *p) { return ((size_t)p->width + 15) / 16 * 16; }

size_t leat_preprocess_scratch_bytes(const leat_preprocess *options) {
    if (!options_are_valid(options)) return 0;
    size_t width = row_floats(options), bilinear = leat__pre_bilinear_floats(width), weighted = leat__pre_weighted_floats(width);
    size_t rest = bilinear > weighted ? bilinear : weighted;
    return (9 * width + (rest + 15) / 16 * 16) * sizeof(float);
}

static void share_scratch(leat_pre_pass *pass, float *scratch) {
    size_t width = row_floats(pass->p);
    for (int c = 0; c < 3; c++) {
        pass->line[c] = scratch + (size_t)c * width;
        pass->made[c] = scratch + (size_t)(3 + c) * width;
    }
    pass->mixed = scratch + 6 * width;
    pass->rest = scratch + 9 * width;
}

/* Output columns that the source covers. */
static void cover_columns(leat_pre_pass *pass) {
    int64_t right = pass->at.left + pass->at.width;
    pass->from = pass->at.left > 0 ? (int)pass->at.left : 0;
    pass->to = right < pass->p->width ? (int)right : pass->p->width;
}

typedef struct bands {
    const leat_pre_pass *pass;
    char   *scratch;
    size_t  scratch_bytes;
    int64_t n;
} bands;

static void run_band(void *arg, int64_t index, int worker) {
    const bands  *b = arg;
    leat_pre_pass pass = *b->pass;
    int64_t       height = pass.p->height;
    int           begin = (int)(height * index / b->n), end = (int)(height * (index + 1) / b->n);
    share_scratch(&pass, (float *)(void *)(b->scratch + (size_t)worker * b->scratch_bytes));
    int shrinks = pass.at.width < pass.at.crop_width || pass.at.height < pass.at.crop_height;
    if (pass.is_planar || (shrinks && pass.p->antialias != LEAT_ANTIALIAS_NONE)) leat__pre_weighted(&pass, begin, end);
    else leat__pre_bilinear(&pass, begin, end);
}

int leat_preprocess_frame(const leat_preprocess *options, const leat_frame *frame, leat_tpool *pool, void *out, void *scratch) {
    leat_pre_pass pass = {.p = options, .frame = frame, .out = out};
    if (!options_are_valid(options) || !leat_frame_is_valid(frame) || !out || !scratch) return LEAT_EINVAL;
    if (!place(options, frame->width, frame->height, &pass.at)) return LEAT_EINVAL;
    leat__cpu_init();
    pass.is_yuv = frame->format >= LEAT_PIXEL_UYVY;
    pass.is_planar = frame->format >= LEAT_PIXEL_NV12;
    cover_columns(&pass);
    leat__pre_emit_init(&pass);
    int   threads = leat_tpool_threads(pool);
    bands b = {&pass, scratch, leat_preprocess_scratch_bytes(options), threads == 1 ? 1 : 4 * threads};
    if (b.n > options->height) b.n = options->height;
    if (threads == 1) run_band(&b, 0, 0);
    else leat__tpool_for(pool, b.n, run_band, &b);
    return LEAT_OK;
}

int leat_preprocess_run(const leat_preprocess *options, const leat_image *image, void *out, void *scratch) {
    leat_frame frame;
    int        status = leat_frame_from_image(image, &frame);
    return status == LEAT_OK ? leat_preprocess_frame(options, &frame, NULL, out, scratch) : status;
}
