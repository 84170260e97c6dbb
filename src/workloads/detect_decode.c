/* detect_decode.c - from a network's outputs to boxes on the source: scan, order, boxes, suppression, mapping back.
 *
 * Only the best top_k candidates get a box, and only the ones that are kept are mapped back and get landmarks.  Everything is
 * allocated at open for the largest case, in which every anchor passes.  float16 outputs are widened first.
 */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fp16.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "detect_decode.h"
#include "detect_nms.h"

struct leat_decode {
    leat__layout     layout;
    leat_nms_options nms_options;
    leat__nms        nms;
    leat__hits       hits;
    int32_t         *kept;                    /* [anchors] */
    void            *memory;                  /* of nms */
    int              outputs, batch;
    int64_t          counts[LEAT__MAX_HEADS]; /* elements of one image in each output */
    float           *wide[LEAT__MAX_HEADS];   /* of float16 outputs, else NULL */
};

/* ---- names and presets ---------------------------------------------------------------------------------------------------- */

static const char *const decoder_names[] = {"auto", "yolov5", "yolov8", "yolox", "nanodet", "ssd", "priors", "yunet"};
enum { DECODERS = sizeof decoder_names / sizeof *decoder_names };

const char *leat_decoder_name(leat_decoder decoder) { return (unsigned)decoder < DECODERS ? decoder_names[decoder] : NULL; }

int leat_decoder_parse(const char *name, leat_decoder *decoder) {
    for (int i = 0; i < DECODERS; i++)
        if (strcmp(name, decoder_names[i]) == 0) {
            *decoder = (leat_decoder)i;
            return LEAT_OK;
        }
    return LEAT_EINVAL;
}

int leat_decoder_preset(leat_decoder decoder, leat_preprocess *p) {
    static const struct { leat_fit fit; uint8_t pad; int bgr; float scale, mean[3], std[3]; } presets[DECODERS] = {
        [LEAT_DECODER_YOLOV5] = {LEAT_FIT_LETTERBOX, 114, 0, 1.0f / 255, {0, 0, 0}, {1, 1, 1}},
        [LEAT_DECODER_YOLOV8] = {LEAT_FIT_LETTERBOX, 114, 0, 1.0f / 255, {0, 0, 0}, {1, 1, 1}},
        [LEAT_DECODER_YOLOX] = {LEAT_FIT_LETTERBOX_TOP_LEFT, 114, 1, 1, {0, 0, 0}, {1, 1, 1}},
        [LEAT_DECODER_NANODET] = {LEAT_FIT_LETTERBOX, 0, 1, 1, {103.53f, 116.28f, 123.675f}, {57.375f, 57.12f, 58.395f}},
        [LEAT_DECODER_SSD] = {LEAT_FIT_STRETCH, 0, 0, 1, {127, 127, 127}, {128, 128, 128}},
        [LEAT_DECODER_PRIORS] = {LEAT_FIT_STRETCH, 0, 0, 1, {127, 127, 127}, {128, 128, 128}},
        [LEAT_DECODER_YUNET] = {LEAT_FIT_LETTERBOX_TOP_LEFT, 0, 1, 1, {0, 0, 0}, {1, 1, 1}}};
    if (decoder <= LEAT_DECODER_AUTO || (int)decoder >= DECODERS) return LEAT_EINVAL;
    p->fit = presets[decoder].fit;
    memset(p->pad, presets[decoder].pad, sizeof p->pad);
    p->bgr = presets[decoder].bgr;
    p->scale = presets[decoder].scale;
    p->antialias = 0;
    memcpy(p->mean, presets[decoder].mean, sizeof p->mean);
    memcpy(p->std, presets[decoder].std, sizeof p->std);
    return LEAT_OK;
}

/* ---- open ----------------------------------------------------------------------------------------------------------------- */

static int settle_outputs(leat_decode *d, const leat_tensor *outputs, int n, leat_error *error) {
    d->outputs = n;
    d->batch = outputs[0].rank > 2 ? (int)outputs[0].dims[0] : 1;
    for (int i = 0; i < n; i++) {
        const leat_tensor *t = &outputs[i];
        d->counts[i] = t->dims[t->rank - 2] * t->dims[t->rank - 1];
        if ((t->rank > 2 ? t->dims[0] : 1) != d->batch || d->batch < 1)
            return leat__fail(error, LEAT_ESHAPE, "output %d is of a batch of %lld, output 0 of %d", i, (long long)t->dims[0], d->batch);
        if (t->dtype == LEAT_DTYPE_F32) continue;
        d->wide[i] = leat__calloc((size_t)d->counts[i], sizeof(float), LEAT_MEMORY_IO);
        if (!d->wide[i]) return leat__fail(error, LEAT_ENOMEM, "no memory for output %d as float32", i);
    }
    return LEAT_OK;
}

