/* test_sources.c - sources and sinks that need no plugin: pictures, Y4M, raw frames; stride, loop, pacing, cancelling; hard inputs. */
#include "video_case.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

static leat_source_options defaults(void) {
    leat_source_options o;
    leat_source_options_default(&o);
    return o;
}

/* ---- pictures --------------------------------------------------------------------------------------------------------------- */

static void make_pictures(const char *folder) {
    static const int numbers[] = {1, 2, 3, 9, 10, 11, 100};
    char path[256];
    mkdir(vc_path(folder), 0777);
    for (int i = 0; i < 7; i++) {
        leat_frame f = vc_frame(LEAT_PIXEL_RGB24, 16 + 2 * (i % 3), 12, numbers[i]);
        leat_image image = {f.plane[0], f.width, f.height, f.stride[0]};
        snprintf(path, sizeof path, "%s/%s/f%d.%s", vc_folder, folder, numbers[i], i % 2 ? "png" : "jpg");
        assert_int_equal(i % 2 ? leat_image_save_png(path, &image, NULL) : leat_image_save_jpeg(path, &image, 100, NULL), LEAT_OK);
        free(f.plane[0]);
    }
}

static void test_pictures(void **state) {
    static const int want[] = {1, 2, 3, 9, 10, 11, 100};
    make_pictures("pics");
    vc_write(vc_path("pics/notes.txt"), "x", 1);
    for (int way = 0; way < 2; way++) {
        vc_result r = vc_read(vc_path(way ? "pics/f*" : "pics"), NULL);
        assert_int_equal(r.opened, LEAT_OK);
        assert_string_equal(r.info.kind, "pictures");
        assert_int_equal(r.ended, LEAT_EEND);
        assert_int_equal(r.n, 7);
        assert_int_equal(r.first.frames, 7);
        for (int i = 0; i < 7; i++) {
            assert_near(r.number[i], want[i], 2);
            assert_int_equal(r.frame[i].index, i);
            assert_int_equal(r.frame[i].width, 16 + 2 * (i % 3)); /* sizes may change */
            assert_near(r.frame[i].pts_ns, (int64_t)(i * 1e9 / 30), 10);
            assert_true(r.frame[i].capture_ns > 0);
        }
    }
    vc_result one = vc_read(vc_path("pics/f9.png"), NULL);
    assert_int_equal(one.n, 1);
    assert_near(one.number[0], 9, 1);
}

static void test_picture_list(void **state) {
    make_pictures("list");
    const char *paths[] = {vc_path("list/f10.jpg"), vc_path("list/f2.png")};
    leat_source *source;
    leat_frame f;
    uint8_t buffer[4096];
    assert_int_equal(leat_source_open_list(paths, 2, NULL, &source, NULL), LEAT_OK);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
    assert_near(vc_number(&f), 10, 2);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
    assert_near(vc_number(&f), 2, 1);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_EEND);
    leat_source_close(source);
    assert_int_equal(leat_source_open_list(paths, 0, NULL, &source, NULL), LEAT_EINVAL);
    assert_null(source);
}

static void test_damaged_pictures(void **state) {
    make_pictures("bad");
    vc_cut(vc_path("bad/f2.png"), 60);
    vc_write(vc_path("bad/f9.png"), "not a picture", 13);
    vc_result r = vc_read(vc_path("bad"), NULL);
    assert_int_equal(r.ended, LEAT_EEND);
    assert_int_equal(r.n, 5);
    assert_int_equal(r.info.damaged, 2);
    assert_non_null(strstr(r.info.damage, "f9.png"));
    assert_int_equal(r.frame[1].index, 2); /* the file keeps its number */
    vc_result alone = vc_read(vc_path("bad/f2.png"), NULL);
    assert_int_equal(alone.opened, LEAT_EFORMAT);
    assert_non_null(strstr(alone.error.message, "f2.png"));
    leat_source_options o = defaults();
    o.stride = 2;
    vc_result strided = vc_read(vc_path("bad"), &o);
    for (int i = 0; i < strided.n; i++) assert_int_equal(strided.frame[i].index % 2, 0);
    assert_int_equal(strided.ended, LEAT_EEND);
}

