/* test_video_plugin.c - video through leat_ffmpeg.so: round trips, times, hard inputs, the missing plugin.  Skipped where the plugin was not
 * built (FFmpeg's development packages are not installed). */
#include "video_case.h"

#include <pthread.h>

#include "base/clock.h"

static int  have_plugin;
static char plugin_folder[512];

/* First of all, since a plugin that is loaded stays. */
static void test_missing_plugin(void **state) {
    leat_sink *sink;
    leat_error error = {0};
    setenv("LEAT_PLUGIN_DIR", vc_folder, 1);
    vc_write(vc_path("clip.mp4"), "\0\0\0\x20" "ftypisom", 12);
    vc_result r = vc_read(vc_path("clip.mp4"), NULL);
    assert_int_equal(r.opened, LEAT_EUNSUPPORTED);
    assert_non_null(strstr(r.error.message, "libavformat-dev"));
    assert_non_null(strstr(r.error.message, vc_folder)); /* where it was looked for */
    assert_int_equal(leat_sink_open(vc_path("out.mp4"), NULL, &sink, &error), LEAT_EUNSUPPORTED);
    assert_int_equal(vc_count_files("out.mp4"), 0);
    vc_write(vc_path("leat_ffmpeg.so"), "no library", 10);
    r = vc_read(vc_path("clip.mp4"), NULL);
    assert_int_equal(r.opened, LEAT_EUNSUPPORTED);
    assert_non_null(strstr(r.error.message, "libavformat59"));
    unlink(vc_path("leat_ffmpeg.so"));
    setenv("LEAT_PLUGIN_DIR", plugin_folder, 1);
}

#define need_plugin() \
    do { \
        if (!have_plugin) { \
            print_message("skipped: leat_ffmpeg.so was not built (FFmpeg's development packages are missing)\n"); \
            skip(); \
        } \
    } while (0)

static void test_round_trips(void **state) {
    static const struct { const char *name; leat_pixel_format format; int width, height; const char *detail; } cases[] = {
        {"a.mp4", LEAT_PIXEL_I420, 64, 48, "h264 in mov"},   {"b.mkv", LEAT_PIXEL_NV12, 64, 48, "h264 in matroska"},
        {"c.mp4", LEAT_PIXEL_RGB24, 65, 47, "h264 in mov"},  {"d.mkv", LEAT_PIXEL_UYVY, 2, 2, "h264 in matroska"},
        {"e.avi", LEAT_PIXEL_BGRA, 320, 16, NULL},           {"f.mkv", LEAT_PIXEL_RGB24, 16000, 16, NULL},
        {"g.mp4", LEAT_PIXEL_YUY2, 1, 1, NULL},
    };
    need_plugin();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        vc_make(vc_path(cases[c].name), cases[c].format, cases[c].width, cases[c].height, 20);
        vc_result r = vc_read(vc_path(cases[c].name), NULL);
        if (r.opened != LEAT_OK || r.ended != LEAT_EEND) fail_msg("%s: %s", cases[c].name, r.error.message);
        assert_int_equal(r.n, 20);
        assert_string_equal(r.info.kind, "video");
        if (cases[c].detail) assert_string_equal(r.info.detail, cases[c].detail);
        assert_int_equal(r.first.format, LEAT_PIXEL_I420);
        assert_int_equal(r.first.width, (cases[c].width + 1) / 2 * 2);
        assert_int_equal(r.info.damaged + r.info.retimed, 0);
        for (int i = 0; i < 20; i++) {
            assert_near(r.number[i], i, 4);
            if (llabs(r.frame[i].pts_ns - i * 40000000ll) > 1000000) fail_msg("%s: frame %d at %lld ns", cases[c].name, i, (long long)r.frame[i].pts_ns); /* Matroska has milliseconds */
            assert_int_equal(r.frame[i].index, i);
        }
        assert_int_equal(vc_count_files(cases[c].name), 1);
    }
}

