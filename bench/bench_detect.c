/* bench_detect.c - decode and suppression of a [1, 16128, 7] output with 1,300 candidates; microseconds, median.
 *
 *     build/bench/bench_detect
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stats.h"
#include "cpu/cpu.h"
#include "leat/detect.h"
#include "yolo_output.h"

enum { ROUNDS = 400 };

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
    fill_output(t.data, 1300, 60);
    measure("60 objects", &t, &options);
    fill_output(t.data, 1300, 1300);
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
