/* bench_circlefit.c - times drawing and measuring of circle scenes.
 *
 * usage: bench_circlefit [SCENES SECONDS]
 *
 * Without arguments: the fixtures and the usual workloads, one line each, on one thread.  With a file of bench/peers/bench_circlefit.py (little endian:
 * int32 width, height, circles, scenes, frozen; RGB bytes of the reference; frozen + scenes * circles times seven doubles): one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "leat/leat.h"

typedef struct scenes {
    int32_t      width, height, circles, count, frozen;
    leat_image   reference, canvas;
    leat_circle *all; /* [frozen + count * circles] */
} scenes;

typedef struct figures {
    double   render_us, eval_us;
    uint64_t writes, sse; /* of all scenes */
} figures;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { ROUNDS = 9 };

/* Median over rounds of the mean time of a call, for about `seconds` in all. */
static double time_calls(void (*call)(void *, int), void *arg, double seconds) {
    double  us[ROUNDS];
    int64_t start = leat__now_ns();
    int     n = 0, index = 0;
    do call(arg, index++);
    while (leat__now_ns() - start < (int64_t)(seconds * 1e8));
    n = index;
    for (int round = 0; round < ROUNDS; round++) {
        start = leat__now_ns();
        for (int i = 0; i < n; i++) call(arg, index++);
        us[round] = (double)(leat__now_ns() - start) / 1e3 / n;
    }
    qsort(us, ROUNDS, sizeof *us, by_value);
    return us[ROUNDS / 2];
}

typedef struct job {
    const scenes          *s;
    leat_circle_renderer  *renderer;
    leat_circle_evaluator *evaluator;
    leat_image             image;
    uint64_t               writes, sse;
} job;

static const leat_circle *scene_of(const job *j, int index) { return j->s->all + j->s->frozen + (int64_t)(index % j->s->count) * j->s->circles; }

static void draw_scene(void *arg, int index) {
    job *j = arg;
    memcpy(j->image.data, j->s->canvas.data, (size_t)(j->image.stride * j->image.height));
    leat_circle_renderer_draw(j->renderer, scene_of(j, index), j->s->circles, &j->image, &j->writes);
}

static void measure_scene(void *arg, int index) {
    job *j = arg;
    leat_circle_evaluate(j->evaluator, scene_of(j, index), j->s->circles, &j->sse);
}

static int measure(scenes *s, double seconds, figures *f) {
    job                 j = {.s = s};
    leat_circle_target *target = NULL;
    memset(f, 0, sizeof *f);
    int failed = leat_image_alloc(s->width, s->height, &s->canvas) || leat_image_alloc(s->width, s->height, &j.image);
    if (failed) return 1;
    memset(s->canvas.data, 255, (size_t)(s->canvas.stride * s->height));
    failed = leat_circles_render(s->all, s->frozen, &s->canvas, NULL, NULL) || leat_circle_target_open(&s->reference, &s->canvas, &target, NULL) ||
             leat_circle_evaluator_open(target, s->circles, &j.evaluator) || leat_circle_renderer_open(s->circles, s->width, NULL, &j.renderer);
    for (int i = 0; !failed && i < s->count; i++) {
        draw_scene(&j, i);
        measure_scene(&j, i);
        f->writes += j.writes;
        f->sse += j.sse;
    }
    if (!failed) {
        f->render_us = time_calls(draw_scene, &j, seconds / 2);
        f->eval_us = time_calls(measure_scene, &j, seconds / 2);
    }
    leat_circle_renderer_close(j.renderer);
    leat_circle_evaluator_close(j.evaluator);
    leat_circle_target_unref(target);
    leat_image_free(&j.image);
    leat_image_free(&s->canvas);
    return failed;
}

/* ---- scenes ------------------------------------------------------------------------------------------------------------------------- */

static int read_scenes(const char *path, scenes *s) {
    FILE *file = fopen(path, "rb");
    if (!file) return 1;
    int    bad = fread(&s->width, sizeof(int32_t), 5, file) != 5;
    size_t circles = bad ? 0 : (size_t)s->frozen + (size_t)s->count * (size_t)s->circles;
    bad = bad || leat_image_alloc(s->width, s->height, &s->reference) || !(s->all = calloc(circles, sizeof *s->all));
    bad = bad || fread(s->reference.data, 3 * (size_t)s->width, (size_t)s->height, file) != (size_t)s->height;
    bad = bad || fread(s->all, sizeof *s->all, circles, file) != circles;
    fclose(file);
    return bad;
}

