/* classify.c - image classification: preprocess into a batch, run, softmax where it is needed, the best classes.
 *
 * The batch has one fixed size, settled at open, so that one prepared plan serves every call: a call with fewer images leaves the rest of
 * the input as it is and ignores their scores.  Input and scores are buffers of the classifier, bound to the context once.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fp16.h"
#include "base/mem.h"
#include "leat/workload.h"

#define MAX_BATCH 4096
#define DEFAULT_SIDE 224

struct leat_classifier {
    leat_model     *model;
    leat_context   *context;
    leat_preprocess preprocess;
    leat_tensor     input;    /* [batch, C, H, W] or [batch, H, W, C], data owned */
    void           *scratch;
    float          *scores;   /* [classes] of one image */
    int             batch, classes, top_k;
    size_t          image_bytes;
};

void leat_classifier_options_default(leat_classifier_options *options) {
    *options = (leat_classifier_options){.size = sizeof *options, .batch = 1, .top_k = 5};
    leat_preprocess_default(&options->preprocess);
    options->preprocess.width = options->preprocess.height = 0;
}

int leat_preprocess_preset(leat_preprocess *p, const char *name) {
    static const struct { const char *name; leat_fit fit; int bgr; float scale, mean[3], std[3]; } presets[] = {
        {"imagenet", LEAT_FIT_CROP, 0, 1.0f / 255.0f, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
        {"caffe", LEAT_FIT_CROP, 1, 1.0f, {104, 117, 123}, {1, 1, 1}},
        {"raw", LEAT_FIT_STRETCH, 0, 1.0f, {0, 0, 0}, {1, 1, 1}}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(name, presets[i].name) != 0) continue;
        p->fit = presets[i].fit;
        p->bgr = presets[i].bgr;
        p->scale = presets[i].scale;
        memcpy(p->mean, presets[i].mean, sizeof p->mean);
        memcpy(p->std, presets[i].std, sizeof p->std);
        return LEAT_OK;
    }
    return LEAT_EINVAL;
}

/* ---- open ----------------------------------------------------------------------------------------------------------------- */

static int is_channels(int64_t dim) { return dim == 1 || dim == 3; }

/* Reads size, layout and type from the declared input; what the model leaves open comes from the options. */
static int settle_input(leat_classifier *c, const leat_classifier_options *options, leat_error *error) {
    leat_value_info info;
    leat_preprocess *p = &c->preprocess;
    if (leat_model_input_count(c->model) != 1 || leat_model_input_info(c->model, 0, &info) != LEAT_OK)
        return leat__fail(error, LEAT_EUNSUPPORTED, "a classifier has one input; this model has %d", leat_model_input_count(c->model));
    if (info.rank != 4)
        return leat__fail(error, LEAT_EUNSUPPORTED, "input '%s' is not an image: it has %d dimensions, not 4", info.name, (int)info.rank);
    p->nhwc = !is_channels(info.dims[1]) && is_channels(info.dims[3]);
    int64_t channels = info.dims[p->nhwc ? 3 : 1], height = info.dims[p->nhwc ? 1 : 2], width = info.dims[p->nhwc ? 2 : 3];
    if (channels > 0 && !is_channels(channels))
        return leat__fail(error, LEAT_EUNSUPPORTED, "input '%s' has %lld channels, not 1 or 3", info.name, (long long)channels);
    if ((height > 0 && p->height && p->height != height) || (width > 0 && p->width && p->width != width))
        return leat__fail(error, LEAT_ESHAPE, "input '%s' is %lld x %lld (width x height), %d x %d was asked for", info.name, (long long)width,
                          (long long)height, (int)p->width, (int)p->height);
    p->channels = channels > 0 ? (int32_t)channels : 3;
    p->height = height > 0 ? (int32_t)height : p->height ? p->height : DEFAULT_SIDE;
    p->width = width > 0 ? (int32_t)width : p->width ? p->width : DEFAULT_SIDE;
    p->dtype = info.dtype;
    int64_t batch = info.dims[0] > 0 ? info.dims[0] : options->batch;
    if (batch < 1 || batch > MAX_BATCH || options->top_k < 1)
        return leat__fail(error, LEAT_EINVAL, "batch %lld is not in 1..%d, or top %d is below 1", (long long)batch, MAX_BATCH, options->top_k);
    c->batch = (int)batch;
    int64_t chw[4] = {batch, p->channels, p->height, p->width}, hwc[4] = {batch, p->height, p->width, p->channels};
    c->input = (leat_tensor){.dtype = p->dtype, .rank = 4};
    memcpy(c->input.dims, p->nhwc ? hwc : chw, sizeof chw);
    return LEAT_OK;
}

