/* detector.c - object detection: preprocess, run, decode, all buffers made at open.
 *
 * How the outputs are read follows from their shapes, so the model is run once at open, on a black image; the decoder's preset then
 * says how images have to be prepared.  The same run tells boxes from offsets (SSD), which have the same shapes: boxes have x1 <= x2.
 * A detector's parts that prepare images only read it, so a pipeline may prepare several frames on other threads while one is inferred.
 */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "leat/detect.h"
#include "leat/video.h"

enum { DEFAULT_SIDE = 640, MAX_BATCH = 256, MAX_OUTPUTS = 16, MAX_SIDE = 16384 };

struct leat_detector {
    leat_model      *model;
    leat_context    *context;
    leat_decode     *decode;
    leat_preprocess  preprocess;
    leat_rect        crop;
    leat_tensor      input;    /* [batch, C, H, W] or [batch, H, W, C], data owned */
    leat_tensor      outputs[MAX_OUTPUTS];
    const char      *names[MAX_OUTPUTS];
    int              n_outputs, batch;
    size_t           image_bytes, scratch_bytes;
    void            *scratch;  /* of leat_detector_run() */
    leat_detect_view *views;   /* [batch], the same */
    const void     **inputs;   /* [batch], the same */
    leat_decode_info info;
};

void leat_detector_options_default(leat_detector_options *options) {
    *options = (leat_detector_options){.size = sizeof *options, .decoder = LEAT_DECODER_AUTO, .fit = -1, .antialias = -1, .batch = 1};
    leat_nms_options_default(&options->nms);
    leat_preprocess_default(&options->preprocess);
    options->preprocess.width = options->preprocess.height = 0;
}

/* ---- open ----------------------------------------------------------------------------------------------------------------- */

static int is_channels(int64_t dim) { return dim == 1 || dim == 3; }

static int settle_size(leat_preprocess *p, const leat_value_info *info, leat_error *error) {
    int64_t height = info->dims[p->nhwc ? 1 : 2], width = info->dims[p->nhwc ? 2 : 3];
    if ((height > 0 && p->height && p->height != height) || (width > 0 && p->width && p->width != width))
        return leat__fail(error, LEAT_ESHAPE, "input '%s' is %lld x %lld (width x height), %d x %d was asked for", info->name, (long long)width,
                          (long long)height, (int)p->width, (int)p->height);
    if (height > MAX_SIDE || width > MAX_SIDE)
        return leat__fail(error, LEAT_EUNSUPPORTED, "input '%s' is larger than %d pixels a side", info->name, MAX_SIDE);
    p->height = height > 0 ? (int32_t)height : p->height ? p->height : DEFAULT_SIDE;
    p->width = width > 0 ? (int32_t)width : p->width ? p->width : DEFAULT_SIDE;
    return LEAT_OK;
}

/* Reads size, layout and type from the declared input; what the model leaves open comes from the options. */
static int settle_input(leat_detector *d, const leat_detector_options *options, leat_error *error) {
    leat_value_info info;
    leat_preprocess *p = &d->preprocess;
    if (leat_model_input_count(d->model) != 1 || leat_model_input_info(d->model, 0, &info) != LEAT_OK)
        return leat__fail(error, LEAT_EUNSUPPORTED, "a detector has one input; this model has %d", leat_model_input_count(d->model));
    if (info.rank != 4)
        return leat__fail(error, LEAT_EUNSUPPORTED, "input '%s' is not an image: it has %d dimensions, not 4", info.name, (int)info.rank);
    p->nhwc = !is_channels(info.dims[1]) && is_channels(info.dims[3]);
    int64_t channels = info.dims[p->nhwc ? 3 : 1], batch = info.dims[0] > 0 ? info.dims[0] : options->batch;
    if (channels > 0 && !is_channels(channels))
        return leat__fail(error, LEAT_EUNSUPPORTED, "input '%s' has %lld channels, not 1 or 3", info.name, (long long)channels);
    if (batch < 1 || batch > MAX_BATCH) return leat__fail(error, LEAT_EINVAL, "batch %lld is not in 1..%d", (long long)batch, MAX_BATCH);
    int status = settle_size(p, &info, error);
    if (status != LEAT_OK) return status;
    p->channels = channels > 0 ? (int32_t)channels : 3;
    p->dtype = info.dtype;
    d->batch = (int)batch;
    int64_t chw[4] = {batch, p->channels, p->height, p->width}, hwc[4] = {batch, p->height, p->width, p->channels};
    d->input = (leat_tensor){.dtype = p->dtype, .rank = 4};
    memcpy(d->input.dims, p->nhwc ? hwc : chw, sizeof chw);
    return LEAT_OK;
}