static int settle_classes(leat_decode *d, const leat_detector_options *options, leat_error *error) {
    if (!options->classes || options->n_classes < 1) return LEAT_OK;
    d->layout.wanted = leat__calloc((size_t)d->layout.classes, 1, LEAT_MEMORY_IO);
    if (!d->layout.wanted) return leat__fail(error, LEAT_ENOMEM, "no memory for %d classes", (int)d->layout.classes);
    for (int i = 0; i < options->n_classes; i++) {
        int32_t id = options->classes[i];
        if (id < 0 || id >= d->layout.classes)
            return leat__fail(error, LEAT_EINVAL, "class %d was asked for, the model has 0..%d", (int)id, (int)d->layout.classes - 1);
        d->layout.wanted[id] = 1;
    }
    return LEAT_OK;
}

static int allocate(leat_decode *d, leat_error *error) {
    size_t n = (size_t)d->layout.anchors;
    int    top = d->nms_options.top_k > 0 && d->nms_options.top_k < d->layout.anchors ? d->nms_options.top_k : (int)n;
    d->hits.score = leat__calloc(n, sizeof(float), LEAT_MEMORY_IO);
    d->hits.anchor = leat__calloc(n, sizeof(int32_t), LEAT_MEMORY_IO);
    d->hits.class_id = leat__calloc(n, sizeof(int32_t), LEAT_MEMORY_IO);
    d->hits.best = leat__calloc(n, sizeof(float), LEAT_MEMORY_IO);
    d->kept = leat__calloc((size_t)top, sizeof(int32_t), LEAT_MEMORY_IO);
    d->memory = leat__calloc(leat__nms_bytes((int)n), 1, LEAT_MEMORY_IO);
    if (!d->hits.score || !d->hits.anchor || !d->hits.class_id || !d->hits.best || !d->kept || !d->memory)
        return leat__fail(error, LEAT_ENOMEM, "no memory for %lld anchors", (long long)d->layout.anchors);
    leat__nms_bind(&d->nms, d->memory, (int)n);
    return LEAT_OK;
}

static int check_options(const leat_detector_options *o, leat_error *error) {
    const leat_nms_options *n = &o->nms;
    if (!(n->score >= 0 && n->score <= 1) || !(n->iou >= 0 && n->iou <= 1))
        return leat__fail(error, LEAT_EINVAL, "score threshold %g or IoU threshold %g is not in 0..1", (double)n->score, (double)n->iou);
    if (n->kind < LEAT_NMS_HARD || n->kind > LEAT_NMS_NONE || (n->kind == LEAT_NMS_GAUSSIAN && !(n->sigma > 0)) || n->top_k < 0 || n->max_kept < 1)
        return leat__fail(error, LEAT_EINVAL, "NMS kind %d, sigma %g, top %d or most %d is out of range", (int)n->kind, (double)n->sigma, (int)n->top_k,
                          (int)n->max_kept);
    return LEAT_OK;
}

int leat_decode_open(const leat_tensor *outputs, const char *const *names, int n, const leat_detector_options *options, leat_decode **decode,
                     leat_error *error) {
    *decode = NULL;
    int status = check_options(options, error);
    if (status != LEAT_OK) return status;
    leat_decode *d = leat__calloc(1, sizeof *d, LEAT_MEMORY_IO);
    if (!d) return leat__fail(error, LEAT_ENOMEM, "no memory for a decoder");
    leat__cpu_init();
    d->nms_options = options->nms;
    d->layout = (leat__layout){.kind = options->decoder, .width = options->preprocess.width, .height = options->preprocess.height,
                               .least = options->nms.score, .logits = options->logits};
    status = leat__layout_settle(&d->layout, outputs, names, n, error);
    if (status == LEAT_OK) status = settle_outputs(d, outputs, n, error);
    if (status == LEAT_OK) status = settle_classes(d, options, error);
    if (status == LEAT_OK) status = allocate(d, error);
    if (status != LEAT_OK) {
        leat_decode_close(d);
        return status;
    }
    *decode = d;
    return LEAT_OK;
}