static int allocate_input(leat_classifier *c, leat_error *error) {
    size_t scratch = leat_preprocess_scratch_bytes(&c->preprocess), bytes = leat_tensor_bytes(&c->input);
    if (scratch == 0)
        return leat__fail(error, LEAT_EUNSUPPORTED, "no preprocessing into %s of %d x %d with these means and deviations",
                          leat_dtype_name(c->preprocess.dtype), (int)c->preprocess.width, (int)c->preprocess.height);
    c->scratch = leat__calloc(scratch, 1, LEAT_MEMORY_IO);
    c->input.data = bytes == SIZE_MAX ? NULL : leat__calloc(bytes, 1, LEAT_MEMORY_IO);
    if (!c->scratch || !c->input.data) return leat__fail(error, LEAT_ENOMEM, "no memory for a batch of %d images", c->batch);
    c->image_bytes = bytes / (size_t)c->batch;
    return LEAT_OK;
}

/* Runs once, so that buffers and lazily made state exist and the number of classes is known. */
static int settle_output(leat_classifier *c, int top_k, leat_error *error) {
    leat_tensor out;
    int status = leat_context_set_input(c->context, 0, &c->input, error);
    if (status == LEAT_OK) status = leat_context_prepare(c->context, error);
    if (status == LEAT_OK) status = leat_context_run(c->context, error);
    if (status == LEAT_OK) status = leat_context_output(c->context, 0, &out);
    if (status != LEAT_OK) return status;
    int64_t count = leat_tensor_count(&out);
    if ((out.dtype != LEAT_DTYPE_F32 && out.dtype != LEAT_DTYPE_F16) || count < c->batch || count % c->batch || count / c->batch > INT32_MAX)
        return leat__fail(error, LEAT_EUNSUPPORTED, "the first output (%s, %lld elements) does not hold scores for a batch of %d",
                          leat_dtype_name(out.dtype), (long long)count, c->batch);
    c->classes = (int)(count / c->batch);
    c->top_k = top_k < c->classes ? top_k : c->classes;
    c->scores = leat__calloc((size_t)c->classes, sizeof(float), LEAT_MEMORY_IO);
    return c->scores ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "no memory for %d scores", c->classes);
}

int leat_classifier_open(leat_model *model, const leat_classifier_options *options, leat_classifier **classifier, leat_error *error) {
    leat_classifier_options defaults;
    leat_context_options    context_options;
    leat_classifier_options_default(&defaults);
    leat_context_options_default(&context_options);
    if (!options) options = &defaults;
    context_options.threads = options->threads;
    *classifier = NULL;
    leat_classifier *c = leat__calloc(1, sizeof *c, LEAT_MEMORY_IO);
    if (!c) return leat__fail(error, LEAT_ENOMEM, "no memory for a classifier");
    c->model = leat_model_ref(model);
    c->preprocess = options->preprocess;
    int status = settle_input(c, options, error);
    if (status == LEAT_OK) status = allocate_input(c, error);
    if (status == LEAT_OK) status = leat_context_open(model, &context_options, &c->context, error);
    if (status == LEAT_OK) status = settle_output(c, options->top_k, error);
    if (status != LEAT_OK) {
        leat_classifier_close(c);
        return status;
    }
    *classifier = c;
    return LEAT_OK;
}

