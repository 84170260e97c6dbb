/* test_oom_video.c - the n-th allocation fails in sources and sinks, for every n: LEAT_ENOMEM, nothing leaks, no temporary file is left. */
#include "../unit/video_case.h"

#include "base/mem.h"

#define MOST 5000

static char pictures[128], y4m_444[128], y4m_out[128], png_out[128], mp4_out[128], glob_in[128];

static int set_up(void **state) {
    static const char header[] = "YUV4MPEG2 W4 H4 C444\n";
    uint8_t data[sizeof header - 1 + 2 * 54] = {0};
    if (vc_setup(state)) return -1;
    snprintf(pictures, sizeof pictures, "%s/pics/", vc_folder);
    snprintf(glob_in, sizeof glob_in, "%s/pics/*1.jpg", vc_folder);
    snprintf(y4m_444, sizeof y4m_444, "%s/in.y4m", vc_folder);
    snprintf(y4m_out, sizeof y4m_out, "%s/out.y4m", vc_folder);
    snprintf(png_out, sizeof png_out, "%s/out%%d.png", vc_folder);
    snprintf(mp4_out, sizeof mp4_out, "%s/out.mp4", vc_folder);
    vc_make(pictures, LEAT_PIXEL_RGB24, 9, 7, 3);
    memcpy(data, header, sizeof header - 1);
    for (int i = 0; i < 2; i++) memcpy(data + sizeof header - 1 + 54 * i, "FRAME\n", 6);
    vc_write(y4m_444, data, sizeof data);
    return 0;
}

static int read_all(const char *spec, leat_error *error) {
    leat_source *source;
    leat_frame frame;
    uint8_t buffer[4096];
    int status = leat_source_open(spec, NULL, &source, error);
    while (status == LEAT_OK) status = leat_source_next(source, buffer, sizeof buffer, &frame, error);
    leat_source_close(source);
    return status == LEAT_EEND ? LEAT_OK : status;
}

static int read_pictures(leat_error *error) { return read_all(pictures, error); }
static int read_glob(leat_error *error) { return read_all(glob_in, error); }
static int read_y4m(leat_error *error) { return read_all(y4m_444, error); }
static int read_scene(leat_error *error) { return read_all("scene:size=32x32,frames=2", error); }

static int read_list(leat_error *error) {
    const char *const paths[] = {y4m_444, y4m_444};
    leat_source *source;
    int status = leat_source_open_list(paths, 2, NULL, &source, error);
    leat_source_close(source);
    return status == LEAT_EFORMAT ? LEAT_OK : status; /* they are no pictures, which is told if there is memory */
}

static int write_two(const char *spec, leat_error *error) {
    leat_sink *sink;
    uint8_t pixels[16 * 16 * 2];
    leat_frame frame = {.pts_ns = 0};
    memset(pixels, 90, sizeof pixels);
    leat_frame_layout(&frame, LEAT_PIXEL_YUY2, 16, 16, pixels);
    int status = leat_sink_open(spec, NULL, &sink, error);
    if (status != LEAT_OK) return status;
    for (int i = 0; i < 2 && status == LEAT_OK; i++) status = leat_sink_write(sink, &frame, error), frame.pts_ns += 40000000, frame.index++;
    int closed = leat_sink_close(sink, status == LEAT_OK ? error : NULL);
    return status == LEAT_OK ? closed : status;
}

static int write_y4m(leat_error *error) { return write_two(y4m_out, error); }
static int write_pngs(leat_error *error) { return write_two(png_out, error); }
static int write_mp4(leat_error *error) { return write_two(mp4_out, error); }
static int read_mp4(leat_error *error) { return read_all(mp4_out, error); }

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

/* Runs `work` with the n-th allocation failing, n = 1, 2, ... until it passes without one. */
static void fail_everywhere(int (*work)(leat_error *)) {
    leat_error error = {0};
    if (work(&error) != LEAT_OK) fail_msg("%s", error.message);
    uint64_t before = live_bytes();
    int failures = 0;
    for (uint64_t n = 1;; n++) {
        assert_true(n < MOST);
        memset(&error, 0, sizeof error);
        leat__alloc_fail_at(n, 1);
        int status = work(&error);
        leat__alloc_fail_at(0, 0);
        assert_int_equal(live_bytes(), before);
        if (status == LEAT_OK) break;
        if (status != LEAT_ENOMEM) fail_msg("allocation %d: %d, %s", (int)n, status, error.message);
        assert_true(error.message[0] != 0);
        failures++;
    }
    assert_true(failures > 0);
    assert_int_equal(vc_count_files("out.y4m."), 0);
    assert_int_equal(vc_count_files("out.mp4."), 0);
}

static void test_pictures(void **state) { fail_everywhere(read_pictures); }
static void test_glob(void **state) { fail_everywhere(read_glob); }
static void test_list(void **state) { fail_everywhere(read_list); }
static void test_y4m(void **state) { fail_everywhere(read_y4m); }
static void test_scene(void **state) { fail_everywhere(read_scene); }
static void test_y4m_sink(void **state) { fail_everywhere(write_y4m); }
static void test_png_sink(void **state) { fail_everywhere(write_pngs); }

static void test_video(void **state) {
    leat_error error = {0};
    if (write_mp4(&error) == LEAT_EUNSUPPORTED) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    fail_everywhere(write_mp4);
    fail_everywhere(read_mp4);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures), cmocka_unit_test(test_glob),     cmocka_unit_test(test_list),
                                       cmocka_unit_test(test_y4m),      cmocka_unit_test(test_scene),    cmocka_unit_test(test_y4m_sink),
                                       cmocka_unit_test(test_png_sink), cmocka_unit_test(test_video)};
    char folder[600];
    const char *slash = strrchr(argv[0], '/');
    snprintf(folder, sizeof folder, "%.*s/../..", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    setenv("LEAT_PLUGIN_DIR", folder, 1);
    return cmocka_run_group_tests_name("oom video", tests, set_up, vc_teardown);
}