static void test_missing(void **state) {
    mkdir(vc_path("empty"), 0777);
    vc_result r = vc_read(vc_path("empty"), NULL);
    assert_int_equal(r.opened, LEAT_EIO);
    r = vc_read(vc_path("none*.jpg"), NULL);
    assert_int_equal(r.opened, LEAT_EIO);
    assert_non_null(strstr(r.error.message, "none*.jpg"));
    r = vc_read(vc_path("none.y4m"), NULL);
    assert_int_equal(r.opened, LEAT_EIO);
    vc_write(vc_path("nothing"), "", 0);
    r = vc_read(vc_path("nothing"), NULL);
    assert_int_equal(r.opened, LEAT_EFORMAT);
    r = vc_read("", NULL);
    assert_int_equal(r.opened, LEAT_EINVAL);
}

/* ---- Y4M -------------------------------------------------------------------------------------------------------------------- */

static void test_y4m_round_trip(void **state) {
    static const int sizes[][2] = {{16, 16}, {1, 1}, {17, 5}, {16384, 3}};
    for (int s = 0; s < 4; s++) {
        const char *path = vc_path("trip.y4m");
        vc_make(path, s == 1 ? LEAT_PIXEL_I420 : LEAT_PIXEL_NV12, sizes[s][0], sizes[s][1], 5);
        vc_result r = vc_read(path, NULL);
        assert_int_equal(r.ended, LEAT_EEND);
        assert_int_equal(r.n, 5);
        assert_int_equal(r.first.frames, 5);
        assert_true(r.first.fps == 25);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(r.number[i], i);
            assert_int_equal(r.frame[i].pts_ns, i * 40000000ll);
            assert_int_equal(r.frame[i].full_range, 1);
            assert_int_equal(r.frame[i].matrix, LEAT_MATRIX_BT601);
            assert_true(r.frame[i].width == sizes[s][0] && r.frame[i].height == sizes[s][1]);
        }
    }
    assert_int_equal(vc_count_files("trip.y4m"), 1);
}

static vc_result read_text(const char *header, size_t payload) {
    size_t n = strlen(header);
    uint8_t *data = malloc(n + payload);
    memcpy(data, header, n);
    for (size_t i = 0; i < payload; i++) data[n + i] = (uint8_t)(i * 7 + 30);
    vc_write(vc_path("text.y4m"), data, n + payload);
    free(data);
    return vc_read(vc_path("text.y4m"), NULL);
}

static void test_y4m_chroma(void **state) {
    vc_result r = read_text("YUV4MPEG2 W4 H3 F30000:1001 Ip A1:1 C422 Xnote\nFRAME\n", 12 + 2 * 6);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.first.format, LEAT_PIXEL_UYVY);
    assert_true(r.first.fps > 29.96 && r.first.fps < 29.98);
    r = read_text("YUV4MPEG2 W5 H3 C444\nFRAME Ip\n", 45);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.first.format, LEAT_PIXEL_I420);
    assert_true(r.first.fps == 30);
    r = read_text("YUV4MPEG2 W5 H3 Cmono F0:0\nFRAME\n", 15);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.first.full_range, 1); /* unless it says otherwise */
    assert_int_equal(read_text("YUV4MPEG2 W5 H3 Cmono XCOLORRANGE=LIMITED\nFRAME\n", 15).first.full_range, 0);
    r = read_text("YUV4MPEG2 W1280 H1 C420paldv\nFRAME\n", 1280 + 2 * 640);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.first.matrix, LEAT_MATRIX_BT709);
    assert_int_equal(r.first.full_range, 0);
}

