/* fuzz_detect.c - MOT text and network outputs of any bytes: decoders, suppression and tracker keep their promises. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "leat/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIDE = 64, CELLS = 84, MOST = 400, FRAMES = 16 };

/* What comes out must be finite, ordered and inside. */
static void check(const leat_detection *d, int n, float side) {
    for (int i = 0; i < n; i++)
        if (!(d[i].x1 >= 0 && d[i].y1 >= 0 && d[i].x2 <= side && d[i].y2 <= side && d[i].x1 < d[i].x2 && d[i].y1 < d[i].y2 && d[i].score >= 0)) abort();
}

/* The bytes, again and again, as float32. */
static void fill(leat_tensor *t, const uint8_t *data, size_t size) {
    size_t bytes = leat_tensor_bytes(t);
    t->data = leat__calloc(bytes, 1, LEAT_MEMORY_IO);
    for (size_t i = 0; t->data && size && i < bytes; i++) ((uint8_t *)t->data)[i] = data[i % size];
}

static void decode(const uint8_t *data, size_t size, leat_decoder kind, leat_nms_kind nms) {
    static const int64_t cells[3] = {64, 16, 4}, widths[4] = {1, 1, 4, 10};
    leat_tensor t[12] = {{NULL, LEAT_DTYPE_F32, 3, {1, CELLS, 7}, 0}};
    leat_detector_options o;
    leat_decode *d;
    leat_detection found[MOST];
    leat_error error;
    int n = kind == LEAT_DECODER_YUNET ? 12 : kind == LEAT_DECODER_NANODET ? 6 : kind == LEAT_DECODER_SSD ? 2 : 1;
    const leat_detect_view view = {{1, 1, 0, 0, SIDE, SIDE}, SIDE, SIDE};
    if (kind == LEAT_DECODER_YOLOV8) t[0].dims[1] = 6, t[0].dims[2] = CELLS;
    for (int i = 0; n == 12 && i < n; i++) t[i] = (leat_tensor){NULL, LEAT_DTYPE_F32, 3, {1, cells[i % 3], widths[i / 3]}, 0};
    for (int i = 0; n == 6 && i < n; i++) t[i] = (leat_tensor){NULL, LEAT_DTYPE_F32, 3, {1, cells[i % 3], i < 3 ? 3 : 32}, 0};
    for (int i = 0; n == 2 && i < n; i++) t[i] = (leat_tensor){NULL, LEAT_DTYPE_F32, 3, {1, CELLS, i ? 4 : 3}, 0};
    for (int i = 0; i < n; i++) fill(&t[i], data + (size_t)i % (size + 1), size - (size_t)i % (size + 1));
    leat_detector_options_default(&o);
    o.decoder = kind;
    o.preprocess.width = o.preprocess.height = SIDE;
    o.nms.kind = nms;
    o.nms.score = 0.1f;
    if (leat_decode_open(t, NULL, n, &o, &d, &error) != LEAT_OK) abort();
    check(found, leat_decode_run(d, t, 0, &view, found, NULL), SIDE);
    leat_decode_close(d);
    for (int i = 0; i < n; i++) leat__free(t[i].data);
}

static void track(leat_mot_row *rows, int64_t n) {
    leat_tracker_options o;
    leat_tracker *t;
    leat_detection boxes[64];
    leat_tracker_options_default(&o);
    o.max_tracks = 16, o.max_detections = 32;
    if (leat_tracker_open(&o, &t, NULL) != LEAT_OK) return;
    for (int64_t at = 0, frames = 0; at < n && frames < FRAMES; frames++) {
        int count = 0, out;
        char line[LEAT_MOT_LINE];
        int64_t frame = rows[at].frame;
        for (; at < n && rows[at].frame == frame; at++)
            if (count < 64) boxes[count++] = rows[at].detection;
        if (leat_tracker_update(t, boxes, count, 1, boxes, &out) != LEAT_OK || out > count) abort();
        for (int i = 0; i < out; i++) {
            leat_mot_row row = {frame, boxes[i]};
            if (boxes[i].track < 1 || leat_mot_format(&row, line) < 1) abort();
        }
    }
    leat_tracker_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_mot_row *rows;
    int64_t count;
    leat_error error = {0};
    int status = leat_mot_parse((const char *)data, size, &rows, &count, &error);
    if (status == LEAT_OK) track(rows, count);
    else if (error.status != status || !error.message[0]) abort();
    leat_mot_free(rows);
    if (size < 2) return 0;
    decode(data + 2, size - 2, (leat_decoder)(1 + data[0] % 7) == LEAT_DECODER_PRIORS ? LEAT_DECODER_YUNET : (leat_decoder)(1 + data[0] % 7),
           (leat_nms_kind)(data[1] % 4));
    return 0;
}
