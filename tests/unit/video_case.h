/* video_case.h - what tests of sources and sinks share: a scratch folder, numbered frames, and reading a source to its end. */
#ifndef LEAT_TESTS_VIDEO_CASE_H
#define LEAT_TESTS_VIDEO_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leat/video.h"

static char vc_folder[64];

static inline int vc_setup(void **state) {
    strcpy(vc_folder, "/tmp/leat_video.XXXXXX");
    return mkdtemp(vc_folder) ? 0 : -1;
}

static inline int vc_teardown(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", vc_folder);
    return system(command) == 0 ? 0 : -1;
}

/* A path in the scratch folder; one of eight buffers in turn. */
static inline const char *vc_path(const char *name) {
    static char paths[8][256];
    static int  at;
    at = (at + 1) % 8;
    snprintf(paths[at], sizeof paths[at], "%s/%s", vc_folder, name);
    return paths[at];
}

static inline int vc_exists(const char *path) { return access(path, F_OK) == 0; }

/* Files whose names begin with `prefix` in the scratch folder: finds temporary ones that were left. */
static inline int vc_count_files(const char *prefix) {
    int n = 0;
    DIR *dir = opendir(vc_folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

static inline void vc_write(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
}

/* Cuts a file to `bytes`, or by -bytes. */
static inline void vc_cut(const char *path, long bytes) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, bytes >= 0 ? bytes : st.st_size + bytes), 0);
}

/* A frame that shows `number`: grey of that brightness with a darker left half. */
static inline leat_frame vc_frame(leat_pixel_format format, int width, int height, int number) {
    leat_frame f = {.matrix = LEAT_MATRIX_BT601, .index = number, .pts_ns = number * 40000000ll};
    size_t bytes = leat_frame_bytes(format, width, height);
    void *data = malloc(bytes);
    assert_non_null(data);
    memset(data, 128, bytes);
    leat_frame_layout(&f, format, width, height, data);
    leat_frame gray = {.full_range = 1};
    uint8_t *pixels = malloc(leat_frame_bytes(LEAT_PIXEL_I420, width, height));
    leat_frame_layout(&gray, LEAT_PIXEL_I420, width, height, pixels);
    memset(pixels, 128, leat_frame_bytes(LEAT_PIXEL_I420, width, height));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) pixels[y * width + x] = (uint8_t)(x < width / 2 ? 20 : 60 + number % 180);
    gray.index = f.index, gray.pts_ns = f.pts_ns, f.full_range = 1;
    assert_int_equal(leat_frame_convert(&gray, &f), LEAT_OK);
    free(pixels);
    return f;
}

/* The number that a frame shows, by its right half's mean. */
static inline int vc_number(const leat_frame *f) {
    leat_frame gray = {.full_range = 1};
    uint8_t *pixels = malloc(leat_frame_bytes(LEAT_PIXEL_I420, f->width, f->height));
    leat_frame_layout(&gray, LEAT_PIXEL_I420, f->width, f->height, pixels);
    assert_int_equal(leat_frame_convert(f, &gray), LEAT_OK);
    int64_t sum = 0, n = 0;
    for (int y = 0; y < f->height; y++)
        for (int x = f->width / 2; x < f->width; x++) sum += pixels[y * f->width + x], n++;
    free(pixels);
    return (int)((sum + n / 2) / n) - 60;
}

/* Writes `count` numbered frames to `spec`. */
static inline void vc_make(const char *spec, leat_pixel_format format, int width, int height, int count) {
    leat_sink *sink;
    leat_error error = {0};
    leat_sink_options o;
    leat_sink_options_default(&o);
    o.fps = 25;
    o.quality = 100;
    if (leat_sink_open(spec, &o, &sink, &error) != LEAT_OK) fail_msg("%s", error.message);
    for (int i = 0; i < count; i++) {
        leat_frame f = vc_frame(format, width, height, i);
        if (leat_sink_write(sink, &f, &error) != LEAT_OK) fail_msg("%s", error.message);
        free(f.plane[0]);
    }
    if (leat_sink_close(sink, &error) != LEAT_OK) fail_msg("%s", error.message);
}

typedef struct vc_result {
    int              opened, ended; /* statuses */
    int              n;             /* frames */
    leat_frame       frame[64];     /* without pixels */
    int              number[64];
    leat_source_info info;          /* at the end */
    leat_source_info first;         /* after opening */
    leat_error       error;
} vc_result;

/* Reads a source to its end, the buffer growing when asked to. */
static inline vc_result vc_read(const char *spec, const leat_source_options *options) {
    vc_result r = {0};
    leat_source *source;
    r.opened = leat_source_open(spec, options, &source, &r.error);
    if (r.opened != LEAT_OK) return r;
    leat_source_describe(source, &r.first);
    size_t bytes = r.first.frame_bytes;
    uint8_t *buffer = malloc(bytes);
    leat_frame frame;
    for (;;) {
        r.ended = leat_source_next(source, buffer, bytes, &frame, &r.error);
        leat_source_describe(source, &r.info);
        if (r.ended == LEAT_ELIMIT && r.info.frame_bytes > bytes) {
            bytes = r.info.frame_bytes;
            buffer = realloc(buffer, bytes);
            continue;
        }
        if (r.ended != LEAT_OK) break;
        if (r.n < 64) {
            r.frame[r.n] = frame;
            r.number[r.n] = vc_number(&frame);
        }
        r.n++;
    }
    assert_int_equal(leat_source_next(source, buffer, bytes, &frame, NULL), r.ended); /* it stays so */
    free(buffer);
    leat_source_close(source);
    return r;
}

#define assert_near(a, b, slack) assert_true(abs((int)((a) - (b))) <= (slack))

#endif
