/* frame.c - the geometry of frames: names, sizes, layout, validity. */
#include "media/frame.h"

#include <string.h>

#include "base/str.h"

static const leat_pixel_traits traits[LEAT_PIXEL_COUNT] = {
#define PIXEL_TRAITS(name, number, text, planes, bytes, pixels, halved) {text, planes, bytes, pixels, halved},
    LEAT_PIXEL_LIST(PIXEL_TRAITS)
#undef PIXEL_TRAITS
};

static int format_ok(leat_pixel_format format) { return (unsigned)format < LEAT_PIXEL_COUNT; }

const leat_pixel_traits *leat__pixel_traits(leat_pixel_format format) { return format_ok(format) ? &traits[format] : NULL; }

const char *leat_pixel_format_name(leat_pixel_format format) { return format_ok(format) ? traits[format].name : NULL; }

int leat_pixel_format_parse(const char *name, leat_pixel_format *format) {
    for (int i = 0; i < LEAT_PIXEL_COUNT; i++)
        if (leat__streq(name, traits[i].name)) {
            *format = (leat_pixel_format)i;
            return LEAT_OK;
        }
    return LEAT_EINVAL;
}

int64_t leat__plane_row_bytes(leat_pixel_format format, int plane, int width) {
    const leat_pixel_traits *t = &traits[format];
    if (plane == 0) return ((int64_t)width + t->pixels - 1) / t->pixels * t->bytes;
    return ((int64_t)width + 1) / 2 * (t->planes == 2 ? 2 : 1);
}

int leat__plane_rows(leat_pixel_format format, int plane, int height) { return plane && traits[format].halved ? (height + 1) / 2 : height; }

static int size_ok(int width, int height) {
    return width >= 1 && height >= 1 && width <= LEAT_FRAME_MAX_SIDE && height <= LEAT_FRAME_MAX_SIDE;
}

size_t leat_frame_bytes(leat_pixel_format format, int width, int height) {
    size_t bytes = 0; /* at most 65535 * 65535 * 4 */
    if (!format_ok(format) || !size_ok(width, height)) return 0;
    for (int p = 0; p < traits[format].planes; p++)
        bytes += (size_t)leat__plane_row_bytes(format, p, width) * (size_t)leat__plane_rows(format, p, height);
    return bytes;
}

int leat_frame_layout(leat_frame *frame, leat_pixel_format format, int width, int height, void *buffer) {
    if (!buffer || leat_frame_bytes(format, width, height) == 0) return LEAT_EINVAL;
    uint8_t *at = buffer;
    frame->format = format;
    frame->width = width;
    frame->height = height;
    for (int p = 0; p < 3; p++) {
        int used = p < traits[format].planes;
        frame->plane[p] = used ? at : NULL;
        frame->stride[p] = used ? leat__plane_row_bytes(format, p, width) : 0;
        if (used) at += frame->stride[p] * leat__plane_rows(format, p, height);
    }
    return LEAT_OK;
}

int leat_frame_is_valid(const leat_frame *frame) {
    if (!frame || leat_frame_bytes(frame->format, frame->width, frame->height) == 0) return 0;
    for (int p = 0; p < traits[frame->format].planes; p++)
        if (!frame->plane[p] || frame->stride[p] < leat__plane_row_bytes(frame->format, p, frame->width)) return 0;
    return 1;
}

int leat_frame_from_image(const leat_image *image, leat_frame *frame) {
    memset(frame, 0, sizeof *frame);
    *frame = (leat_frame){.format = LEAT_PIXEL_RGB24, .width = image->width, .height = image->height, .plane = {image->data}, .stride = {image->stride}};
    return leat_frame_is_valid(frame) ? LEAT_OK : LEAT_EINVAL;
}
