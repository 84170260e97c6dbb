/* test_track.c - the tracker on scenes with known truth, its assignment against brute force, its life rules, hostile input, MOT text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "leat/track.h"
#include "leat/video.h"
#include "mot_eval.h"
#include "workloads/track_assign.h"

enum { MOST = 1200, FRAMES = 600, SCENE_FRAMES = 240, MOST_BOXES = FRAMES * 40 };

static leat_detection given[MOST], tracked[MOST];

static leat_tracker *open_tracker(const leat_tracker_options *o) {
    leat_tracker *t;
    leat_error error = {0};
    if (leat_tracker_open(o, &t, &error)) fail_msg("%s", error.message);
    return t;
}

/* Under the guard: an update allocates nothing. */
static int update(leat_tracker *t, int n, float elapsed) {
    int count = -1;
    uint64_t before = leat__thread_hot_allocations();
    leat__hot_enter();
    assert_int_equal(leat_tracker_update(t, given, n, elapsed, tracked, &count), LEAT_OK);
    leat__hot_leave();
    assert_int_equal(leat__thread_hot_allocations(), before);
    return count;
}

static void put(int i, float x, float y, float side, float score, int class_id) {
    given[i] = (leat_detection){x - side / 2, y - side / 2, x + side / 2, y + side / 2, score, class_id, 0, 0, {{0}}};
}

/* ---- assignment ----------------------------------------------------------------------------------------------------------- */

static double best_of(const float *gain, int rows, int columns, int row, unsigned used) {
    if (row == rows) return 0;
    double best = best_of(gain, rows, columns, row + 1, used);
    for (int j = 0; j < columns; j++)
        if (!(used >> j & 1) && gain[row * columns + j] > 0)
            best = fmax(best, (double)gain[row * columns + j] + best_of(gain, rows, columns, row + 1, used | 1u << j));
    return best;
}

static double sum_of(const float *gain, int rows, int columns, const int32_t *match) {
    double sum = 0;
    unsigned char used[64] = {0};
    for (int i = 0; i < rows; i++) {
        if (match[i] < 0) continue;
        assert_true(match[i] < columns && !used[match[i]]);
        assert_true(gain[i * columns + match[i]] > 0);
        used[match[i]] = 1;
        sum += (double)gain[i * columns + match[i]];
    }
    return sum;
}

static void assignment_is_optimal(void **state) {
    for (int round = 0; round < 3000; round++) {
        float    gain[49];
        int32_t  match[7];
        uint64_t at = (uint64_t)round * 64;
        int rows = 1 + (int)(leat__rng_u64(1, 2, at) % 7), columns = 1 + (int)(leat__rng_u64(1, 3, at) % 7);
        float dense = leat__rng_uniformf(1, 4, at);
        for (int i = 0; i < rows * columns; i++)
            gain[i] = leat__rng_uniformf(1, 5, at + (uint64_t)i) < dense ? 0.05f + 0.95f * leat__rng_uniformf(1, 6, at + (uint64_t)i) : 0;
        void *scratch = malloc(leat__assign_bytes(rows, columns));
        leat__assign(gain, rows, columns, columns, match, scratch);
        free(scratch);
        double got = sum_of(gain, rows, columns, match), want = best_of(gain, rows, columns, 0, 0);
        if (fabs(got - want) > 1e-5) fail_msg("%d x %d: %g, the best is %g", rows, columns, got, want);
    }
}

/* ---- scenes --------------------------------------------------------------------------------------------------------------- */

typedef struct scene {
    eval_box truth[MOST_BOXES], found[MOST_BOXES * 2];
    int      n_truth, n_found;
    int      detections[FRAMES + 1]; /* first of each frame in `seen` */
    leat_detection seen[MOST_BOXES * 2];
} scene;

static float u(uint64_t seed, uint64_t stream, int index) { return leat__rng_uniformf(seed, stream, (uint64_t)index); }