/* Runs once on a black image, so that buffers exist and the outputs' shapes are known. */
static int run_once(leat_detector *d, leat_error *error) {
    size_t bytes = leat_tensor_bytes(&d->input);
    d->input.data = bytes == SIZE_MAX ? NULL : leat__calloc(bytes, 1, LEAT_MEMORY_IO);
    if (!d->input.data) return leat__fail(error, LEAT_ENOMEM, "no memory for a batch of %d images", d->batch);
    d->image_bytes = bytes / (size_t)d->batch;
    d->n_outputs = leat_model_output_count(d->model);
    if (d->n_outputs > MAX_OUTPUTS)
        return leat__fail(error, LEAT_EUNSUPPORTED, "no decoder for %d outputs; %d are the most that any reads", d->n_outputs, MAX_OUTPUTS);
    int status = leat_context_set_input(d->context, 0, &d->input, error);
    if (status == LEAT_OK) status = leat_context_prepare(d->context, error);
    if (status == LEAT_OK) status = leat_context_run(d->context, error);
    for (int i = 0; i < d->n_outputs && status == LEAT_OK; i++) {
        leat_value_info info = {0};
        status = leat_context_output(d->context, i, &d->outputs[i]);
        leat_model_output_info(d->model, i, &info);
        d->names[i] = info.name;
    }
    return status;
}

/* 1 when the four columns of `boxes` are edges: x1 <= x2 and y1 <= y2 nearly everywhere. */
static int are_edges(const leat_tensor *boxes) {
    int64_t n = boxes->dims[boxes->rank - 2], ordered = 0;
    const float *b = boxes->data;
    for (int64_t i = 0; i < n; i++) ordered += b[4 * i] <= b[4 * i + 2] && b[4 * i + 1] <= b[4 * i + 3];
    return ordered * 10 >= n * 9;
}

static int open_decode(leat_detector *d, const leat_detector_options *options, leat_error *error) {
    leat_detector_options settled = *options;
    leat_error ignored;
    settled.preprocess = d->preprocess;
    int status = leat_decode_open(d->outputs, d->names, d->n_outputs, &settled, &d->decode, error);
    if (status != LEAT_OK) return status;
    leat_decode_get_info(d->decode, &d->info);
    if (d->info.decoder != LEAT_DECODER_SSD || options->decoder != LEAT_DECODER_AUTO) return LEAT_OK;
    const leat_tensor *boxes = &d->outputs[d->outputs[0].dims[d->outputs[0].rank - 1] == 4 && d->outputs[1].dims[d->outputs[1].rank - 1] != 4 ? 0 : 1];
    leat_decode *priors = NULL;
    if (boxes->dtype != LEAT_DTYPE_F32 || are_edges(boxes)) return LEAT_OK;
    settled.decoder = LEAT_DECODER_PRIORS;
    if (leat_decode_open(d->outputs, d->names, d->n_outputs, &settled, &priors, &ignored) != LEAT_OK) return LEAT_OK;
    leat_decode_close(d->decode);
    d->decode = priors;
    leat_decode_get_info(d->decode, &d->info);
    return LEAT_OK;
}

