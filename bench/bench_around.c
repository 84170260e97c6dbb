/* bench_around.c - everything around the model for one 1080p frame on one core: preprocess, decode, NMS, track, draw.
 *
 * usage: bench_around
 *
 * The model's output is made up: 16,128 anchors, 1,300 of them above the threshold in 60 objects, which move a little from frame to frame; all
 * that are tracked are drawn with box, corner brackets and label, and a panel of stage times.  Medians, beside what DeepGiBox's
 * documents give for the same stage (reference/detect.md: first version, Quadro P4000) and the budget of 4 ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stats.h"
#include "cpu/cpu.h"
#include "leat/draw.h"
#include "leat/track.h"
#include "yolo_output.h"

enum { FRAMES = 300, SIDE = 512, PASSING = 1300, OBJECTS = 60, MOST = 512, VARIANTS = 4 };

typedef enum stage { PREPROCESS, DECODE, NMS, TRACK, DRAW, ALL, STAGES } stage;
static const char *const names[STAGES] = {"preprocess", "decode", "nms", "track", "draw", "all"};

typedef struct job {
    leat_frame      frame;
    leat_preprocess preprocess;
    leat_tensor     output[VARIANTS];
    leat_decode    *decode;
    leat_tracker   *tracker;
    leat_font      *font;
    void           *tensor, *scratch;
    double          ms[STAGES][FRAMES];
    int             tracked;
} job;

static double lap(int64_t *last) {
    int64_t now = leat__now_ns(), took = now - *last;
    *last = now;
    return (double)took / 1e6;
}

static void draw(job *j, const leat_detection *found, int count) {
    char text[64];
    for (int i = 0; i < count; i++) {
        const float box[4] = {found[i].x1, found[i].y1, found[i].x2, found[i].y2};
        leat_rgba   color = leat_draw_palette(found[i].track);
        snprintf(text, sizeof text, "%s %.2f #%d", found[i].class_id ? "bead" : "coin", (double)found[i].score, (int)found[i].track);
        leat_draw_box(&j->frame, box, 3, color);
        leat_draw_brackets(&j->frame, box, color);
        leat_draw_label(&j->frame, j->font, (int)box[0], (int)box[1], text, color);
    }
    leat_draw_panel(&j->frame, j->font, 1, "preprocess 0.47 ms\ndecode 0.04 ms\nnms 0.06 ms\ntrack 0.02 ms\ndraw 0.9 ms");
}

static void one_frame(job *j, int i) {
    static leat_detection found[MOST];
    leat_detect_view  view = {.width = j->frame.width, .height = j->frame.height};
    leat_detect_times times = {0};
    int64_t last = leat__now_ns();
    leat_preprocess_place(&j->preprocess, j->frame.width, j->frame.height, &view.placement);
    if (leat_preprocess_frame(&j->preprocess, &j->frame, NULL, j->tensor, j->scratch) != LEAT_OK) abort();
    j->ms[PREPROCESS][i] = lap(&last);
    int count = leat_decode_run(j->decode, &j->output[i % VARIANTS], 0, &view, found, &times);
    double both = lap(&last);
    j->ms[NMS][i] = times.nms_ms;
    j->ms[DECODE][i] = both - times.nms_ms;
    leat_tracker_update(j->tracker, found, count, 1, found, &j->tracked);
    j->ms[TRACK][i] = lap(&last);
    draw(j, found, j->tracked);
    j->ms[DRAW][i] = lap(&last);
    j->ms[ALL][i] = 0;
    for (int s = 0; s < ALL; s++) j->ms[ALL][i] += j->ms[s][i];
}

static int open_job(job *j, leat_error *error) {
    leat_detector_options options;
    leat_detector_options_default(&options);
    leat_preprocess_default(&j->preprocess);
    leat_decoder_preset(LEAT_DECODER_YOLOV5, &j->preprocess);
    j->preprocess.width = j->preprocess.height = SIDE;
    j->preprocess.fit = LEAT_FIT_STRETCH; /* as there */
    options.preprocess = j->preprocess;
    j->tensor = aligned_alloc(64, 3 * SIDE * SIDE * sizeof(float));
    j->scratch = aligned_alloc(64, leat_preprocess_scratch_bytes(&j->preprocess));
    for (int v = 0; v < VARIANTS; v++) {
        float *t = calloc(ANCHORS * FIELDS, sizeof *t);
        if (!t || !j->tensor || !j->scratch) return LEAT_ENOMEM;
        fill_output(t, PASSING, OBJECTS);
        for (int i = 0; i < ANCHORS; i++) t[i * FIELDS] += (float)(v & 1), t[i * FIELDS + 1] += (float)(v >> 1);
        j->output[v] = (leat_tensor){t, LEAT_DTYPE_F32, 3, {1, ANCHORS, FIELDS}, 0};
    }
    int status = leat_decode_open(j->output, NULL, 1, &options, &j->decode, error);
    if (status == LEAT_OK) status = leat_tracker_open(NULL, &j->tracker, error);
    return status == LEAT_OK ? leat_font_open(NULL, 20, &j->font, error) : status;
}

static void close_job(job *j) {
    for (int v = 0; v < VARIANTS; v++) free(j->output[v].data);
    free(j->tensor);
    free(j->scratch);
    leat_decode_close(j->decode);
    leat_tracker_close(j->tracker);
    leat_font_close(j->font);
}

static void measure(job *j, leat_pixel_format format) {
    void *buffer = calloc(1, leat_frame_bytes(format, 1920, 1080));
    if (!buffer) return;
    leat_frame_layout(&j->frame, format, 1920, 1080, buffer);
    for (int i = 0; i < FRAMES; i++) one_frame(j, i);
    printf("%-6s", leat_pixel_format_name(format));
    for (int s = 0; s < STAGES; s++) {
        leat_summary r;
        leat__summarise(j->ms[s], FRAMES, &r);
        printf("  %s %.3f", names[s], r.p50);
        if (s == ALL) printf(" ms of 4.0: %s (p99 %.3f), %d drawn\n", r.p50 <= 4 ? "met" : "MISSED", r.p99, j->tracked);
    }
    free(buffer);
}

int main(void) {
    static job j;
    leat_error error = {0};
    if (open_job(&j, &error) != LEAT_OK) {
        fprintf(stderr, "bench_around: %s\n", error.message);
        return 1;
    }
    for (int f = 0; f < LEAT_PIXEL_COUNT; f++) measure(&j, (leat_pixel_format)f);
    printf("there: preprocess 1.628 (with upload)  decode 6.62  nms 63.65  track 3.42  draw 2.89: 78.21 ms\n");
    close_job(&j);
    return 0;
}