/* `objects` at a time of 640 x 480: each lives for a while on a bent path, then another one enters. */
static void true_boxes(scene *s, uint64_t seed, int objects) {
    s->n_truth = 0;
    for (int f = 0; f < FRAMES; f++)
        for (int o = 0; o < objects; o++) {
            int   life = 80 + (int)(100 * u(seed, 1, o)), phase = (int)(100 * u(seed, 2, o)), turn = (f + phase) / life, t = (f + phase) % life;
            int   key = o * 100 + turn;
            float side = 24 + 50 * u(seed, 3, key), ratio = 0.7f + 0.6f * u(seed, 4, key), angle = 6.28f * u(seed, 5, key), speed = 1 + 4 * u(seed, 6, key);
            float bend = (u(seed, 7, key) - 0.5f) * 0.04f, x = 80 + 480 * u(seed, 8, key), y = 60 + 360 * u(seed, 9, key);
            for (int k = 0; k < t; k++, angle += bend) x += speed * cosf(angle), y += speed * sinf(angle);
            if (x < 0 || x > 640 || y < 0 || y > 480) continue;
            eval_box *b = &s->truth[s->n_truth++];
            *b = (eval_box){f, key + 1, {x - side * ratio / 2, y - side / 2, x + side * ratio / 2, y + side / 2}};
        }
}

static float jitter(uint64_t seed, int index, int k, float size) { return 0.02f * size * (float)leat__rng_normal(seed, 20 + (uint64_t)k, (uint64_t)index); }

/* Of the truth, 3 % are missed, 2 % jitter on all edges, and as many false boxes as 1 % of it. */
static void observe(scene *s, uint64_t seed) {
    int n = 0, at = 0;
    for (int f = 0; f < FRAMES; f++) {
        s->detections[f] = n;
        for (; at < s->n_truth && s->truth[at].frame == f; at++) {
            const float *b = s->truth[at].box;
            float w = b[2] - b[0], h = b[3] - b[1];
            if (u(seed, 10, at) < 0.01f) {
                float x = 600 * u(seed, 11, at), y = 440 * u(seed, 12, at), side = 20 + 50 * u(seed, 13, at);
                s->seen[n++] = (leat_detection){x, y, x + side, y + side, 0.3f + 0.4f * u(seed, 14, at), 0, 0, 0, {{0}}};
            }
            if (u(seed, 15, at) < 0.03f) continue;
            s->seen[n++] = (leat_detection){b[0] + jitter(seed, at, 0, w), b[1] + jitter(seed, at, 1, h), b[2] + jitter(seed, at, 2, w),
                                            b[3] + jitter(seed, at, 3, h), 0.5f + 0.5f * u(seed, 16, at), 0, 0, 0, {{0}}};
        }
    }
    s->detections[FRAMES] = n;
}

static eval_result follow(scene *s, const leat_tracker_options *o) {
    leat_tracker *t = open_tracker(o);
    s->n_found = 0;
    for (int f = 0; f < FRAMES; f++) {
        int n = s->detections[f + 1] - s->detections[f];
        memcpy(given, s->seen + s->detections[f], (size_t)n * sizeof *given);
        int count = update(t, n, 1);
        for (int i = 0; i < count; i++) {
            const leat_detection *d = &tracked[i];
            s->found[s->n_found++] = (eval_box){f, d->track, {d->x1, d->y1, d->x2, d->y2}};
        }
    }
    leat_tracker_close(t);
    return eval_tracks(s->truth, s->n_truth, s->found, s->n_found);
}

static void scenes_are_followed(void **state) {
    static scene s;
    leat_tracker_options o;
    double mota = 0, idf1 = 0;
    for (int kind = LEAT_TRACK_SORT; kind <= LEAT_TRACK_BYTE; kind++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            leat_tracker_options_default(&o);
            o.kind = (leat_track_kind)kind;
            true_boxes(&s, seed, 12);
            observe(&s, seed);
            eval_result r = follow(&s, &o);
            print_message("%s, scene %d: MOTA %.4f, IDF1 %.4f; of %d boxes %d missed, %d false, %d switches\n", leat_track_name(o.kind), (int)seed, r.mota,
                          r.idf1, r.truths, r.misses, r.false_boxes, r.switches);
            assert_true(r.truths > 2000);
            assert_true(r.mota >= 0.92);
            assert_true(r.idf1 >= 0.9);
            mota += r.mota / 10, idf1 += r.idf1 / 10;
        }
    }
    print_message("mean MOTA %.4f, IDF1 %.4f\n", mota, idf1);
}