static void test_y4m_refused(void **state) {
    static const struct { const char *header; int status; const char *says; } cases[] = {
        {"YUV4MPEG2 W4 H4 C420p10\nFRAME\n", LEAT_EUNSUPPORTED, "420p10"},
        {"YUV4MPEG2 W4 H4 C411\nFRAME\n", LEAT_EUNSUPPORTED, "411"},
        {"YUV4MPEG2 W4 H4 C444alpha\nFRAME\n", LEAT_EUNSUPPORTED, "444alpha"},
        {"YUV4MPEG2 W4\nFRAME\n", LEAT_EFORMAT, "width or height"},
        {"YUV4MPEG2 W0 H4\nFRAME\n", LEAT_EFORMAT, "W0"},
        {"YUV4MPEG2 W-4 H4\nFRAME\n", LEAT_EFORMAT, "W-4"},
        {"YUV4MPEG2 W99999999999999999999 H4\nFRAME\n", LEAT_EFORMAT, "W999"},
        {"YUV4MPEG2 W999999999 H999999999\nFRAME\n", LEAT_ELIMIT, "limit"},
        {"YUV4MPEG2 W65535 H65535\nFRAME\n", LEAT_ELIMIT, "limit"},
        {"YUV4MPEG2 W4 H4 F25\nFRAME\n", LEAT_EFORMAT, "F25"},
        {"YUV4MPEG2 W4 H4", LEAT_EFORMAT, "cut off"},
        {"YUV4MPEG2W4 H4\nFRAME\n", LEAT_EFORMAT, "W4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vc_result r = read_text(cases[i].header, 0);
        assert_int_equal(r.opened, cases[i].status);
        if (!strstr(r.error.message, cases[i].says)) fail_msg("'%s' does not say '%s'", r.error.message, cases[i].says);
    }
    vc_result r = read_text("YUV4MPEG2 W4 H4\nFRAMY\n", 24);
    assert_true(r.opened == LEAT_OK && r.n == 0 && r.ended == LEAT_EFORMAT);
    char line[3000] = "YUV4MPEG2 W4 H4 X";
    memset(line + 17, 'x', 2900);
    assert_int_equal(read_text(line, 0).opened, LEAT_EFORMAT);
}

static void test_y4m_cut(void **state) {
    const char *path = vc_path("cut.y4m");
    vc_make(path, LEAT_PIXEL_I420, 16, 16, 4);
    vc_cut(path, -100);
    vc_result r = vc_read(path, NULL);
    assert_int_equal(r.n, 3); /* what is whole is given */
    assert_int_equal(r.ended, LEAT_EFORMAT);
    assert_non_null(strstr(r.error.message, "frame 3 is cut off after 284 of 384 bytes"));
    vc_cut(path, -(384 - 100 + 3));
    r = vc_read(path, NULL);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.ended, LEAT_EFORMAT);
}

/* ---- stride, loop, limits ---------------------------------------------------------------------------------------------------- */

static void check_play(const char *path, int stride, int loop, int limit, const int *want, int n) {
    leat_source_options o = defaults();
    o.stride = stride, o.loop = loop, o.max_frames = limit;
    vc_result r = vc_read(path, &o);
    assert_int_equal(r.opened, LEAT_OK);
    assert_int_equal(r.ended, LEAT_EEND);
    assert_int_equal(r.n, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(r.number[i], want[i] % 5);
        assert_int_equal(r.frame[i].index, want[i]);
        if (i) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
    }
    if (loop) assert_int_equal(r.first.frames, n);
}