static void test_colour_is_told(void **state) {
    need_plugin();
    for (int bits = 0; bits < 4; bits++) {
        leat_sink *sink;
        leat_error error = {0};
        leat_frame f = vc_frame(LEAT_PIXEL_I420, 32, 32, 5);
        f.matrix = bits & 1 ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601, f.full_range = bits >> 1;
        assert_int_equal(leat_sink_open(vc_path("colour.mp4"), NULL, &sink, &error), LEAT_OK);
        assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_OK);
        assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
        vc_result r = vc_read(vc_path("colour.mp4"), NULL);
        assert_int_equal(r.n, 1);
        assert_int_equal(r.frame[0].matrix, f.matrix);
        assert_int_equal(r.frame[0].full_range, f.full_range);
        free(f.plane[0]);
    }
}

/* Frames keep their own times; stamps that do not increase are made up. */
static void test_times(void **state) {
    static const int64_t ms[] = {0, 10, 100, 150, 150, 90, 400, 1000};
    leat_sink *sink;
    leat_error error = {0};
    need_plugin();
    assert_int_equal(leat_sink_open(vc_path("times.mp4"), NULL, &sink, &error), LEAT_OK);
    for (int i = 0; i < 8; i++) {
        leat_frame f = vc_frame(LEAT_PIXEL_I420, 32, 32, i);
        f.pts_ns = ms[i] * 1000000;
        assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_OK);
        free(f.plane[0]);
    }
    assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
    vc_result r = vc_read(vc_path("times.mp4"), NULL);
    assert_int_equal(r.n, 8);
    for (int i = 0; i < 8; i++) {
        if (i != 4 && i != 5) assert_near((r.frame[i].pts_ns - ms[i] * 1000000) / 1000, 0, 30);
        if (i) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
    }
}

static void test_options(void **state) {
    leat_sink_options o;
    leat_sink *sink;
    leat_error error = {0};
    need_plugin();
    leat_frame f = vc_frame(LEAT_PIXEL_I420, 32, 32, 5);
    leat_sink_options_default(&o);
    strcpy(o.codec, "mpeg4");
    assert_int_equal(leat_sink_open(vc_path("named.mp4"), &o, &sink, &error), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_OK);
    assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
    vc_result r = vc_read(vc_path("named.mp4"), NULL);
    assert_string_equal(r.first.detail, "mpeg4 in mov");
    static const char *const presets[] = {"libx264:veryfast", "libx264:nonsense", "mpeg4:fast"};
    for (int i = 0; i < 3; i++) {
        strcpy(o.codec, presets[i]);
        assert_int_equal(leat_sink_open(vc_path("preset.mkv"), &o, &sink, &error), LEAT_OK);
        assert_int_equal(leat_sink_write(sink, &f, &error) == LEAT_OK, i == 0);
        assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
    }
    strcpy(o.codec, "nonsense");
    assert_int_equal(leat_sink_open(vc_path("wrong.mp4"), &o, &sink, &error), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_EUNSUPPORTED);
    assert_non_null(strstr(error.message, "nonsense"));
    assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
    assert_int_equal(leat_sink_open(vc_path("wrong.xyz"), NULL, &sink, &error), LEAT_OK);
    assert_int_equal(leat_sink_write(sink, &f, &error), LEAT_EUNSUPPORTED);
    assert_int_equal(leat_sink_close(sink, &error), LEAT_OK);
    assert_int_equal(vc_count_files("wrong"), 0);
    free(f.plane[0]);
}

static void test_play_again(void **state) {
    need_plugin();
    for (int way = 0; way < 2; way++) {
        const char *path = vc_path(way ? "again.mkv" : "again.mp4");
        leat_source_options o;
        leat_source_options_default(&o);
        vc_make(path, LEAT_PIXEL_I420, 64, 48, 10);
        o.loop = 3, o.stride = 4;
        vc_result r = vc_read(path, &o);
        assert_int_equal(r.n, 8);
        for (int i = 0; i < 8; i++) {
            assert_int_equal(r.frame[i].index, 4 * i);
            assert_near(r.number[i], 4 * i % 10, 4);
            if (i) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
        }
    }
}