void leat_classifier_close(leat_classifier *c) {
    if (!c) return;
    leat_context_close(c->context);
    leat_model_unref(c->model);
    leat__free(c->input.data);
    leat__free(c->scratch);
    leat__free(c->scores);
    leat__free(c);
}

int leat_classifier_batch(const leat_classifier *c) { return c->batch; }
int leat_classifier_classes(const leat_classifier *c) { return c->classes; }
int leat_classifier_top_k(const leat_classifier *c) { return c->top_k; }
const leat_preprocess *leat_classifier_preprocess(const leat_classifier *c) { return &c->preprocess; }
void leat_classifier_cancel(leat_classifier *c) { leat_context_cancel(c->context); }

/* ---- run ------------------------------------------------------------------------------------------------------------------ */

static void read_scores(const leat_classifier *c, const leat_tensor *out, int image) {
    size_t at = (size_t)image * (size_t)c->classes;
    if (out->dtype == LEAT_DTYPE_F32) {
        memcpy(c->scores, (const float *)out->data + at, (size_t)c->classes * sizeof(float));
        return;
    }
    for (int i = 0; i < c->classes; i++) c->scores[i] = leat__f16_to_f32(((const uint16_t *)out->data)[at + (size_t)i]);
}

static int are_probabilities(const float *scores, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        if (!(scores[i] >= -1e-6f && scores[i] <= 1.0f + 1e-3f)) return 0;
        sum += scores[i];
    }
    return fabs(sum - 1.0) <= 0.01;
}

static void softmax(float *scores, int n) {
    float  largest = -INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i++) largest = scores[i] > largest ? scores[i] : largest;
    for (int i = 0; i < n; i++) sum += scores[i] = expf(scores[i] - largest);
    for (int i = 0; i < n; i++) scores[i] = (float)(scores[i] / sum);
}

/* Insertion into the few best; equal scores keep the lower index before. */
static void select_top(const float *scores, int n, leat_class *top, int k) {
    int filled = 0;
    for (int i = 0; i < n; i++) {
        if (filled == k && !(scores[i] > top[k - 1].probability)) continue;
        int at = filled < k ? filled++ : k - 1;
        for (; at > 0 && scores[i] > top[at - 1].probability; at--) top[at] = top[at - 1];
        top[at] = (leat_class){i, scores[i]};
    }
}

static double ms_since(int64_t start) { return (double)(leat__now_ns() - start) / 1e6; }

static int preprocess_images(leat_classifier *c, const leat_image *images, int n, leat_classify_times *times, leat_error *error) {
    for (int i = 0; i < n; i++) {
        int64_t start = leat__now_ns();
        int status = leat_preprocess_run(&c->preprocess, &images[i], (uint8_t *)c->input.data + (size_t)i * c->image_bytes, c->scratch);
        if (status != LEAT_OK) return leat__fail(error, status, "image %d of the batch is empty or invalid", i);
        if (times) times[i].preprocess_ms = ms_since(start);
    }
    return LEAT_OK;
}

int leat_classifier_run(leat_classifier *c, const leat_image *images, int n, leat_class *top, leat_classify_times *times, leat_error *error) {
    leat_tensor out;
    if (n < 1 || n > c->batch) return leat__fail(error, LEAT_EINVAL, "%d images for a batch of %d", n, c->batch);
    int status = preprocess_images(c, images, n, times, error);
    if (status != LEAT_OK) return status;
    int64_t start = leat__now_ns();
    status = leat_context_run(c->context, error);
    double infer_ms = ms_since(start) / n;
    if (status == LEAT_OK) status = leat_context_output(c->context, 0, &out);
    if (status != LEAT_OK) return status;
    for (int i = 0; i < n; i++) {
        start = leat__now_ns();
        read_scores(c, &out, i);
        if (!are_probabilities(c->scores, c->classes)) softmax(c->scores, c->classes);
        select_top(c->scores, c->classes, top + (size_t)i * (size_t)c->top_k, c->top_k);
        if (times) times[i].infer_ms = infer_ms, times[i].postprocess_ms = ms_since(start);
    }
    return LEAT_OK;
}
