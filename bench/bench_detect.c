/* bench_detect.c - decode and suppression of a [1, 16128, 7] output with 1,300 candidates; microseconds, median.
 *
 *     build/bench/bench_detect
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/stats.h"
#include "cpu/cpu.h"
#include "leat/detect.h"

enum { ANCHORS = 16128, FIELDS = 7, ROUNDS = 400 };

/* `passing` anchors above the threshold, in clusters around `objects` places, the others below. */
static void fill(float *t, int passing, int objects) {
    for (int i = 0; i < ANCHORS; i++)
        for (int k = 0; k < FIELDS; k++) t[i * FIELDS + k] = 0.2f * leat__rng_uniformf(1, 1, (uint64_t)(i * FIELDS + k));
    for (int i = 0; i < passing; i++) {
        float *row = t + (size_t)(i * 12 + i % 5) * FIELDS, jitter[4];
        int at = i % objects;
        for (int k = 0; k < 4; k++) jitter[k] = 6 * leat__rng_uniformf(2, (uint64_t)k, (uint64_t)i) - 3;
        row[0] = 20 + 470 * leat__rng_uniformf(3, 0, (uint64_t)at) + jitter[0], row[1] = 20 + 470 * leat__rng_uniformf(3, 1, (uint64_t)at) + jitter[1];
        row[2] = 30 + jitter[2], row[3] = 30 + jitter[3];
        row[4] = 0.6f + 0.4f * leat__rng_uniformf(4, 0, (uint64_t)i);
        row[5 + at % 2] = 0.7f + 0.3f * leat__rng_uniformf(4, 1, (uint64_t)i);
    }
}

static void measure(const char *name, const leat_tensor *t, const leat_detector_options *options) {
    static double decode[ROUNDS], nms[ROUNDS], all[ROUNDS];
    static leat_detection found[ANCHORS];
    const leat_detect_view view = {{0.5f, 0.5f, 0, 0, 512, 512}, 1024, 1024};
    leat_detect_times times = {0};
    leat_decode *d;
    leat_error error;
    int count = 0;
    if (leat_decode_open(t, NULL, 1, options, &d, &error) != LEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    for (int i = 0; i < ROUNDS; i++) {
        count = leat_decode_run(d, t, 0, &view, found, &times);
        decode[i] = times.decode_ms * 1e3, nms[i] = times.nms_ms * 1e3;
        all[i] = decode[i] + nms[i];
    }
    leat_summary a, b, c;
    leat__summarise(decode, ROUNDS, &a);
    leat__summarise(nms, ROUNDS, &b);
    leat__summarise(all, ROUNDS, &c);
    printf("%-44s %6d candidates %4d kept   decode %7.1f us   nms %7.1f us   both %7.1f us (p99 %.1f)\n", name, (int)times.candidates, count, a.p50, b.p50,
           c.p50, c.p99);
    leat_decode_close(d);
}

int main(void) {
    leat_tensor t = {calloc(ANCHORS * FIELDS, sizeof(float)), LEAT_DTYPE_F32, 3, {1, ANCHORS, FIELDS}, 0};
    leat_detector_options options;
    if (!t.data) return 1;
    leat_detector_options_default(&options);
    options.preprocess.width = options.preprocess.height = 512;
    fill(t.data, 1300, 60);
    measure("60 objects", &t, &options);
    fill(t.data, 1300, 1300);
    options.nms.max_kept = 1300;
    measure("1,300 objects", &t, &options);
    options.nms.iou = 1;
    measure("nothing is suppressed", &t, &options);
    options.nms.iou = 0.45f;
    options.nms.kind = LEAT_NMS_GAUSSIAN;
    options.nms.max_kept = 300;
    measure("soft", &t, &options);
    free(t.data);
    return 0;
}