/* ---- hard inputs ------------------------------------------------------------------------------------------------------------ */

static void test_cut_off(void **state) {
    need_plugin();
    vc_make(vc_path("cut.mp4"), LEAT_PIXEL_I420, 64, 48, 30);
    vc_cut(vc_path("cut.mp4"), -900); /* inside the index, which stands at the end */
    vc_result r = vc_read(vc_path("cut.mp4"), NULL);
    if (r.opened != LEAT_EFORMAT) fail_msg("%d %s", r.opened, r.error.message);
    vc_cut(vc_path("cut.mp4"), 600); /* before it */
    r = vc_read(vc_path("cut.mp4"), NULL);
    if (r.opened != LEAT_EFORMAT) fail_msg("%d %s", r.opened, r.error.message);
    assert_non_null(strstr(r.error.message, "moov"));
    vc_make(vc_path("cut.mkv"), LEAT_PIXEL_I420, 320, 240, 30);
    vc_cut(vc_path("cut.mkv"), -400);
    r = vc_read(vc_path("cut.mkv"), NULL);
    assert_int_equal(r.opened, LEAT_OK);
    assert_true(r.n >= 5 && r.n < 30);
    for (int i = 0; i < r.n; i++) assert_near(r.number[i], i, 4);
    vc_write(vc_path("text.mp4"), "this is no video at all, only a line of text\n", 45);
    r = vc_read(vc_path("text.mp4"), NULL);
    assert_true(r.opened == LEAT_EFORMAT || r.opened == LEAT_EUNSUPPORTED);
    assert_non_null(strstr(r.error.message, "text.mp4"));
}

