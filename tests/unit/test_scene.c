/* test_scene.c - synthetic scenes: every frame from its number alone, truth that agrees with the pixels, formats, hostile specs,
 * no allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "media/scene.h"

typedef struct shot {
    leat__scene *scene;
    leat__scene_info info;
    leat_frame frame;
    uint8_t *pixels;
    size_t bytes;
} shot;

static shot open_shot(const char *spec) {
    shot s = {0};
    leat_error error = {0};
    if (leat__scene_open(spec, &s.scene, &error) != LEAT_OK) fail_msg("%s: %s", spec, error.message);
    leat__scene_describe(s.scene, &s.info);
    s.bytes = leat_frame_bytes(s.info.format, s.info.width, s.info.height);
    s.pixels = malloc(s.bytes);
    assert_int_equal(leat_frame_layout(&s.frame, s.info.format, s.info.width, s.info.height, s.pixels), LEAT_OK);
    return s;
}

static void close_shot(shot *s) {
    leat__scene_close(s->scene);
    free(s->pixels);
}

static uint64_t draw(shot *s, int64_t index) {
    uint64_t hash = 0xcbf29ce484222325u;
    memset(s->pixels, 0x5a, s->bytes);
    assert_int_equal(leat__scene_render(s->scene, index, &s->frame), LEAT_OK);
    assert_int_equal(s->frame.index, index);
    for (size_t i = 0; i < s->bytes; i++) hash = (hash ^ s->pixels[i]) * 0x100000001b3u;
    return hash;
}

static int truth_of(const shot *s, int64_t index, leat_truth out[200]) {
    int count = -1;
    assert_int_equal(leat__scene_truth(s->scene, index, out, 200, &count), LEAT_OK);
    assert_in_range(count, 0, s->info.objects);
    return count;
}

static void frames_depend_on_their_number_alone(void **state) {
    (void)state;
    const char *spec = "scene:seed=7,size=321x179,objects=9";
    shot a = open_shot(spec), b = open_shot(spec), other = open_shot("seed=8,size=321x179,objects=9");
    uint64_t forward[12];
    leat_truth first[200], again[200];
    for (int i = 0; i < 12; i++) forward[i] = draw(&a, i * 31);
    int n = truth_of(&a, 5 * 31, first);
    for (int i = 11; i >= 0; i--) assert_true(draw(&b, i * 31) == forward[i]);
    assert_int_equal(truth_of(&b, 5 * 31, again), n);
    assert_memory_equal(first, again, sizeof first[0] * (size_t)n);
    assert_true(forward[0] != forward[1]);
    assert_true(draw(&other, 0) != forward[0]);
    close_shot(&a);
    close_shot(&b);
    close_shot(&other);
}

static int differs(const shot *a, const shot *b, int x, int y) {
    int64_t at = y * a->frame.stride[0] + 3 * (int64_t)x;
    return memcmp(a->pixels + at, b->pixels + at, 3) != 0;
}

static int changed_between(const shot *a, const shot *b, int x0, int y0, int x1, int y1) {
    int n = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) n += differs(a, b, x, y);
    return n;
}

static int near_a_box(const leat_truth *t, int n, int x, int y, int slack) {
    for (int i = 0; i < n; i++)
        if ((float)x >= t[i].box[0] - (float)slack && (float)x < t[i].box[2] + (float)slack &&
            (float)y >= t[i].box[1] - (float)slack && (float)y < t[i].box[3] + (float)slack)
            return 1;
    return 0;
}

/* Effects off: what differs from the same table without objects is an object. */
static void truth_agrees_with_pixels(void **state) {
    (void)state;
    int boxes = 0;
    for (int seed = 1; seed <= 12; seed++) {
        char spec[160];
        snprintf(spec, sizeof spec, "seed=%d,size=400x300,noise=0,shadow=0,light=0,blur=0,shake=0,objects=8", seed);
        shot full = open_shot(spec);
        snprintf(spec, sizeof spec, "seed=%d,size=400x300,noise=0,shadow=0,light=0,blur=0,shake=0,objects=0", seed);
        shot empty = open_shot(spec);
        leat_truth t[200];
        draw(&full, seed * 50);
        draw(&empty, seed * 50);
        int n = truth_of(&full, seed * 50, t);
        /* Two pixels around a box may be covered by less than half; so may slivers at the border that are no object of the truth.
         */
        for (int y = 2; y < 298; y++)
            for (int x = 2; x < 398; x++)
                if (!near_a_box(t, n, x, y, 2)) assert_false(differs(&full, &empty, x, y));
        for (int i = 0; i < n; i++, boxes++) {
            int x0 = (int)t[i].box[0], y0 = (int)t[i].box[1], x1 = (int)t[i].box[2], y1 = (int)t[i].box[3];
            assert_true(x0 >= 0 && y0 >= 0 && x1 <= 400 && y1 <= 300 && x0 < x1 && y0 < y1);
            assert_true(t[i].visible > 0 && t[i].visible <= 1);
            assert_true(changed_between(&full, &empty, x0, y0, x0 + 1, y1) > 0 &&
                        changed_between(&full, &empty, x1 - 1, y0, x1, y1) > 0);
            assert_true(changed_between(&full, &empty, x0, y0, x1, y0 + 1) > 0 &&
                        changed_between(&full, &empty, x0, y1 - 1, x1, y1) > 0);
            if (t[i].visible > 0.99f) assert_true(changed_between(&full, &empty, x0, y0, x1, y1) * 2 > (x1 - x0) * (y1 - y0));
        }
        close_shot(&full);
        close_shot(&empty);
    }
    assert_true(boxes > 40);
}