static void test_play(void **state) {
    const char *path = vc_path("play.y4m");
    vc_make(path, LEAT_PIXEL_I420, 8, 8, 5);
    check_play(path, 1, 1, 0, (int[]){0, 1, 2, 3, 4}, 5);
    check_play(path, 2, 1, 0, (int[]){0, 2, 4}, 3);
    check_play(path, 7, 1, 0, (int[]){0}, 1);
    check_play(path, 1, 2, 0, (int[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10);
    check_play(path, 2, 2, 0, (int[]){0, 2, 4, 6, 8}, 5);
    check_play(path, 7, 3, 0, (int[]){0, 7, 14}, 3);
    check_play(path, 3, 0, 6, (int[]){0, 3, 6, 9, 12, 15}, 6);
    check_play(path, 1, 1, 3, (int[]){0, 1, 2}, 3);
    mkdir(vc_path("play"), 0777);
    vc_make(vc_path("play/f%d.png"), LEAT_PIXEL_RGB24, 8, 8, 5);
    check_play(vc_path("play"), 2, 2, 0, (int[]){0, 2, 4, 6, 8}, 5);
}

static void test_options(void **state) {
    const char *path = vc_path("options.y4m");
    vc_make(path, LEAT_PIXEL_I420, 8, 8, 1);
    for (int i = 0; i < 8; i++) {
        leat_source_options o = defaults();
        if (i == 0) o.size = 3;
        if (i == 1) o.live_fps = -1;
        if (i == 2) o.stride = 0;
        if (i == 3) o.loop = -1;
        if (i == 4) o.raw_width = 5;
        if (i == 5) o.fps = 0;
        if (i == 6) o.raw_width = o.raw_height = 4, o.raw_format = LEAT_PIXEL_COUNT;
        if (i == 7) o.threads = -1;
        assert_int_equal(vc_read(path, &o).opened, LEAT_EINVAL);
    }
    leat_source_options o = defaults();
    o.max_pixels = 63;
    assert_int_equal(vc_read(path, &o).opened, LEAT_ELIMIT);
}

static void test_small_buffer(void **state) {
    const char *path = vc_path("small.y4m");
    leat_source *source;
    leat_frame f;
    uint8_t buffer[96];
    leat_error error = {0};
    vc_make(path, LEAT_PIXEL_I420, 8, 8, 2);
    assert_int_equal(leat_source_open(path, NULL, &source, NULL), LEAT_OK);
    assert_int_equal(leat_source_next(source, buffer, 95, &f, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "needs 96 bytes"));
    assert_int_equal(leat_source_next(source, buffer, 96, &f, NULL), LEAT_OK);
    assert_int_equal(f.index, 0); /* nothing was lost */
    assert_int_equal(leat_source_next(source, buffer, 96, &f, NULL), LEAT_OK);
    assert_int_equal(leat_source_next(source, buffer, 96, &f, NULL), LEAT_EEND);
    leat_source_close(source);
}

/* After the first frames nothing is allocated any more. */
static void test_no_allocation(void **state) {
    vc_make(vc_path("still.y4m"), LEAT_PIXEL_I420, 64, 64, 20);
    mkdir(vc_path("still"), 0777);
    vc_make(vc_path("still/f%03d.jpg"), LEAT_PIXEL_RGB24, 64, 64, 20);
    for (int way = 0; way < 2; way++) {
        leat_source *source;
        leat_frame f;
        uint8_t buffer[64 * 64 * 3];
        assert_int_equal(leat_source_open(vc_path(way ? "still" : "still.y4m"), NULL, &source, NULL), LEAT_OK);
        for (int i = 0; i < 3; i++) assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
        uint64_t before = leat__thread_allocations();
        for (int i = 3; i < 20; i++) assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
        assert_int_equal(leat__thread_allocations(), before);
        leat_source_close(source);
    }
}

/* ---- pipes ------------------------------------------------------------------------------------------------------------------ */

typedef struct feeder {
    const char *path;
    const void *data;
    size_t      bytes, step;
    atomic_int *hold; /* stays open until it is 0; NULL = closes at once */
    pthread_t   thread;
} feeder;

static void *feed(void *arg) {
    feeder *f = arg;
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* the reader may refuse the input and go */
    int fd = open(f->path, O_WRONLY);
    const uint8_t *at = f->data;
    for (size_t left = f->bytes; fd >= 0 && left > 0;) {
        ssize_t n = write(fd, at, left < f->step ? left : f->step);
        if (n <= 0) break;
        at += n;
        left -= (size_t)n;
    }
    while (f->hold && atomic_load(f->hold)) usleep(1000);
    if (fd >= 0) close(fd);
    return NULL;
}

static void start(feeder *f) {
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, feed, f), 0);
}