static int settle_preprocess(leat_detector *d, const leat_detector_options *options, leat_error *error) {
    if (d->info.batch != d->batch)
        return leat__fail(error, LEAT_ESHAPE, "the outputs are of a batch of %d, the input of %d", (int)d->info.batch, d->batch);
    if (!options->own_preprocess) leat_decoder_preset(d->info.decoder, &d->preprocess);
    int corner = options->fit == LEAT_FIT_LETTERBOX && d->preprocess.fit == LEAT_FIT_LETTERBOX_TOP_LEFT;
    if (options->fit >= 0 && !corner) d->preprocess.fit = (leat_fit)options->fit;
    if (options->antialias >= 0) d->preprocess.antialias = (leat_antialias)options->antialias;
    d->crop = options->crop;
    memset(d->preprocess.crop_rect, 0, sizeof d->preprocess.crop_rect);
    d->scratch_bytes = leat_preprocess_scratch_bytes(&d->preprocess);
    if (d->scratch_bytes == 0)
        return leat__fail(error, LEAT_EUNSUPPORTED, "no preprocessing into %s of %d x %d with these means and deviations",
                          leat_dtype_name(d->preprocess.dtype), (int)d->preprocess.width, (int)d->preprocess.height);
    d->scratch = leat__calloc(d->scratch_bytes, 1, LEAT_MEMORY_IO);
    d->views = leat__calloc((size_t)d->batch, sizeof *d->views, LEAT_MEMORY_IO);
    d->inputs = leat__calloc((size_t)d->batch, sizeof *d->inputs, LEAT_MEMORY_IO);
    return d->scratch && d->views && d->inputs ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "no memory for a batch of %d images", d->batch);
}

int leat_detector_open(leat_model *model, const leat_detector_options *options, leat_detector **detector, leat_error *error) {
    leat_detector_options defaults;
    leat_context_options  context_options;
    leat_detector_options_default(&defaults);
    leat_context_options_default(&context_options);
    if (!options) options = &defaults;
    context_options.threads = options->threads;
    *detector = NULL;
    leat_detector *d = leat__calloc(1, sizeof *d, LEAT_MEMORY_IO);
    if (!d) return leat__fail(error, LEAT_ENOMEM, "no memory for a detector");
    d->model = leat_model_ref(model);
    d->preprocess = options->preprocess;
    int status = settle_input(d, options, error);
    if (status == LEAT_OK) status = leat_context_open(model, &context_options, &d->context, error);
    if (status == LEAT_OK) status = run_once(d, error);
    if (status == LEAT_OK) status = open_decode(d, options, error);
    if (status == LEAT_OK) status = settle_preprocess(d, options, error);
    if (status != LEAT_OK) {
        leat_detector_close(d);
        return status;
    }
    *detector = d;
    return LEAT_OK;
}

void leat_detector_close(leat_detector *d) {
    if (!d) return;
    leat_context_close(d->context);
    leat_decode_close(d->decode);
    leat_model_unref(d->model);
    leat__free(d->input.data);
    leat__free(d->scratch);
    leat__free(d->views);
    leat__free(d->inputs);
    leat__free(d);
}

void leat_detector_get_info(const leat_detector *d, leat_detector_info *info) {
    *info = (leat_detector_info){d->info.decoder, d->info.classes, d->batch, d->info.max_detections, d->info.anchors, d->preprocess, d->image_bytes,
                                 d->scratch_bytes};
}

int leat_detector_set_thresholds(leat_detector *d, float score, float iou) { return leat_decode_set_thresholds(d->decode, score, iou); }
void leat_detector_cancel(leat_detector *d) { leat_context_cancel(d->context); }
leat_context *leat_detector_context(leat_detector *d) { return d->context; }

/* ---- prepare -------------------------------------------------------------------------------------------------------------- */

/* The preprocessing of a source of this size: with the part of the crop that lies inside; LEAT_EINVAL when that is nothing. */
static int set_view(const leat_detector *d, int width, int height, leat_preprocess *p, leat_detect_view *view) {
    leat_rect c = d->crop;
    int64_t x = c.x > 0 ? c.x : 0, y = c.y > 0 ? c.y : 0, right = (int64_t)c.x + c.width, bottom = (int64_t)c.y + c.height;
    *p = d->preprocess;
    view->width = width, view->height = height;
    if (c.width > 0) {
        if (right > width) right = width;
        if (bottom > height) bottom = height;
        if (x >= right || y >= bottom) return LEAT_EINVAL;
        const int32_t rect[4] = {(int32_t)x, (int32_t)y, (int32_t)(right - x), (int32_t)(bottom - y)};
        memcpy(p->crop_rect, rect, sizeof rect);
    }
    return leat_preprocess_place(p, width, height, &view->placement);
}