/* A lone object: its share inside the frame is what its box says, when the box is cut by one border. */
static void covered_objects_show_less(void **state) {
    (void)state;
    shot s = open_shot("seed=3,size=320x240,objects=60,scale=2");
    int hidden = 0, whole = 0;
    for (int i = 0; i < 10; i++) {
        leat_truth t[200];
        draw(&s, i * 40);
        int n = truth_of(&s, i * 40, t);
        for (int k = 0; k < n; k++) {
            hidden += t[k].visible < 0.8f;
            whole += t[k].visible == 1;
        }
    }
    assert_true(hidden > 30);
    assert_true(whole > 30);
    close_shot(&s);
}

static void tracks_come_and_go(void **state) {
    (void)state;
    shot s = open_shot("seed=5,size=320x180,objects=10,frames=300");
    enum { TRACKS = 400 };
    int class_of[TRACKS], frames_of[TRACKS] = {0}, last_of[TRACKS], returned = 0, seen = 0, classes[2] = {0};
    for (int f = 0; f < 300; f++) {
        leat_truth t[200];
        draw(&s, f);
        int n = truth_of(&s, f, t);
        for (int i = 0; i < n; i++) {
            int id = t[i].track;
            assert_in_range(id, 1, TRACKS - 1);
            if (frames_of[id]++ == 0) {
                class_of[id] = t[i].class_index;
                classes[class_of[id]]++;
                seen++;
            } else if (last_of[id] != f - 1)
                returned++;
            assert_int_equal(class_of[id], t[i].class_index);
            last_of[id] = f;
        }
    }
    assert_true(seen > 15);
    assert_true(classes[0] > 3 && classes[1] > 3);
    assert_true(returned < seen); /* behind another object, rarely more */
    close_shot(&s);
}

static void only_late_truth_is_kept(void **state) {
    (void)state;
    shot s = open_shot("seed=2,size=64x48,objects=5,scale=3");
    leat_truth t[2];
    int n = -1;
    assert_int_equal(leat__scene_truth(s.scene, 0, t, 2, &n), LEAT_EINVAL);
    for (int i = 0; i <= LEAT_SCENE_KEPT; i++) draw(&s, i);
    assert_int_equal(leat__scene_truth(s.scene, 0, t, 2, &n), LEAT_EINVAL);
    assert_int_equal(leat__scene_truth(s.scene, 1, NULL, 0, &n), LEAT_OK);
    assert_int_equal(leat__scene_truth(s.scene, -1, t, 2, &n), LEAT_EINVAL);
    assert_int_equal(leat__scene_truth(s.scene, 1, NULL, 2, &n), LEAT_EINVAL);
    close_shot(&s);
}

static atomic_int drawn;

static void *draw_all(void *arg) {
    shot *s = arg;
    for (int i = 0; i < 400; i++) {
        if (leat__scene_render(s->scene, i, &s->frame) != LEAT_OK) return s;
        atomic_store(&drawn, i + 1);
    }
    return NULL;
}

/* A reader sees a frame's truth whole or not at all. */
static void truth_is_read_while_drawing(void **state) {
    (void)state;
    static leat_truth expected[400][200];
    int counts[400], read = 0;
    void *failed = NULL;
    pthread_t thread;
    shot a = open_shot("seed=9,size=48x32,objects=12,scale=3"), b = open_shot("seed=9,size=48x32,objects=12,scale=3");
    for (int i = 0; i < 400; i++) {
        draw(&a, i);
        counts[i] = truth_of(&a, i, expected[i]);
    }
    assert_int_equal(pthread_create(&thread, NULL, draw_all, &b), 0);
    for (int i = 0; i < 400; i++) {
        leat_truth now[200];
        int n = 0, over = 0, status;
        while ((status = leat__scene_truth(b.scene, i, now, 200, &n)) != LEAT_OK && !over) over = atomic_load(&drawn) > i;
        if (status != LEAT_OK) continue; /* it came and went */
        assert_int_equal(n, counts[i]);
        assert_memory_equal(now, expected[i], sizeof now[0] * (size_t)n);
        read++;
    }
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_true(read > 100);
    close_shot(&a);
    close_shot(&b);
}

