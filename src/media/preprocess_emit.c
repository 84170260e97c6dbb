/* preprocess_emit.c - from a row of components to output elements: colour matrix, normalisation, padding, order, type.
 *
 * float32 planes are written straight into the tensor; other layouts and types go through one row that stays in the cache.
 */
#include "media/preprocess_pass.h"

#include <string.h>

/* Red, green or blue (0, 1, 2), whichever output channel c holds. */
static int component_of(const leat_preprocess *p, int c) { return p->channels == 1 ? 0 : p->bgr ? 2 - c : c; }

static float luma(float r, float g, float b) { return 0.299f * r + 0.587f * g + 0.114f * b; }

/* BT.601 or BT.709 from the weights of red and blue; limited range has luma 16..235 and chroma 16..240. */
static leat_color color_of(const leat_frame *frame) {
    double kr = frame->matrix == LEAT_MATRIX_BT601 ? 0.299 : 0.2126, kb = frame->matrix == LEAT_MATRIX_BT601 ? 0.114 : 0.0722;
    double kg = 1 - kr - kb, y = frame->full_range ? 1 : 255.0 / 219, c = frame->full_range ? 1 : 255.0 / 224;
    double black = frame->full_range ? 0 : 16, rv = 2 * (1 - kr) * c, bu = 2 * (1 - kb) * c;
    double gu = -2 * (1 - kb) * kb / kg * c, gv = -2 * (1 - kr) * kr / kg * c;
    return (leat_color){
        .y = (float)y, .rv = (float)rv, .gu = (float)gu, .gv = (float)gv, .bu = (float)bu,
        .offset = {(float)(-y * black - 128 * rv), (float)(-y * black - 128 * (gu + gv)), (float)(-y * black - 128 * bu)},
        .mul = {1, 1, 1}};
}

void leat__pre_emit_init(leat_pre_pass *pass) {
    const leat_preprocess *p = pass->p;
    for (int c = 0; c < p->channels; c++) {
        pass->mul[c] = p->scale / p->std[c];
        pass->add[c] = -p->mean[c] / p->std[c];
    }
    if (!pass->is_yuv) return;
    pass->color = color_of(pass->frame);
    for (int c = 0; c < p->channels && p->channels == 3; c++) {
        pass->color.mul[component_of(p, c)] = pass->mul[c];
        pass->color.add[component_of(p, c)] = pass->add[c];
    }
}

/* Grey: colours first, then their weighted sum. */
static void make_grey(leat_pre_pass *pass, float *out, int n) {
    float *const *line = pass->line;
    if (pass->is_yuv) leat__preproc.color(&pass->color, line, line, n);
    for (int x = 0; x < n; x++) line[0][x] = luma(line[0][x], line[1][x], line[2][x]);
    leat__preproc.affine(line[0], pass->mul[0], pass->add[0], out, n);
}

/* out[k]: where component k of the covered columns goes. */
static void make_colors(leat_pre_pass *pass, float *const out[3], int n) {
    if (pass->is_yuv) {
        leat__preproc.color(&pass->color, pass->line, out, n);
        return;
    }
    for (int c = 0; c < 3; c++) {
        int k = component_of(pass->p, c);
        leat__preproc.affine(pass->line[k], pass->mul[c], pass->add[c], out[k], n);
    }
}

static void fill_padding(const leat_pre_pass *pass, int c, float *to, int n) {
    const uint8_t *pad = pass->p->pad;
    float v = pass->p->channels == 1 ? luma(pad[0], pad[1], pad[2]) : pad[component_of(pass->p, c)];
    for (int x = 0; x < n; x++) to[x] = v * pass->mul[c] + pass->add[c];
}

static void store(const leat_pre_pass *pass, const float *from, size_t at, int n) {
    if (pass->p->dtype == LEAT_DTYPE_F16) leat__preproc.to_f16(from, (uint16_t *)pass->out + at, n);
    else if (pass->p->dtype == LEAT_DTYPE_U8) leat__preproc.to_u8(from, (uint8_t *)pass->out + at, n);
    else memcpy((float *)pass->out + at, from, (size_t)n * sizeof(float));
}

void leat__pre_emit(leat_pre_pass *pass, int64_t y, int begin, int end, int from, int to) {
    const leat_preprocess *p = pass->p;
    size_t plane = (size_t)p->width * (size_t)p->height, at = (size_t)y * (size_t)p->width + (size_t)begin;
    int    mixed = p->nhwc && p->channels == 3, direct = p->dtype == LEAT_DTYPE_F32 && !mixed;
    float *row[3] = {NULL, NULL, NULL}, *covered[3];
    for (int c = 0; c < p->channels; c++) {
        int k = component_of(p, c);
        row[k] = direct ? (float *)pass->out + (size_t)c * plane + at : pass->made[k];
        covered[k] = row[k] + (from - begin);
        fill_padding(pass, c, row[k], from - begin);
        fill_padding(pass, c, row[k] + (to - begin), end - to);
    }
    if (p->channels == 1) make_grey(pass, covered[0], to - from);
    else make_colors(pass, covered, to - from);
    if (direct) return;
    if (mixed) {
        leat__preproc.interleave(row[component_of(p, 0)], row[1], row[component_of(p, 2)], pass->mixed, end - begin);
        store(pass, pass->mixed, at * 3, (end - begin) * 3);
        return;
    }
    for (int c = 0; c < p->channels; c++) store(pass, row[component_of(p, c)], (size_t)c * plane + at, end - begin);
}
