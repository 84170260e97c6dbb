/* workload.h - jobs made of models and media: the image classifier. */
#ifndef LEAT_WORKLOAD_H
#define LEAT_WORKLOAD_H

#include "leat/media.h"
#include "leat/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Class names, one a line of a text file. */
typedef struct leat_labels leat_labels;
/* Reads `path`.  A WordNet id at the start of a line ("n01440764 tench") is dropped, and so is a carriage return at its end.
 * *labels: the caller takes it, leat_labels_close().  LEAT_EIO, LEAT_EFORMAT (no line), LEAT_ENOMEM.  Any thread. */
int leat_labels_open(const char *path, leat_labels **labels, leat_error *error);
/* From an array of `count` strings, which are copied.  LEAT_EINVAL, LEAT_ENOMEM. */
int leat_labels_from(const char *const *names, int count, leat_labels **labels);
void leat_labels_close(leat_labels *labels);
int leat_labels_count(const leat_labels *labels);
/* Name of class `index`; NULL when out of range or labels is NULL.  Any thread, RT-safe. */
const char *leat_labels_name(const leat_labels *labels, int index);

/* An image classifier: a context of a model with one image input ([N, C, H, W] or [N, H, W, C], C 3 or 1) whose first output has a score
 * for each class.  Everything is allocated in leat_classifier_open(); classifying allocates nothing.  One thread at a time. */
typedef struct leat_classifier leat_classifier;

typedef struct leat_classifier_options {
    size_t          size;        /* sizeof(leat_classifier_options), set by _default() */
    leat_preprocess preprocess;  /* width, height 0 = as the model declares, else 224; channels, nhwc, dtype are taken from the model */
    int             batch;       /* images of one run at most; a batch size fixed by the model wins */
    int             top_k;       /* classes reported, at most the model's number of them */
    int             threads;     /* of the model's pool, 0 = all */
} leat_classifier_options;

/* Fills *options: the `imagenet` preset, batch 1, top 5.  RT-safe. */
void leat_classifier_options_default(leat_classifier_options *options);

/* Sets the normalisation and fit of *preprocess: "imagenet" = short side to 256/224 of the size, centre crop, RGB in 0..1 minus mean
 * 0.485 0.456 0.406 over 0.229 0.224 0.225; "caffe" = the same fit, BGR in 0..255 minus 104 117 123; "raw" = stretched, RGB in 0..255.
 * Antialias stays as it is.
 * LEAT_EINVAL when the name is unknown.  Any thread, RT-safe. */
int leat_preprocess_preset(leat_preprocess *preprocess, const char *name);

/* Opens a classifier.  Shares the model.  options: borrows, NULL = defaults.  *classifier: the caller takes it.
 * LEAT_EUNSUPPORTED (no image input, or no scores), LEAT_ESHAPE (size against the model's), LEAT_ENOMEM.  Any thread. */
int leat_classifier_open(leat_model *model, const leat_classifier_options *options, leat_classifier **classifier, leat_error *error);
/* NULL allowed. */
void leat_classifier_close(leat_classifier *classifier);

/* What was settled at open: images of one run, classes, classes reported, and the preprocessing in use.  RT-safe. */
int leat_classifier_batch(const leat_classifier *classifier);
int leat_classifier_classes(const leat_classifier *classifier);
int leat_classifier_top_k(const leat_classifier *classifier);
const leat_preprocess *leat_classifier_preprocess(const leat_classifier *classifier);

typedef struct leat_class {
    int32_t index;
    float   probability; /* 0..1 */
} leat_class;

typedef struct leat_classify_times {
    double preprocess_ms;  /* of this image */
    double infer_ms;       /* of the run, over the images in it */
    double postprocess_ms; /* of this image */
} leat_classify_times;

/* Classifies images [n], n in 1..batch.  Fills top [n, top_k], best first (the lower index on equal scores), and times [n] unless NULL.
 * Scores that are all in 0..1 and sum to 1 within 0.01 are taken as probabilities; others go through softmax.
 * LEAT_EINVAL, LEAT_ECANCELLED and what leat_context_run() returns.  RT-safe. */
int leat_classifier_run(leat_classifier *classifier, const leat_image *images, int n, leat_class *top, leat_classify_times *times,
                        leat_error *error);
/* Makes a run in progress return LEAT_ECANCELLED.  Any thread, RT-safe. */
void leat_classifier_cancel(leat_classifier *classifier);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