static void test_pipes(void **state) {
    static uint8_t raw[5 * 16 * 8 * 2];
    for (int i = 0; i < 5; i++) {
        leat_frame f = vc_frame(LEAT_PIXEL_UYVY, 16, 8, i);
        memcpy(raw + i * 256, f.plane[0], 256);
        free(f.plane[0]);
    }
    for (int cut = 0; cut < 2; cut++) {
        feeder f = {vc_path("fifo"), raw, sizeof raw - (size_t)cut * 10, 77, NULL, 0};
        leat_source_options o = defaults();
        o.raw_width = 16, o.raw_height = 8, o.fps = 50, o.stride = 2;
        start(&f);
        vc_result r = vc_read(f.path, &o);
        pthread_join(f.thread, NULL);
        assert_string_equal(r.info.kind, "raw");
        assert_int_equal(r.n, cut ? 2 : 3);
        assert_int_equal(r.ended, cut ? LEAT_EFORMAT : LEAT_EEND);
        assert_int_equal(r.first.frames, -1);
        assert_int_equal(r.frame[1].pts_ns, 40000000);
    }
    const char *path = vc_path("piped.y4m");
    vc_make(path, LEAT_PIXEL_I420, 16, 16, 3);
    static uint8_t y4m[4096];
    FILE *file = fopen(path, "rb");
    size_t bytes = fread(y4m, 1, sizeof y4m, file);
    fclose(file);
    feeder f = {vc_path("fifo"), y4m, bytes, 5, NULL, 0};
    start(&f);
    vc_result r = vc_read(f.path, NULL);
    pthread_join(f.thread, NULL);
    assert_string_equal(r.info.kind, "y4m");
    assert_int_equal(r.n, 3);
    leat_source_options o = defaults();
    o.loop = 2;
    start(&f);
    r = vc_read(f.path, &o);
    pthread_join(f.thread, NULL);
    assert_int_equal(r.opened, LEAT_EINVAL); /* a pipe cannot be played again */
}

static void *cancel_soon(void *source) {
    usleep(50000);
    leat_source_cancel(source);
    return NULL;
}

static void test_cancel(void **state) {
    static uint8_t raw[256], buffer[256];
    atomic_int hold = 1; /* no second frame and no end, until the read was cancelled */
    feeder f = {vc_path("fifo"), raw, 256, 256, &hold, 0};
    leat_source_options o = defaults();
    leat_source *source;
    leat_frame frame;
    pthread_t thread;
    o.raw_width = 16, o.raw_height = 8;
    start(&f);
    assert_int_equal(leat_source_open(f.path, &o, &source, NULL), LEAT_OK);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &frame, NULL), LEAT_OK);
    pthread_create(&thread, NULL, cancel_soon, source);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &frame, NULL), LEAT_ECANCELLED); /* waits for the pipe */
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &frame, NULL), LEAT_ECANCELLED);
    pthread_join(thread, NULL);
    leat_source_close(source);
    atomic_store(&hold, 0);
    pthread_join(f.thread, NULL);
}

/* ---- pacing ----------------------------------------------------------------------------------------------------------------- */