static void formats_are_conversions_of_rgb(void **state) {
    (void)state;
    static const char *const formats[] = {"uyvy", "nv12", "bgra", "i420"};
    shot rgb = open_shot("seed=4,size=203x97");
    draw(&rgb, 9);
    for (int i = 0; i < 4; i++) {
        char spec[80];
        snprintf(spec, sizeof spec, "seed=4,size=203x97,format=%s,matrix=601", formats[i]);
        shot s = open_shot(spec);
        draw(&s, 9);
        assert_int_equal(s.frame.matrix, LEAT_MATRIX_BT601);
        uint8_t *expected = malloc(s.bytes);
        leat_frame target = s.frame;
        assert_int_equal(leat_frame_layout(&target, s.info.format, 203, 97, expected), LEAT_OK);
        assert_int_equal(leat_frame_convert(&rgb.frame, &target), LEAT_OK);
        assert_memory_equal(expected, s.pixels, s.bytes);
        free(expected);
        close_shot(&s);
    }
    close_shot(&rgb);
}

static void drawing_allocates_nothing(void **state) {
    (void)state;
    shot s = open_shot("seed=6,size=160x120,objects=20,format=nv12,blur=4,scale=4");
    uint64_t before = leat__thread_allocations();
    for (int i = 0; i < 200; i++) assert_int_equal(leat__scene_render(s.scene, i * 3, &s.frame), LEAT_OK);
    assert_true(leat__thread_allocations() == before);
    close_shot(&s);
}

static void odd_sizes_work(void **state) {
    (void)state;
    static const char *const specs[] = {"size=1x1",
                                        "size=1x700,objects=30",
                                        "size=5000x3",
                                        "size=17x5,scale=4,blur=4,shake=4",
                                        "size=33x31,objects=200,scale=4,noise=4,light=4",
                                        "size=64x64,fps=0.1,blur=4,objects=3",
                                        "size=90x60,seed=9007199254740992,fps=1000",
                                        ""};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        shot s = open_shot(specs[i]);
        for (int f = 0; f < 5; f++) draw(&s, f * 1000003);
        close_shot(&s);
    }
}

static void wrong_specs_are_named(void **state) {
    (void)state;
    static const char *const wrong[][2] = {{"size=0x5", "size"},
                                           {"size=20", "size"},
                                           {"size=20000x2", "size"},
                                           {"objects=201", "objects"},
                                           {"objects=-1", "objects"},
                                           {"fps=0", "fps"},
                                           {"fps=nan", "fps"},
                                           {"noise=5", "noise"},
                                           {"format=rgb", "format"},
                                           {"matrix=2020", "matrix"},
                                           {"background=sea", "background"},
                                           {"colour=red", "colour"},
                                           {"seed", "seed"},
                                           {"seed=", "seed"},
                                           {"seed=1x", "seed"},
                                           {"seed=-1", "seed"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        leat__scene *scene = (leat__scene *)1;
        leat_error error = {0};
        assert_int_equal(leat__scene_open(wrong[i][0], &scene, &error), LEAT_EINVAL);
        assert_null(scene);
        assert_non_null(strstr(error.message, wrong[i][1]));
    }
    char text[2000];
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = 0;
    leat__scene *scene;
    assert_int_equal(leat__scene_open(text, &scene, NULL), LEAT_EINVAL);
}

static void wrong_frames_are_refused(void **state) {
    (void)state;
    shot s = open_shot("size=32x32");
    leat_frame wide = s.frame;
    wide.width = 33;
    assert_int_equal(leat__scene_render(s.scene, 0, &wide), LEAT_EINVAL);
    wide = s.frame;
    wide.format = LEAT_PIXEL_BGR24;
    assert_int_equal(leat__scene_render(s.scene, 0, &wide), LEAT_EINVAL);
    assert_int_equal(leat__scene_render(s.scene, -1, &s.frame), LEAT_EINVAL);
    close_shot(&s);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    int status = LEAT_ENOMEM;
    for (uint64_t n = 1; status != LEAT_OK; n++) {
        leat__scene *scene = NULL;
        leat_error error = {0};
        leat__alloc_fail_at(n, 0);
        status = leat__scene_open("size=24x16,objects=3,format=uyvy", &scene, &error);
        leat__alloc_fail_at(0, 0);
        if (status == LEAT_OK) {
            assert_true(n > 10);
            leat__scene_close(scene);
        } else {
            assert_int_equal(status, LEAT_ENOMEM);
            assert_null(scene);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_depend_on_their_number_alone),
                                       cmocka_unit_test(truth_agrees_with_pixels),
                                       cmocka_unit_test(covered_objects_show_less),
                                       cmocka_unit_test(tracks_come_and_go),
                                       cmocka_unit_test(only_late_truth_is_kept),
        cmocka_unit_test(truth_is_read_while_drawing),
                                       cmocka_unit_test(formats_are_conversions_of_rgb),
                                       cmocka_unit_test(drawing_allocates_nothing),
                                       cmocka_unit_test(odd_sizes_work),
                                       cmocka_unit_test(wrong_specs_are_named),
                                       cmocka_unit_test(wrong_frames_are_refused),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
