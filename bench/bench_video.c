/* bench_video.c - frames between formats, and in and out of files, on one core at 1920 x 1080.
 *
 * usage: bench_video [FILTER]        rows whose name contains FILTER
 *
 * Conversions stand beside libswscale doing the same (fast bilinear, the bench was built with it), taken in turn with it, and beside
 * memcpy of the bytes that are read and written.  Files: leat_source_next() and leat_sink_write() in frames a second, in turn with
 * read() and write() of the same bytes where that is the ceiling (Y4M).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "leat/video.h"

#if LEAT_HAVE_SWSCALE
#include <libswscale/swscale.h>
#endif

enum { ROUNDS = 25, WIDTH = 1920, HEIGHT = 1080, CLIP = 60 };

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

static double since_ms(int64_t start) { return (double)(leat__now_ns() - start) / 1e6; }

static leat_frame make_frame(leat_pixel_format format) {
    leat_frame f = {.matrix = LEAT_MATRIX_BT709};
    size_t bytes = leat_frame_bytes(format, WIDTH, HEIGHT);
    uint8_t *data = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!data) exit(1);
    for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)(i * 2654435761u >> 24);
    leat_frame_layout(&f, format, WIDTH, HEIGHT, data);
    return f;
}

/* ---- conversions ------------------------------------------------------------------------------------------------------------ */

#if LEAT_HAVE_SWSCALE
static struct SwsContext *open_scaler(leat_pixel_format from, leat_pixel_format to) {
    static const enum AVPixelFormat names[] = {AV_PIX_FMT_RGB24, AV_PIX_FMT_BGR24, AV_PIX_FMT_RGBA, AV_PIX_FMT_BGRA,
                                               AV_PIX_FMT_UYVY422, AV_PIX_FMT_YUYV422, AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P};
    return sws_getContext(WIDTH, HEIGHT, names[from], WIDTH, HEIGHT, names[to], SWS_FAST_BILINEAR, NULL, NULL, NULL);
}

static double peer_ms(void *context, const leat_frame *a, const leat_frame *b) {
    int in[4] = {(int)a->stride[0], (int)a->stride[1], (int)a->stride[2], 0}, out[4] = {(int)b->stride[0], (int)b->stride[1], (int)b->stride[2], 0};
    const uint8_t *from[4] = {a->plane[0], a->plane[1], a->plane[2], NULL};
    uint8_t *to[4] = {b->plane[0], b->plane[1], b->plane[2], NULL};
    int64_t start = leat__now_ns();
    sws_scale(context, from, in, 0, HEIGHT, to, out);
    return since_ms(start);
}
#else
static void *open_scaler(leat_pixel_format from, leat_pixel_format to) { return NULL; }
static double peer_ms(void *context, const leat_frame *a, const leat_frame *b) { return 0; }
#endif

static void convert(leat_pixel_format from, leat_pixel_format to, const char *filter) {
    char name[64];
    snprintf(name, sizeof name, "%s to %s", leat_pixel_format_name(from), leat_pixel_format_name(to));
    if (!strstr(name, filter)) return;
    leat_frame a = make_frame(from), b = make_frame(to);
    size_t bytes = leat_frame_bytes(from, WIDTH, HEIGHT) + leat_frame_bytes(to, WIDTH, HEIGHT);
    uint8_t *space = malloc(bytes);
    void *scaler = open_scaler(from, to);
    double ours[ROUNDS], peer[ROUNDS], copy[ROUNDS];
    memset(space, 1, bytes);
    leat_frame_convert(&a, &b);
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = leat__now_ns();
        leat_frame_convert(&a, &b);
        ours[r] = since_ms(start);
        peer[r] = (scaler ? peer_ms(scaler, &a, &b) : 0) / ours[r];
        start = leat__now_ns();
        memcpy(space, space + bytes / 2, bytes / 2);
        copy[r] = ours[r] / since_ms(start);
    }
    printf("%-24s %7.3f ms  %5.1f x memcpy", name, median(ours, ROUNDS), median(copy, ROUNDS));
    if (scaler) printf("  libswscale takes %5.2f x as long", median(peer, ROUNDS));
    printf("\n");
    free(a.plane[0]);
    free(b.plane[0]);
    free(space);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static void fail(const leat_error *error) {
    printf("%s\n", error->message);
    exit(1);
}