static void test_live(void **state) {
    const char *path = vc_path("live.y4m");
    leat_source *source;
    leat_frame f;
    uint8_t buffer[96];
    leat_source_info info;
    leat_source_options o = defaults();
    vc_make(path, LEAT_PIXEL_I420, 8, 8, 40);
    o.live_fps = 50;
    assert_int_equal(leat_source_open(path, &o, &source, NULL), LEAT_OK);
    int64_t first = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
        if (!first) first = f.capture_ns;
        assert_true(leat__now_ns() >= f.capture_ns);
        assert_near((f.capture_ns - first) / 1000, f.index * 20000, 1); /* stamped when it was due, on the grid */
    }
    usleep(130000); /* a slow reader: at least 5 frames are over */
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
    leat_source_describe(source, &info);
    assert_true(info.late >= 5 && f.index == 5 + info.late && info.live == 1);
    assert_int_equal(vc_number(&f), f.index);
    assert_near((f.capture_ns - first) / 1000, f.index * 20000, 1);
    while (leat_source_next(source, buffer, sizeof buffer, &f, NULL) == LEAT_OK) {}
    leat_source_describe(source, &info);
    assert_int_equal(info.given + info.late, 40); /* every frame is accounted for */
    leat_source_close(source);
}

/* ---- sinks ------------------------------------------------------------------------------------------------------------------ */

static void test_picture_sinks(void **state) {
    vc_make(vc_path("out_%03d.png"), LEAT_PIXEL_YUY2, 9, 7, 3);
    assert_true(vc_exists(vc_path("out_000.png")) && vc_exists(vc_path("out_002.png")));
    assert_int_equal(vc_count_files("out_"), 3);
    vc_make(vc_path("shots/"), LEAT_PIXEL_I420, 9, 7, 3);
    vc_result r = vc_read(vc_path("shots"), NULL);
    assert_int_equal(r.n, 3);
    assert_near(r.number[2], 2, 2);
    assert_true(vc_exists(vc_path("shots/000001.jpg")));
    vc_make(vc_path("one.jpg"), LEAT_PIXEL_RGB24, 9, 7, 1);
    leat_sink *sink;
    leat_error error = {0};
    leat_frame f = vc_frame(LEAT_PIXEL_RGB24, 8, 8, 1);
    assert_int_equal(leat_sink_open(vc_path("two.jpg"), NULL, &sink, NULL), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &f, NULL), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "one picture"));
    assert_int_equal(leat_sink_frames(sink), 1);
    assert_int_equal(leat_sink_close(sink, NULL), LEAT_OK);
    free(f.plane[0]);
    static const char *const wrong[] = {"a%s.jpg", "a%d%d.jpg", "a%n.png", "a%5d.jpg", "a%.jpg", "a%00d.jpg"};
    for (int i = 0; i < 6; i++) assert_int_equal(leat_sink_open(vc_path(wrong[i]), NULL, &sink, NULL), LEAT_EINVAL);
    assert_int_equal(leat_sink_open(vc_path("no/such/folder/x.y4m"), NULL, &sink, &error), LEAT_EIO);
    assert_int_equal(leat_sink_open("", NULL, &sink, NULL), LEAT_EINVAL);
}

static void test_sink_rules(void **state) {
    leat_sink *sink;
    leat_frame a = vc_frame(LEAT_PIXEL_I420, 8, 8, 1), b = vc_frame(LEAT_PIXEL_I420, 10, 8, 1), wrong = a;
    assert_int_equal(leat_sink_open(vc_path("rules.y4m"), NULL, &sink, NULL), LEAT_OK);
    assert_int_equal(leat_sink_close(sink, NULL), LEAT_OK);
    assert_int_equal(vc_count_files("rules"), 0); /* nothing written, nothing left */
    assert_int_equal(leat_sink_open(vc_path("rules.y4m"), NULL, &sink, NULL), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &a, NULL), LEAT_OK);
    assert_int_equal(vc_exists(vc_path("rules.y4m")), 0); /* under another name until it is whole */
    assert_int_equal(leat_sink_write(sink, &b, NULL), LEAT_ESHAPE);
    wrong.stride[0] = 3;
    assert_int_equal(leat_sink_write(sink, &wrong, NULL), LEAT_EINVAL);
    assert_int_equal(leat_sink_write(sink, &a, NULL), LEAT_OK);
    assert_int_equal(leat_sink_close(sink, NULL), LEAT_OK);
    assert_int_equal(vc_read(vc_path("rules.y4m"), NULL).n, 2);
    assert_int_equal(vc_count_files("rules"), 1);
    assert_int_equal(leat_sink_open("null:", NULL, &sink, NULL), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &b, NULL), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &a, NULL), LEAT_OK);
    assert_int_equal(leat_sink_close(sink, NULL), LEAT_OK);
    assert_int_equal(leat_sink_close(NULL, NULL), LEAT_OK);
    free(a.plane[0]);
    free(b.plane[0]);
}