int leat_detector_prepare_frame(const leat_detector *d, const leat_frame *frame, void *input, void *scratch, leat_detect_view *view) {
    leat_preprocess p;
    int status = set_view(d, frame->width, frame->height, &p, view);
    return status == LEAT_OK ? leat_preprocess_frame(&p, frame, NULL, input, scratch) : status;
}

int leat_detector_prepare_image(const leat_detector *d, const leat_image *image, void *input, void *scratch, leat_detect_view *view) {
    leat_frame frame;
    int status = leat_frame_from_image(image, &frame);
    return status == LEAT_OK ? leat_detector_prepare_frame(d, &frame, input, scratch, view) : status;
}

/* ---- run ------------------------------------------------------------------------------------------------------------------ */

static double ms_since(int64_t start) { return (double)(leat__now_ns() - start) / 1e6; }

/* Binds the images: in place when they lie one after the other, all of them. */
static int bind_inputs(leat_detector *d, const void *const *inputs, int n, leat_error *error) {
    leat_tensor bound = d->input;
    int together = n == d->batch;
    for (int i = 1; i < n && together; i++) together = (const char *)inputs[i] == (const char *)inputs[0] + (size_t)i * d->image_bytes;
    if (together) {
        memcpy(&bound.data, &inputs[0], sizeof bound.data);
        return leat_context_set_input(d->context, 0, &bound, error);
    }
    for (int i = 0; i < n; i++) {
        char *to = (char *)d->input.data + (size_t)i * d->image_bytes;
        if (to != inputs[i]) memcpy(to, inputs[i], d->image_bytes);
    }
    return leat_context_set_input(d->context, 0, &bound, error);
}

/* A model may compute a shape from data; the decoder was made for those of the black image. */
static int fetch_outputs(leat_detector *d, leat_error *error) {
    for (int i = 0; i < d->n_outputs; i++) {
        int64_t count = leat_tensor_count(&d->outputs[i]);
        int status = leat_context_output(d->context, i, &d->outputs[i]);
        if (status != LEAT_OK) return status;
        if (leat_tensor_count(&d->outputs[i]) != count)
            return leat__fail(error, LEAT_ESHAPE, "output '%s' has %lld elements on this image, %lld on another", d->names[i] ? d->names[i] : "?",
                              (long long)leat_tensor_count(&d->outputs[i]), (long long)count);
    }
    return LEAT_OK;
}

int leat_detector_infer(leat_detector *d, const void *const *inputs, const leat_detect_view *views, int n, leat_detection *detections, int32_t *counts,
                        leat_detect_times *times, leat_error *error) {
    if (n < 1 || n > d->batch) return leat__fail(error, LEAT_EINVAL, "%d images for a batch of %d", n, d->batch);
    int status = bind_inputs(d, inputs, n, error);
    int64_t start = leat__now_ns();
    if (status == LEAT_OK) status = leat_context_run(d->context, error);
    double infer_ms = ms_since(start) / n;
    if (status == LEAT_OK) status = fetch_outputs(d, error);
    if (status != LEAT_OK) return status;
    for (int i = 0; i < n; i++) {
        counts[i] = leat_decode_run(d->decode, d->outputs, i, &views[i], detections + (size_t)i * (size_t)d->info.max_detections, times ? &times[i] : NULL);
        if (times) times[i].infer_ms = infer_ms;
    }
    return LEAT_OK;
}

int leat_detector_run(leat_detector *d, const leat_image *images, int n, leat_detection *detections, int32_t *counts, leat_detect_times *times,
                      leat_error *error) {
    if (n < 1 || n > d->batch) return leat__fail(error, LEAT_EINVAL, "%d images for a batch of %d", n, d->batch);
    for (int i = 0; i < n; i++) {
        int64_t start = leat__now_ns();
        char *input = (char *)d->input.data + (size_t)i * d->image_bytes;
        d->inputs[i] = input;
        if (leat_detector_prepare_image(d, &images[i], input, d->scratch, &d->views[i]) != LEAT_OK)
            return leat__fail(error, LEAT_EINVAL, "image %d of the batch is invalid, or the crop lies outside its %d x %d pixels", i,
                              (int)images[i].width, (int)images[i].height);
        if (times) times[i].preprocess_ms = ms_since(start);
    }
    return leat_detector_infer(d, d->inputs, d->views, n, detections, counts, times, error);
}