void leat_decode_close(leat_decode *d) {
    if (!d) return;
    for (int i = 0; i < LEAT__MAX_HEADS; i++) leat__free(d->wide[i]);
    leat__free(d->layout.wanted);
    leat__free(d->hits.score);
    leat__free(d->hits.anchor);
    leat__free(d->hits.class_id);
    leat__free(d->hits.best);
    leat__free(d->kept);
    leat__free(d->memory);
    leat__free(d);
}

void leat_decode_get_info(const leat_decode *d, leat_decode_info *info) {
    *info = (leat_decode_info){d->layout.kind, d->layout.classes, d->batch, d->nms_options.max_kept, d->layout.anchors};
}

int leat_decode_set_thresholds(leat_decode *d, float score, float iou) {
    if (!(score >= 0 && score <= 1) || !(iou >= 0 && iou <= 1)) return LEAT_EINVAL;
    d->layout.least = d->nms_options.score = score;
    d->nms_options.iou = iou;
    return LEAT_OK;
}

/* ---- run ------------------------------------------------------------------------------------------------------------------ */

static void find_floats(leat_decode *d, const leat_tensor *outputs, int index, const float **at) {
    for (int i = 0; i < d->outputs; i++) {
        int64_t skip = d->counts[i] * index;
        at[i] = (const float *)outputs[i].data + skip;
        if (!d->wide[i]) continue;
        const uint16_t *half = (const uint16_t *)outputs[i].data + skip;
        for (int64_t k = 0; k < d->counts[i]; k++) d->wide[i][k] = leat__f16_to_f32(half[k]);
        at[i] = d->wide[i];
    }
}

static void set_boxes(leat_decode *d, const float *const *outputs) {
    int count = 0;
    for (int i = 0; i < d->nms.count; i++) {
        float b[4];
        int32_t slot = d->nms.slot[i];
        leat__decode_box(&d->layout, outputs, d->hits.anchor[slot], b);
        if (!leat__nms_set_box(&d->nms, count, b[0], b[1], b[2], b[3], d->hits.class_id[slot])) continue;
        leat__nms_move(&d->nms, count++, i);
    }
    d->nms.count = count;
}

static float cut(float x, float most) { return x < 0 ? 0 : x > most ? most : x; }

/* From the network's input back to the source, cut to it; 0 when nothing is left. */
static int map_back(const leat_detect_view *view, leat_detection *t) {
    const leat_placement *p = &view->placement;
    t->x1 = cut((t->x1 - p->offset_x) / p->scale_x, (float)view->width);
    t->x2 = cut((t->x2 - p->offset_x) / p->scale_x, (float)view->width);
    t->y1 = cut((t->y1 - p->offset_y) / p->scale_y, (float)view->height);
    t->y2 = cut((t->y2 - p->offset_y) / p->scale_y, (float)view->height);
    for (int i = 0; i < t->landmarks; i++) {
        t->points[i][0] = (t->points[i][0] - p->offset_x) / p->scale_x;
        t->points[i][1] = (t->points[i][1] - p->offset_y) / p->scale_y;
    }
    return t->x2 > t->x1 && t->y2 > t->y1;
}

static int report(leat_decode *d, const float *const *outputs, const leat_detect_view *view, leat_detection *detections) {
    const leat__boxes *b = &d->nms.boxes;
    int n_kept = leat__nms_suppress(&d->nms, &d->nms_options, d->kept), count = 0;
    for (int k = 0; k < n_kept; k++) {
        int     i = d->kept[k];
        int32_t slot = d->nms.slot[i];
        leat_detection t = {b->x1[i], b->y1[i], b->x2[i], b->y2[i], d->nms.score[i], d->hits.class_id[slot], 0, 0, {{0}}};
        t.landmarks = leat__decode_points(&d->layout, outputs, d->hits.anchor[slot], t.points);
        if (map_back(view, &t)) detections[count++] = t;
    }
    return count;
}

int leat_decode_run(leat_decode *d, const leat_tensor *outputs, int index, const leat_detect_view *view, leat_detection *detections,
                    leat_detect_times *times) {
    const float *at[LEAT__MAX_HEADS];
    int64_t start = leat__now_ns();
    find_floats(d, outputs, index, at);
    leat__decode_scan(&d->layout, at, &d->hits);
    leat__nms_sort(&d->nms, d->hits.score, d->hits.count, d->nms_options.top_k);
    set_boxes(d, at);
    int64_t decoded = leat__now_ns();
    int     count = report(d, at, view, detections);
    if (times) {
        times->decode_ms = (double)(decoded - start) / 1e6;
        times->nms_ms = (double)(leat__now_ns() - decoded) / 1e6;
        times->candidates = d->hits.count;
    }
    return count;
}