/* Frames a second of writing CLIP frames of a scene that were drawn before. */
static double write_rate(const char *path, const leat_frame *frames) {
    leat_sink *sink;
    leat_error error = {0};
    if (leat_sink_open(path, NULL, &sink, &error) != LEAT_OK) fail(&error);
    int64_t start = leat__now_ns();
    for (int i = 0; i < CLIP; i++)
        if (leat_sink_write(sink, &frames[i % 8], &error) != LEAT_OK) fail(&error);
    if (leat_sink_close(sink, &error) != LEAT_OK) fail(&error);
    return CLIP * 1e3 / since_ms(start);
}

static double read_rate(const char *path, void *buffer, size_t bytes) {
    leat_source *source;
    leat_error error = {0};
    leat_frame frame;
    int n = 0;
    leat_source_options options;
    leat_source_options_default(&options);
    options.threads = 1;
    if (leat_source_open(path, &options, &source, &error) != LEAT_OK) fail(&error);
    int64_t start = leat__now_ns();
    while (leat_source_next(source, buffer, bytes, &frame, &error) == LEAT_OK) n++;
    leat_source_close(source);
    return n * 1e3 / since_ms(start);
}

static double plain_read_rate(const char *path, void *buffer, size_t bytes) {
    FILE *file = fopen(path, "rb");
    int64_t start = leat__now_ns();
    int n = 0;
    if (!file) exit(1);
    while (read(fileno(file), buffer, bytes) > 0) n++;
    fclose(file);
    return n * 1e3 / since_ms(start);
}

static void files(const char *filter) {
    static const char *const names[] = {"clip.y4m", "clip.mp4", "f%03d.jpg"};
    char folder[] = "/tmp/leat_bench.XXXXXX", path[256];
    leat_frame frames[8];
    leat_source *scene;
    leat_error error = {0};
    if (!strstr("files", filter) || !mkdtemp(folder)) return;
    if (leat_source_open("scene:size=1920x1080,format=nv12", NULL, &scene, &error) != LEAT_OK) fail(&error);
    for (int i = 0; i < 8; i++) {
        leat_frame shape = make_frame(LEAT_PIXEL_NV12);
        if (leat_source_next(scene, shape.plane[0], leat_frame_bytes(LEAT_PIXEL_NV12, WIDTH, HEIGHT), &frames[i], &error) != LEAT_OK) fail(&error);
    }
    leat_source_close(scene);
    leat_frame buffer = make_frame(LEAT_PIXEL_RGB24);
    size_t bytes = leat_frame_bytes(LEAT_PIXEL_RGB24, WIDTH, HEIGHT);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        double written = write_rate(path, frames);
        double given = read_rate(i == 2 ? folder : path, buffer.plane[0], bytes);
        printf("%-24s writes %6.1f frames/s, reads %6.1f frames/s", names[i], written, given);
        if (i == 0) printf("  read() alone %6.1f frames/s", plain_read_rate(path, buffer.plane[0], leat_frame_bytes(LEAT_PIXEL_I420, WIDTH, HEIGHT) + 6));
        printf("\n");
    }
    snprintf(path, sizeof path, "rm -rf %s", folder);
    if (system(path) != 0) exit(1);
    for (int i = 0; i < 8; i++) free(frames[i].plane[0]);
    free(buffer.plane[0]);
}

int main(int argc, char **argv) {
    const char *filter = argc > 1 ? argv[1] : "";
    static const leat_pixel_format pairs[][2] = {
        {LEAT_PIXEL_RGB24, LEAT_PIXEL_I420}, {LEAT_PIXEL_BGR24, LEAT_PIXEL_I420}, {LEAT_PIXEL_RGBA, LEAT_PIXEL_I420}, {LEAT_PIXEL_RGB24, LEAT_PIXEL_NV12},
        {LEAT_PIXEL_I420, LEAT_PIXEL_RGB24}, {LEAT_PIXEL_NV12, LEAT_PIXEL_RGB24}, {LEAT_PIXEL_UYVY, LEAT_PIXEL_RGB24}, {LEAT_PIXEL_I420, LEAT_PIXEL_BGRA},
        {LEAT_PIXEL_UYVY, LEAT_PIXEL_I420}, {LEAT_PIXEL_YUY2, LEAT_PIXEL_I420}, {LEAT_PIXEL_NV12, LEAT_PIXEL_I420}, {LEAT_PIXEL_BGRA, LEAT_PIXEL_RGB24}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) convert(pairs[i][0], pairs[i][1], filter);
    files(filter);
    return 0;
}