/* Bytes turned over in the middle: no crash, no hang, times still increase, the loss is counted or ends the input with a message. */
static void test_corrupt(void **state) {
    need_plugin();
    vc_make(vc_path("sound.mkv"), LEAT_PIXEL_I420, 160, 120, 40);
    FILE *file = fopen(vc_path("sound.mkv"), "rb");
    static uint8_t bytes[1 << 20], copy[1 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint64_t at = 12345;
    for (int round = 0; round < 25; round++) {
        memcpy(copy, bytes, n);
        for (int i = 0; i < 20; i++) {
            at = at * 6364136223846793005ull + 1442695040888963407ull;
            copy[600 + (at >> 33) % (n - 600)] ^= (uint8_t)(at >> 20 | 1);
        }
        vc_write(vc_path("corrupt.mkv"), copy, n);
        vc_result r = vc_read(vc_path("corrupt.mkv"), NULL);
        if (r.opened != LEAT_OK) {
            assert_true(r.error.message[0] != 0);
            continue;
        }
        assert_true(r.ended == LEAT_EEND || r.error.message[0]);
        for (int i = 1; i < r.n && i < 64; i++) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
    }
}

static void append(const char *from, const char *to) {
    char command[600];
    snprintf(command, sizeof command, "cat '%s' >>'%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* Two elementary streams one after the other: the size changes in mid-stream, and there are no time stamps. */
static void test_size_changes(void **state) {
    need_plugin();
    vc_make(vc_path("one.h264"), LEAT_PIXEL_I420, 64, 48, 6);
    vc_make(vc_path("two.h264"), LEAT_PIXEL_I420, 128, 96, 6);
    append(vc_path("two.h264"), vc_path("one.h264"));
    vc_result r = vc_read(vc_path("one.h264"), NULL);
    assert_int_equal(r.opened, LEAT_OK);
    assert_int_equal(r.ended, LEAT_EEND);
    assert_int_equal(r.n, 12);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(r.frame[i].width, i < 6 ? 64 : 128);
        assert_int_equal(r.frame[i].height, i < 6 ? 48 : 96);
        assert_near(r.number[i], i % 6, 4);
        if (i) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
    }
}

static void test_damaged_times(void **state) {
    need_plugin();
    vc_make(vc_path("ts1.ts"), LEAT_PIXEL_I420, 64, 48, 8);
    vc_make(vc_path("ts2.ts"), LEAT_PIXEL_I420, 64, 48, 8);
    append(vc_path("ts2.ts"), vc_path("ts1.ts")); /* the clock jumps back to its start */
    vc_result r = vc_read(vc_path("ts1.ts"), NULL);
    assert_int_equal(r.opened, LEAT_OK);
    assert_true(r.n >= 15);
    assert_true(r.info.retimed > 0);
    for (int i = 1; i < r.n; i++) assert_true(r.frame[i].pts_ns > r.frame[i - 1].pts_ns);
}

static void test_limits(void **state) {
    leat_source_options o;
    need_plugin();
    leat_source_options_default(&o);
    vc_make(vc_path("limit.mp4"), LEAT_PIXEL_I420, 64, 48, 2);
    o.max_pixels = 64 * 48 - 1;
    vc_result r = vc_read(vc_path("limit.mp4"), &o);
    assert_true(r.opened != LEAT_OK || r.ended == LEAT_ELIMIT || r.n == 0);
    r = vc_read("/dev/video99", NULL);
    assert_int_equal(r.opened, LEAT_EIO);
    assert_non_null(strstr(r.error.message, "/dev/video99"));
    r = vc_read("nonsense://host/x", NULL);
    assert_true(r.opened == LEAT_EUNSUPPORTED || r.opened == LEAT_EIO);
}

/* ---- pipes and cancelling ---------------------------------------------------------------------------------------------------- */

static void *feed(void *path) {
    char command[600];
    snprintf(command, sizeof command, "cat '%s/piped.mkv' >'%s'", vc_folder, (const char *)path);
    return system(command) == 0 ? NULL : path;
}

static void test_pipe(void **state) {
    pthread_t thread;
    const char *path = vc_path("video_fifo");
    need_plugin();
    vc_make(vc_path("piped.mkv"), LEAT_PIXEL_I420, 64, 48, 12);
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_create(&thread, NULL, feed, (void *)(uintptr_t)path);
    vc_result r = vc_read(path, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(r.opened, LEAT_OK);
    assert_int_equal(r.n, 12);
    assert_int_equal(r.ended, LEAT_EEND);
}

static void test_cancelled(void **state) {
    leat_source *source;
    leat_source_options o;
    leat_frame f;
    static uint8_t buffer[64 * 48 * 2];
    need_plugin();
    vc_make(vc_path("cancel.mp4"), LEAT_PIXEL_I420, 64, 48, 12);
    leat_source_options_default(&o);
    o.loop = 0;
    assert_int_equal(leat_source_open(vc_path("cancel.mp4"), &o, &source, NULL), LEAT_OK);
    for (int i = 0; i < 30; i++) assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_OK);
    leat_source_cancel(source);
    assert_int_equal(leat_source_next(source, buffer, sizeof buffer, &f, NULL), LEAT_ECANCELLED);
    leat_source_close(source);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_plugin), cmocka_unit_test(test_round_trips), cmocka_unit_test(test_colour_is_told), cmocka_unit_test(test_times),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_play_again),  cmocka_unit_test(test_cut_off),        cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_size_changes),   cmocka_unit_test(test_damaged_times), cmocka_unit_test(test_limits),       cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_cancelled)};
    const char *slash = strrchr(argv[0], '/');
    snprintf(plugin_folder, sizeof plugin_folder, "%.*s/../..", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    char path[600];
    snprintf(path, sizeof path, "%s/leat_ffmpeg.so", plugin_folder);
    have_plugin = vc_exists(path);
    return cmocka_run_group_tests(tests, vc_setup, vc_teardown);
}
