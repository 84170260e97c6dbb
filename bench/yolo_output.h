/* yolo_output.h - an output [1, 16128, 7] as a detector of two classes gives it, with known objects in it. */
#ifndef LEAT_BENCH_YOLO_OUTPUT_H
#define LEAT_BENCH_YOLO_OUTPUT_H

#include "base/rng.h"

enum { ANCHORS = 16128, FIELDS = 7 };

/* `passing` anchors above the threshold, in clusters around `objects` places, the others below. */
static inline void fill_output(float *t, int passing, int objects) {
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

#endif
