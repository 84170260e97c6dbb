/* bench_media.c - the work around a model, on one core: preprocessing of every pixel format, half precision, drawing.
 *
 * usage: bench_media [FILTER]        one row per piece of work whose name contains FILTER
 *
 * Each row: the best and the median of the rounds, the median beside its target, and beside memcpy of the same bytes (what is read and
 * written) taken in turn with it: a ratio that does not depend on how busy the machine is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "cpu/vmath.h"
#include "leat/draw.h"

enum { ROUNDS = 60, WIDTH = 1920, HEIGHT = 1080, SIDE = 512, HALVES = 786432 };

typedef struct work {
    char   name[64];
    void (*run)(struct work *);
    double target_ms; /* 0 = none */
    size_t bytes;     /* read and written */
    leat_frame      frame;
    leat_preprocess options;
    void *in, *out, *scratch;
    leat_font *font;
} work;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(work *w, void *copy) {
    double ms[ROUNDS], ratio[ROUNDS];
    w->run(w);
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = leat__now_ns();
        w->run(w);
        int64_t middle = leat__now_ns();
        memcpy(copy, (char *)copy + w->bytes / 2, w->bytes / 2);
        int64_t end = leat__now_ns();
        ms[r] = (double)(middle - start) / 1e6;
        ratio[r] = (double)(middle - start) / (double)(end - middle);
    }
    qsort(ms, ROUNDS, sizeof *ms, ascending);
    qsort(ratio, ROUNDS, sizeof *ratio, ascending);
    printf("%-50s best %7.3f ms  median %7.3f ms", w->name, ms[0], ms[ROUNDS / 2]);
    if (w->target_ms > 0) printf("  target %5.2f %s", w->target_ms, ms[ROUNDS / 2] <= w->target_ms ? "met   " : "MISSED");
    else printf("                    ");
    printf("  %5.1f x memcpy\n", ratio[ROUNDS / 2]);
}

static void preprocess(work *w) { leat_preprocess_frame(&w->options, &w->frame, NULL, w->out, w->scratch); }
static void widen(work *w) { leat__vmath()->f16_to_f32(w->in, w->out, HALVES); }
static void narrow(work *w) { leat__vmath()->f32_to_f16(w->out, w->in, HALVES); }

static void draw(work *w) {
    for (int i = 0; i < 20; i++) {
        float x = 50 + 80 * (float)i, y = 100 + 10 * (float)i, box[4] = {x, y, x + 200, y + 250};
        leat_draw_box(&w->frame, box, 3, leat_draw_palette(i));
        leat_draw_label(&w->frame, w->font, (int)x, (int)y, "person 0.93 #123", leat_draw_palette(i));
    }
    leat_draw_panel(&w->frame, w->font, 1, "preprocess 0.47 ms\ninfer 6.10 ms\ntrack 0.02 ms\n142.0 frames/s");
}

static work preprocess_work(leat_pixel_format format, leat_antialias antialias, leat_dtype dtype) {
    work w = {.run = preprocess, .bytes = leat_frame_bytes(format, WIDTH, HEIGHT)};
    leat_preprocess *p = &w.options;
    leat_preprocess_default(p);
    p->width = p->height = SIDE, p->fit = LEAT_FIT_STRETCH, p->antialias = antialias, p->dtype = dtype;
    for (int c = 0; c < 3; c++) p->mean[c] = 0, p->std[c] = 1;
    snprintf(w.name, sizeof w.name, "preprocess %s 1080p to 512 %s %s", leat_pixel_format_name(format), leat_dtype_name(dtype),
             antialias == LEAT_ANTIALIAS_NONE ? "bilinear" : antialias == LEAT_ANTIALIAS_AREA ? "area" : "triangle");
    w.in = leat__calloc(1, w.bytes, LEAT_MEMORY_OTHER);
    for (size_t i = 0; i < w.bytes; i++) ((uint8_t *)w.in)[i] = (uint8_t)(i * 2654435761u >> 13);
    leat_frame_layout(&w.frame, format, WIDTH, HEIGHT, w.in);
    w.out = leat__calloc(3 * SIDE * SIDE, 4, LEAT_MEMORY_OTHER);
    w.scratch = leat__alloc(leat_preprocess_scratch_bytes(p), LEAT_MEMORY_OTHER);
    w.bytes += 3 * SIDE * SIDE * leat_dtype_size(dtype);
    w.target_ms = format == LEAT_PIXEL_UYVY && antialias == LEAT_ANTIALIAS_NONE && dtype == LEAT_DTYPE_F32 ? 1.5 : 0;
    return w;
}

static work half_work(const char *name, void (*run)(work *)) {
    work w = {.run = run, .target_ms = 0.2, .bytes = HALVES * 6};
    snprintf(w.name, sizeof w.name, "%s of 786432", name);
    w.in = leat__calloc(HALVES, 2, LEAT_MEMORY_OTHER);
    w.out = leat__calloc(HALVES, 4, LEAT_MEMORY_OTHER);
    for (int i = 0; i < HALVES; i++) ((float *)w.out)[i] = (float)(i % 1000) / 1000;
    narrow(&w);
    return w;
}

static work draw_work(leat_pixel_format format, leat_font *font) {
    work w = preprocess_work(format, LEAT_ANTIALIAS_NONE, LEAT_DTYPE_F32);
    snprintf(w.name, sizeof w.name, "draw 20 boxes and labels, a panel on %s 1080p", leat_pixel_format_name(format));
    w.run = draw, w.font = font, w.target_ms = 0;
    w.bytes = leat_frame_bytes(format, WIDTH, HEIGHT);
    return w;
}

static void measure_and_free(work w, const char *filter, void *copy) {
    if (!filter || strstr(w.name, filter)) measure(&w, copy);
    leat__free(w.in);
    leat__free(w.out);
    leat__free(w.scratch);
}

int main(int argc, char **argv) {
    const char *filter = argc > 1 ? argv[1] : NULL;
    void *copy = leat__calloc(1, (size_t)32 << 20, LEAT_MEMORY_OTHER);
    if (!copy) return 1;
    leat__cpu_init();
    for (int f = 0; f < LEAT_PIXEL_COUNT; f++)
        for (int a = 0; a < 3; a++) measure_and_free(preprocess_work((leat_pixel_format)f, (leat_antialias)a, LEAT_DTYPE_F32), filter, copy);
    measure_and_free(preprocess_work(LEAT_PIXEL_UYVY, LEAT_ANTIALIAS_NONE, LEAT_DTYPE_F16), filter, copy);
    measure_and_free(preprocess_work(LEAT_PIXEL_UYVY, LEAT_ANTIALIAS_NONE, LEAT_DTYPE_U8), filter, copy);
    measure_and_free(half_work("f16 to f32", widen), filter, copy);
    measure_and_free(half_work("f32 to f16", narrow), filter, copy);
    leat_font *font = NULL;
    leat_error error;
    if (leat_font_open(NULL, 24, &font, &error) != LEAT_OK) fprintf(stderr, "bench_media: drawing is left out: %s\n", error.message);
    for (int f = 0; font && f < LEAT_PIXEL_COUNT; f++) measure_and_free(draw_work((leat_pixel_format)f, font), filter, copy);
    leat_font_close(font);
    leat__free(copy);
    return 0;
}
