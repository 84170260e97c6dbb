/* fuzz_frame.c - frames of any format, size and gaps through the fused preprocessing and under every drawing call, from any bytes.
 *
 * Valid options must work, others be refused; nothing is read or written outside the planes, which are blocks of their own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "leat/draw.h"

#define MOST_SIDE 80
#define MOST_TEXT 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct reader {
    const uint8_t *data;
    size_t         left;
} reader;

static int byte(reader *r) {
    if (!r->left) return 0;
    r->left--;
    return *r->data++;
}

static int number(reader *r) { /* mostly near the frame, sometimes anything */
    int v = byte(r);
    if (v < 250) return v - 60;
    v = 0;
    for (int i = 0; i < 4; i++) v = (int)((unsigned)v << 8 | (unsigned)byte(r));
    return v;
}

static float real(reader *r) {
    int32_t v = number(r);
    float   f = (float)v / 4;
    if (byte(r) == 255) memcpy(&f, &v, sizeof f);
    return f;
}

static size_t row_bytes(leat_pixel_format f, int plane, int width) {
    size_t w = (size_t)width, half = (w + 1) / 2;
    if (f == LEAT_PIXEL_RGB24 || f == LEAT_PIXEL_BGR24) return 3 * w;
    if (f == LEAT_PIXEL_RGBA || f == LEAT_PIXEL_BGRA) return 4 * w;
    if (f == LEAT_PIXEL_UYVY || f == LEAT_PIXEL_YUY2) return 4 * half;
    return plane == 0 ? w : f == LEAT_PIXEL_NV12 ? 2 * half : half;
}

static int open_frame(reader *r, leat_frame *f) {
    *f = (leat_frame){.format = (leat_pixel_format)(byte(r) % LEAT_PIXEL_COUNT), .matrix = (leat_color_matrix)(byte(r) & 1), .full_range = byte(r) & 1,
                      .width = 1 + byte(r) % MOST_SIDE, .height = 1 + byte(r) % MOST_SIDE};
    int gap = byte(r) % 9, planes = f->format == LEAT_PIXEL_NV12 ? 2 : f->format == LEAT_PIXEL_I420 ? 3 : 1;
    for (int i = 0; i < planes; i++) {
        size_t row = row_bytes(f->format, i, f->width), rows = (size_t)(i ? (f->height + 1) / 2 : f->height), bytes = (row + (size_t)gap) * (rows - 1) + row;
        f->stride[i] = (int64_t)row + gap;
        f->plane[i] = malloc(bytes); /* malloc: the sanitiser sees its very end */
        if (!f->plane[i]) return 0;
        memset(f->plane[i], byte(r), bytes);
    }
    return 1;
}

static void preprocess(reader *r, const leat_frame *f) {
    leat_preprocess p;
    leat_placement  at;
    leat_preprocess_default(&p);
    int way = byte(r);
    p.fit = (leat_fit)(way & 3), p.antialias = (leat_antialias)((way >> 2 & 3) % 3), p.nhwc = way >> 4 & 1, p.bgr = way >> 5 & 1;
    p.channels = way >> 6 & 1 ? 1 : 3;
    p.width = 1 + byte(r) % MOST_SIDE, p.height = 1 + byte(r) % MOST_SIDE;
    p.dtype = way >> 7 ? LEAT_DTYPE_F16 : byte(r) & 1 ? LEAT_DTYPE_U8 : LEAT_DTYPE_F32;
    if (byte(r) & 1)
        for (int i = 0; i < 4; i++) p.crop_rect[i] = number(r);
    void *out = malloc(leat_dtype_size(p.dtype) * (size_t)(p.channels * p.width * p.height)), *scratch = leat__alloc(leat_preprocess_scratch_bytes(&p), LEAT_MEMORY_IO);
    int   status = leat_preprocess_place(&p, f->width, f->height, &at);
    if (!out || !scratch || leat_preprocess_frame(&p, f, NULL, out, scratch) != status) abort();
    free(out);
    leat__free(scratch);
}

static void draw(reader *r, leat_frame *f, const leat_font *font) {
    char      text[MOST_TEXT + 1] = {0};
    float     box[4];
    leat_rgba color = (leat_rgba)byte(r) << 24 | (leat_rgba)byte(r) << 12 | (leat_rgba)byte(r);
    int       what = byte(r) % 8, x = number(r), y = number(r), n = byte(r) % MOST_TEXT;
    for (int i = 0; i < 4; i++) box[i] = real(r);
    for (int i = 0; i < n; i++) text[i] = (char)byte(r);
    if (what == 0) leat_draw_fill(f, x, y, number(r), number(r), color);
    else if (what == 1) leat_draw_box(f, box, number(r), color);
    else if (what == 2) leat_draw_brackets(f, box, color);
    else if (what == 3) leat_draw_line(f, box[0], box[1], box[2], box[3], real(r), color);
    else if (what == 4) leat_draw_bar(f, x, y, number(r), number(r), number(r), number(r), real(r));
    else if (what == 5) leat_draw_text(f, font, x, y, text, color);
    else if (what == 6) leat_draw_label(f, font, x, y, text, color);
    else leat_draw_panel(f, font, x, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static leat_font *font; /* kept: opening it takes milliseconds */
    reader     r = {data, size};
    leat_frame f;
    if (!font) leat_font_open(NULL, 11, &font, NULL);
    if (open_frame(&r, &f)) {
        preprocess(&r, &f);
        for (int i = 0; i < 8 && r.left; i++) draw(&r, &f, font);
    }
    for (int i = 0; i < 3; i++) free(f.plane[i]);
    return 0;
}