/* Standard output into a pipe whose reader goes away: no signal, a clear failure. */
static void test_closed_pipe(void **state) {
    int ends[2], saved = dup(STDOUT_FILENO), status = LEAT_OK;
    leat_sink *sink;
    leat_error error = {0};
    leat_frame f = vc_frame(LEAT_PIXEL_I420, 640, 480, 1);
    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    int opened = leat_sink_open("-", NULL, &sink, NULL);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(ends[1]);
    close(ends[0]);
    assert_int_equal(opened, LEAT_OK);
    for (int i = 0; i < 10 && status == LEAT_OK; i++) status = leat_sink_write(sink, &f, &error);
    assert_int_equal(status, LEAT_EIO);
    assert_non_null(strstr(error.message, "closed the pipe"));
    assert_int_equal(leat_sink_write(sink, &f, NULL), LEAT_EIO);
    assert_int_equal(leat_sink_close(sink, NULL), LEAT_OK);
    free(f.plane[0]);
}

static void test_scene(void **state) {
    leat_source_options o = defaults();
    o.max_frames = 3;
    vc_result r = vc_read("scene:size=160x120,seed=3", &o);
    assert_int_equal(r.opened, LEAT_OK);
    assert_string_equal(r.info.kind, "scene");
    assert_int_equal(r.n, 3);
    assert_int_equal(vc_read("scene:nonsense=1", NULL).opened, LEAT_EINVAL);
    leat_source *source;
    leat_truth truth[64];
    int count = -1;
    assert_int_equal(leat_source_open("scene:size=160x120", NULL, &source, NULL), LEAT_OK);
    leat_source_describe(source, &r.info);
    uint8_t *buffer = malloc(r.info.frame_bytes);
    assert_int_equal(leat_source_next(source, buffer, r.info.frame_bytes, &r.frame[0], NULL), LEAT_OK);
    free(buffer);
    assert_int_equal(leat_source_truth(source, 0, truth, 64, &count), LEAT_OK);
    assert_true(count >= 0);
    assert_int_equal(leat_source_truth(source, 1, truth, 64, &count), LEAT_EINVAL); /* not given yet */
    leat_source_close(source);
    vc_make(vc_path("untrue.y4m"), LEAT_PIXEL_I420, 8, 8, 1);
    assert_int_equal(leat_source_open(vc_path("untrue.y4m"), NULL, &source, NULL), LEAT_OK);
    assert_int_equal(leat_source_truth(source, 0, truth, 64, &count), LEAT_EUNSUPPORTED);
    leat_source_close(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures),      cmocka_unit_test(test_picture_list), cmocka_unit_test(test_damaged_pictures), cmocka_unit_test(test_missing),
        cmocka_unit_test(test_y4m_round_trip), cmocka_unit_test(test_y4m_chroma),  cmocka_unit_test(test_y4m_refused),      cmocka_unit_test(test_y4m_cut),
        cmocka_unit_test(test_play),          cmocka_unit_test(test_options),      cmocka_unit_test(test_small_buffer),     cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_pipes),         cmocka_unit_test(test_cancel),       cmocka_unit_test(test_live),             cmocka_unit_test(test_picture_sinks),
        cmocka_unit_test(test_sink_rules),    cmocka_unit_test(test_closed_pipe),  cmocka_unit_test(test_scene)};
    return cmocka_run_group_tests(tests, vc_setup, vc_teardown);
}