static double uniform(uint64_t *n) { return leat__rng_uniform(20250812, 1, (*n)++); }

/* Circles as the original drew its first populations: anywhere, up to `reach` in radius. */
static int make_scenes(int side, int circles, int frozen, double reach, int count, scenes *s) {
    uint64_t n = 0;
    *s = (scenes){.width = side, .height = side, .circles = circles, .count = count, .frozen = frozen};
    s->all = calloc((size_t)frozen + (size_t)count * (size_t)circles, sizeof *s->all);
    if (!s->all || leat_image_alloc(side, side, &s->reference)) return 1;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            uint8_t *p = s->reference.data + y * s->reference.stride + 3 * x;
            int      noise = (int)(64 * uniform(&n));
            p[0] = (uint8_t)(3 * x + noise);
            p[1] = (uint8_t)(5 * y + noise);
            p[2] = (uint8_t)(2 * (x + y) + noise);
        }
    for (int i = 0; i < frozen + count * circles; i++)
        s->all[i] = (leat_circle){uniform(&n) * side, uniform(&n) * side, 1 + uniform(&n) * (reach - 1), uniform(&n), uniform(&n), uniform(&n), uniform(&n)};
    return 0;
}

/* The original's fixture: no random numbers. */
static void make_fixture(scenes *s) {
    for (int c = 0; c < s->circles; c++)
        s->all[c] = (leat_circle){37 * c % s->width + 0.25, 53 * c % s->height + 0.75, 2 + 11 * c % (s->width / 4), 29 * c % 256 / 255.0, 47 * c % 256 / 255.0,
                                  71 * c % 256 / 255.0, 0.25 + 0.7 * (17 * c % 100) / 100};
}

static void free_scenes(scenes *s) {
    leat_image_free(&s->reference);
    free(s->all);
}

static int run_workloads(void) {
    static const struct { const char *name; int side, circles, frozen; double reach; int count; } work[] = {
        {"fixture 256x30", 256, 30, 0, 0, 1}, {"fixture 512x100", 512, 100, 0, 0, 1}, {"small 64, K10", 64, 10, 0, 64, 64},
        {"medium 256, K30", 256, 30, 0, 256, 64}, {"large 512, K64", 512, 64, 0, 512, 32}, {"256, K250 of r < 32", 256, 250, 0, 32, 16},
        {"512, K2000 of r < 32", 512, 2000, 0, 32, 4}, {"256, 1 on 30", 256, 1, 30, 256, 64}, {"256, 1 of r < 32 on 30", 256, 1, 30, 32, 64},
        {"256, 5 on 30", 256, 5, 30, 64, 64}, {"512, 1 on 100", 512, 1, 100, 512, 64}};
    printf("%-24s %12s %12s %14s\n", "workload", "render us", "evaluate us", "writes a scene");
    for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
        scenes  s;
        figures f;
        int     failed = make_scenes(work[i].side, work[i].circles, work[i].frozen, work[i].reach, work[i].count, &s);
        if (!failed && work[i].reach == 0) make_fixture(&s);
        if (!failed && !measure(&s, 1, &f)) printf("%-24s %12.2f %12.2f %14.0f\n", work[i].name, f.render_us, f.eval_us, (double)f.writes / s.count);
        free_scenes(&s);
    }
    return 0;
}

int main(int argc, char **argv) {
    scenes  s = {0};
    figures f;
    if (argc < 3) return run_workloads();
    int failed = read_scenes(argv[1], &s) || measure(&s, atof(argv[2]), &f);
    if (failed) fprintf(stderr, "bench_circlefit: %s cannot be read or measured\n", argv[1]);
    else
        printf("{\"render_us\": %.4f, \"eval_us\": %.4f, \"writes\": %llu, \"sse\": %llu}\n", f.render_us, f.eval_us, (unsigned long long)f.writes,
               (unsigned long long)f.sse);
    free_scenes(&s);
    return failed;
}