/* The same on the library's scenes: their truth, where at least a quarter of an object is seen. */
static void truth_of_scene(scene *s, int seed) {
    leat_source *source;
    leat_source_info info;
    leat_error error = {0};
    char spec[96];
    s->n_truth = 0;
    snprintf(spec, sizeof spec, "scene:seed=%d,size=640x360,objects=14,noise=0,blur=0,frames=%d", seed, SCENE_FRAMES);
    if (leat_source_open(spec, NULL, &source, &error)) fail_msg("%s", error.message);
    leat_source_describe(source, &info);
    void *buffer = leat__alloc(info.frame_bytes, LEAT_MEMORY_IO);
    for (int f = 0; f < SCENE_FRAMES; f++) {
        leat_truth objects[64];
        leat_frame frame;
        int count = 0;
        assert_int_equal(leat_source_next(source, buffer, info.frame_bytes, &frame, &error), LEAT_OK);
        assert_int_equal(leat_source_truth(source, f, objects, 64, &count), LEAT_OK);
        assert_true(count <= 64);
        for (int i = 0; i < count; i++) {
            const float *b = objects[i].box;
            if (objects[i].visible < 0.25f || b[2] - b[0] < 4 || b[3] - b[1] < 4) continue;
            assert_true(s->n_truth < MOST_BOXES);
            s->truth[s->n_truth++] = (eval_box){f, objects[i].track, {b[0], b[1], b[2], b[3]}};
        }
    }
    leat_source_close(source);
    leat__free(buffer);
}

static void synthetic_scenes_are_followed(void **state) {
    static scene s;
    leat_tracker_options o;
    for (int seed = 1; seed <= 3; seed++) {
        leat_tracker_options_default(&o);
        truth_of_scene(&s, seed);
        observe(&s, (uint64_t)seed);
        eval_result r = follow(&s, &o);
        print_message("byte, scene:seed=%d: MOTA %.4f, IDF1 %.4f; of %d boxes %d missed, %d false, %d switches\n", seed, r.mota, r.idf1, r.truths, r.misses,
                      r.false_boxes, r.switches);
        assert_true(r.truths > 1500);
        assert_true(r.mota >= 0.92);
        assert_true(r.idf1 >= 0.9);
    }
}

/* The evaluator itself: the truth is perfect, a switch and a miss count. */
static void evaluator_counts(void **state) {
    eval_box t[8], f[8];
    for (int i = 0; i < 8; i++) t[i] = f[i] = (eval_box){i / 2, 1 + i % 2, {100.0f * (float)(i % 2), 0, 100.0f * (float)(i % 2) + 50, 50}};
    eval_result r = eval_tracks(t, 8, f, 8);
    assert_true(r.mota == 1 && r.idf1 == 1 && r.switches == 0);
    f[6].id = 2, f[7].id = 1; /* the last frame exchanges both */
    r = eval_tracks(t, 8, f, 8);
    assert_int_equal(r.switches, 2);
    assert_true(fabs(r.mota - 0.75) < 1e-9 && fabs(r.idf1 - 0.75) < 1e-9);
    r = eval_tracks(t, 8, f, 6); /* the last frame is missing */
    assert_int_equal(r.misses, 2);
    assert_true(fabs(r.idf1 - 12.0 / 14) < 1e-9);
}

/* ---- rules ---------------------------------------------------------------------------------------------------------------- */

static void identity_survives_a_gap(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    leat_tracker *t = open_tracker(&o);
    int id = 0;
    for (int f = 0; f < 60; f++) {
        int hidden = f >= 20 && f < 30;
        put(0, 50 + 4 * (float)f, 100, 40, 0.9f, 1);
        int n = update(t, hidden ? 0 : 1, 1);
        assert_int_equal(n, hidden ? 0 : 1); /* no ghosts */
        if (f == 0) id = tracked[0].track;
        if (n) assert_int_equal(tracked[0].track, id);
    }
    leat_tracker_close(t);
    t = open_tracker(&o);
    for (int f = 0; f < 60; f += f == 20 ? 10 : 1) { /* the same with frames that were dropped */
        put(0, 50 + 4 * (float)f, 100, 40, 0.9f, 1);
        assert_int_equal(update(t, 1, f == 30 ? 10 : 1), 1);
        assert_int_equal(tracked[0].track, 1);
    }
    leat_tracker_close(t);
}

static void low_scores_only_continue(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    for (int kind = LEAT_TRACK_SORT; kind <= LEAT_TRACK_BYTE; kind++) {
        o.kind = (leat_track_kind)kind;
        leat_tracker *t = open_tracker(&o);
        put(0, 100, 100, 40, 0.9f, 0);
        assert_int_equal(update(t, 1, 1), 1);
        put(0, 101, 100, 40, 0.15f, 0);
        put(1, 300, 100, 40, 0.15f, 0); /* starts nothing */
        assert_int_equal(update(t, 2, 1), kind == LEAT_TRACK_BYTE);
        assert_int_equal(update(t, 2, 1), kind == LEAT_TRACK_BYTE);
        leat_tracker_close(t);
    }
}

static void new_tracks_wait_for_hits(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    o.min_hits = 3;
    leat_tracker *t = open_tracker(&o);
    assert_int_equal(update(t, 0, 1), 0);
    put(0, 100, 100, 40, 0.9f, 0);
    assert_int_equal(update(t, 1, 1), 0);
    assert_int_equal(update(t, 1, 1), 0);
    assert_int_equal(update(t, 1, 1), 1);
    assert_int_equal(tracked[0].track, 1); /* those that came to nothing used up no number */
    leat_tracker_close(t);
}

static void classes_do_not_mix(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    o.min_hits = 1;
    for (int any = 0; any < 2; any++) {
        o.any_class = any;
        leat_tracker *t = open_tracker(&o);
        put(0, 100, 100, 40, 0.9f, 0);
        assert_int_equal(update(t, 1, 1), 1);
        put(0, 100, 100, 40, 0.9f, 1);
        assert_int_equal(update(t, 1, 1), 1);
        assert_int_equal(tracked[0].track, any ? 1 : 2);
        leat_tracker_close(t);
    }
}

static void smoothing_follows_the_track(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    o.box_weight = 0.5f;
    leat_tracker *t = open_tracker(&o);
    double raw = 0, smooth = 0, lag = 0;
    for (int f = 0; f < 300; f++) {
        float x = 100 + 3 * (float)f, noise = (float)leat__rng_normal(9, 0, (uint64_t)f);
        put(f % 2, x + noise, 100, 40, f % 5 != 2 ? 0.8f : 0.3f, 0); /* the place in the list changes each time */
        put(1 - f % 2, x, 300, 40, 0.5f, 0);
        assert_int_equal(update(t, 2, 1), 2);
        const leat_detection *d = &tracked[f % 2];
        assert_int_equal(d->track, 1);
        assert_true(d->y1 < 200);
        if (f < 50) continue;
        double off = (double)(d->x1 + d->x2) / 2 - (double)x;
        raw += (double)(noise * noise), smooth += off * off, lag += off / 250;
        assert_true(fabsf(d->score - 0.8f) < 1e-6f); /* the median */
    }
    print_message("variance %.3f of the raw, lag %.3f pixels\n", smooth / raw, lag);
    assert_true(smooth < 0.75 * raw);
    assert_true(fabs(lag) < 0.3);
    leat_tracker_close(t);
}

static void passes_through_without_tracking(void **state) {
    leat_tracker_options o;
    leat_tracker_options_default(&o);
    o.kind = LEAT_TRACK_NONE;
    leat_tracker *t = open_tracker(&o);
    for (int i = 0; i < 5; i++) put(i, 50 * (float)i, 50, 20, 0.1f * (float)(i + 1), i);
    assert_int_equal(update(t, 5, 1), 3);
    assert_int_equal(tracked[0].class_id, 2);
    assert_int_equal(tracked[0].track, 0);
    leat_tracker_close(t);
}

static void hostile_input(void **state) {
    leat_tracker_options o;
    leat_error error;
    leat_tracker_options_default(&o);
    o.max_tracks = 20, o.max_detections = 50, o.max_age = 3;
    leat_tracker *t = open_tracker(&o);
    const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e19f, 0, 1e-30f};
    for (int f = 0; f < 300; f++) {
        for (int i = 0; i < 60; i++) {
            int k = f * 60 + i;
            put(i, 600 * u(1, 1, k), 400 * u(1, 2, k), 5 + 60 * u(1, 3, k), u(1, 4, k), 0);
            float *v = &given[i].x1 + (int)(5 * u(1, 5, k));
            if (u(1, 6, k) < 0.2f) *v = odd[(int)(8 * u(1, 7, k))];
        }
        int n = update(t, 60, f % 7 ? 1 : 100);
        assert_true(n <= 20);
        for (int i = 0; i < n; i++) {
            assert_true(tracked[i].track > 0);
            assert_true(tracked[i].x2 > tracked[i].x1 && tracked[i].y2 > tracked[i].y1);
            for (int k = 0; k < i; k++) assert_true(tracked[i].track != tracked[k].track);
        }
    }
    int count;
    assert_int_equal(leat_tracker_update(t, given, 1, NAN, tracked, &count), LEAT_EINVAL);
    assert_int_equal(leat_tracker_update(t, given, -1, 1, tracked, &count), LEAT_EINVAL);
    leat_tracker_close(t);
    o.high = 2;
    assert_int_equal(leat_tracker_open(&o, &t, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "high"));
}

/* ---- MOT text ------------------------------------------------------------------------------------------------------------- */

static int64_t parse(const char *text, leat_mot_row **rows, int status) {
    int64_t n = -1;
    leat_error error = {0};
    int got = leat_mot_parse(text, strlen(text), rows, &n, &error);
    if (got != status) fail_msg("status %d: %s", got, error.message);
    if (status != LEAT_OK) assert_non_null(strstr(error.message, "line "));
    return n;
}

static void mot_text(void **state) {
    leat_mot_row *rows;
    char line[LEAT_MOT_LINE];
    assert_int_equal(parse("# a comment\n2,-1,10,20,30,40,0.5,-1,-1,-1\r\n\n1, 7, 1.5,2,3,4\n2 5 0 0 1 1 0.25 3", &rows, LEAT_OK), 3);
    assert_int_equal(rows[0].frame, 1);
    assert_int_equal(rows[0].detection.track, 7);
    assert_true(rows[0].detection.x2 == 4.5f && rows[0].detection.score == 1);
    assert_int_equal(rows[1].detection.track, 0);
    assert_int_equal(rows[1].detection.class_id, -1);
    assert_int_equal(rows[2].detection.class_id, 3);
    int length = leat_mot_format(&rows[1], line);
    assert_int_equal(length, (int)strlen(line));
    assert_string_equal(line, "2,-1,10.00,20.00,30.00,40.00,0.5000,-1,-1,-1\n");
    leat_mot_free(rows);
    assert_int_equal(parse("", &rows, LEAT_OK), 0);
    leat_mot_free(rows);
    const char *bad[] = {"1,2,3\n", "1,1,0,0,1,x\n", "-1,1,0,0,1,1\n", "1.5,1,0,0,1,1\n", "1,1,nan,0,1,1\n", "1,1,0,0,1e99,1\n", "1,1,0,0,1,1z\n", "\f1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i], &rows, LEAT_EFORMAT), 0);
        assert_null(rows);
    }
    leat_mot_row huge = {INT64_MAX, {-3e38f, -3e38f, 3e38f, 3e38f, 1, INT32_MAX, INT32_MAX, 0, {{0}}}};
    assert_true(leat_mot_format(&huge, line) < LEAT_MOT_LINE);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assignment_is_optimal), cmocka_unit_test(evaluator_counts), cmocka_unit_test(scenes_are_followed), cmocka_unit_test(synthetic_scenes_are_followed),
        cmocka_unit_test(identity_survives_a_gap), cmocka_unit_test(low_scores_only_continue), cmocka_unit_test(new_tracks_wait_for_hits),
        cmocka_unit_test(classes_do_not_mix), cmocka_unit_test(smoothing_follows_the_track), cmocka_unit_test(passes_through_without_tracking),
        cmocka_unit_test(hostile_input), cmocka_unit_test(mot_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
