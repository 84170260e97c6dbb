/* detect.h - object detection: a detector over a model, non-maximum suppression, a tracker, and text files of tracks.
 *
 *     leat_detector_open -> leat_detector_run (an image in, boxes out)
 *     or, stage by stage in a pipeline: leat_detector_prepare_frame -> leat_detector_infer -> leat_tracker_update
 *
 * Boxes are edges in pixels of the source: x1 <= x < x2.  Everything is allocated in the _open functions.
 */
#ifndef LEAT_DETECT_H
#define LEAT_DETECT_H

#include "leat/media.h"
#include "leat/model.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { LEAT_LANDMARKS = 5 };

typedef struct leat_detection {
    float   x1, y1, x2, y2;            /* source pixels */
    float   score;                     /* 0..1 */
    int32_t class_id;                  /* 0.. */
    int32_t track;                     /* 1.., 0 = none */
    int32_t landmarks;                 /* points in use: LEAT_LANDMARKS or 0 */
    float   points[LEAT_LANDMARKS][2]; /* x, y in source pixels: right eye, left eye, nose, right and left corner of the mouth (YuNet) */
} leat_detection;

/* ---- non-maximum suppression ---------------------------------------------------------------------------------------------- */

/* What happens to a box of the same group that overlaps a better one (Bodla et al. 2017 for the soft ones). */
typedef enum leat_nms_kind {
    LEAT_NMS_HARD = 0,     /* it goes when IoU > iou */
    LEAT_NMS_LINEAR = 1,   /* its score is multiplied by 1 - IoU when IoU > iou */
    LEAT_NMS_GAUSSIAN = 2, /* its score is multiplied by exp(-IoU^2 / sigma) */
    LEAT_NMS_NONE = 3
} leat_nms_kind;

typedef struct leat_nms_options {
    size_t        size;     /* sizeof(leat_nms_options), set by _default() */
    leat_nms_kind kind;
    float         iou;      /* 0..1 */
    float         sigma;    /* of LEAT_NMS_GAUSSIAN, > 0 */
    float         score;    /* boxes below it are dropped, before and (soft) after */
    int32_t       top_k;    /* the best so many boxes are looked at, 0 = all */
    int32_t       max_kept; /* at most so many are kept, 0 = all */
    int32_t       agnostic; /* 1 = all boxes are one group */
} leat_nms_options;

/* Fills *options: hard, IoU 0.45, sigma 0.5, score 0.25, the best 2048, 300 kept.  RT-safe. */
void leat_nms_options_default(leat_nms_options *options);
/* Bytes of scratch for n boxes; 0 when n is not in 1..2^24.  RT-safe. */
size_t leat_nms_scratch_bytes(int n);
/* Suppresses among boxes [n][4] (x1 y1 x2 y2) with scores [n] (the soft kinds lower those of boxes that are kept), each group of groups [n] on its own: a class, or
 * image * classes + class for a batch; NULL = one group.  Fills kept [n] with indices, the best first (the lower index on equal scores), and
 * *n_kept.  Boxes that are not finite or have no area, and scores that are NaN or negative, are dropped.
 * scratch [leat_nms_scratch_bytes(n), 64-byte aligned].  LEAT_EINVAL.  Any thread, RT-safe. */
int leat_nms_run(const leat_nms_options *options, const float *boxes, float *scores, const int32_t *groups, int n, int32_t *kept, int *n_kept,
                 void *scratch);

/* ---- detector ------------------------------------------------------------------------------------------------------------- */

/* How a model's outputs are read.  N counts anchors, C classes; grids are those of strides 8, 16, 32 (and 64). */
typedef enum leat_decoder {
    LEAT_DECODER_AUTO = 0,    /* from the outputs' shapes */
    LEAT_DECODER_YOLOV5 = 1,  /* [1, N, 5 + C]: cx cy w h in input pixels, objectness, classes (v5, v7, and YOLOX decoded in the graph) */
    LEAT_DECODER_YOLOV8 = 2,  /* [1, 4 + C, N]: cx cy w h in input pixels, classes (v8, v9, 11) */
    LEAT_DECODER_YOLOX = 3,   /* [1, N, 5 + C]: offsets in cells, log sizes, objectness, classes */
    LEAT_DECODER_NANODET = 4, /* [1, n, C] and [1, n, 4 * bins] for each stride; or, NanoDet-Plus, one [1, N, C + 32] */
    LEAT_DECODER_SSD = 5,     /* [1, N, 1 + C] with the background first, and [1, N, 4]: x1 y1 x2 y2 in 0..1 (UltraFace) */
    LEAT_DECODER_PRIORS = 6,  /* the same, boxes as offsets from UltraFace's priors */
    LEAT_DECODER_YUNET = 7    /* 12 outputs: class, objectness, box, 5 landmarks for each stride */
} leat_decoder;

/* "yolov5", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_decoder_name(leat_decoder decoder);
/* Parses a decoder's name, "auto" too.  LEAT_EINVAL when unknown. */
int leat_decoder_parse(const char *name, leat_decoder *decoder);
/* Sets fit, padding, order and normalisation of *preprocess to what models of this decoder were trained with, antialias 0:
 *   YOLOv5/v8: RGB in 0..1, letterbox, 114.   YOLOX: BGR in 0..255, letterbox at the top left, 114.
 *   NanoDet: BGR minus 103.53 116.28 123.675 over 57.375 57.12 58.395, letterbox, 0.   YuNet: BGR in 0..255, letterbox at the top left, 0.
 *   SSD (UltraFace): RGB minus 127 over 128, stretched.
 * LEAT_EINVAL for AUTO.  Any thread, RT-safe. */
int leat_decoder_preset(leat_decoder decoder, leat_preprocess *preprocess);

typedef struct leat_rect {
    int32_t x, y, width, height; /* pixels */
} leat_rect;

typedef struct leat_detector_options {
    size_t           size;              /* sizeof(leat_detector_options), set by _default() */
    leat_decoder     decoder;
    int32_t          own_preprocess;    /* 1 = `preprocess` as given; 0 = the decoder's preset, of `preprocess` only width and height count */
    leat_preprocess  preprocess;        /* width, height 0 = as the model declares, else 640; channels, nhwc, dtype are taken from the model */
    int32_t          fit;               /* a leat_fit that replaces the preset's, -1 = the preset's; LETTERBOX leaves LETTERBOX_TOP_LEFT */
    int32_t          antialias;         /* a leat_antialias that replaces the preset's, -1 = the preset's */
    leat_nms_options nms;               /* .score is the confidence threshold of everything */
    int32_t          logits;            /* 1 = objectness and class scores still need the sigmoid */
    const int32_t   *classes;           /* the class ids wanted [n_classes], borrowed during open; NULL = all */
    int32_t          n_classes;
    leat_rect        crop;              /* part of the source that is looked at, cut to the source; width 0 = all */
    int32_t          batch;             /* images of one run at most; a batch size fixed by the model wins */
    int32_t          threads;           /* of the model's pool, 0 = all */
} leat_detector_options;

/* Fills *options: decoder by shapes, preset preprocessing, default NMS, batch 1.  RT-safe. */
void leat_detector_options_default(leat_detector_options *options);

/* A detector: a context of a model with one image input.  One thread at a time, but for leat_detector_prepare_*() and _cancel(). */
typedef struct leat_detector leat_detector;

/* Opens a detector; the model is run once on a black image.  Shares the model.  options: borrows, NULL = defaults.
 * *detector: the caller takes it.  LEAT_EUNSUPPORTED (no image input, or outputs no decoder knows: the message lists them),
 * LEAT_ESHAPE (size against the model's, outputs against the decoder), LEAT_EINVAL, LEAT_ENOMEM.  Any thread. */
int leat_detector_open(leat_model *model, const leat_detector_options *options, leat_detector **detector, leat_error *error);
/* NULL allowed. */
void leat_detector_close(leat_detector *detector);

/* What was settled at open. */
typedef struct leat_detector_info {
    leat_decoder    decoder;
    int32_t         classes, batch;
    int32_t         max_detections; /* of one image: room that arrays of results need */
    int64_t         anchors;        /* candidates of one image before the threshold */
    leat_preprocess preprocess;     /* without the crop, which depends on the source */
    size_t          input_bytes;    /* of one image in the model's input */
    size_t          scratch_bytes;  /* of leat_detector_prepare_*() */
} leat_detector_info;
void leat_detector_get_info(const leat_detector *detector, leat_detector_info *info);

/* Where the source lands in the input of the network, for mapping boxes back. */
typedef struct leat_detect_view {
    leat_placement placement;     /* the crop is in its offsets */
    int32_t        width, height; /* of the source, pixels */
} leat_detect_view;

/* Crops, resizes and normalises `frame`, of any format, into `input` [info.input_bytes, 64-byte aligned], using scratch [info.scratch_bytes,
 * 64-byte aligned].  Fills *view.  LEAT_EINVAL when the frame is invalid or the crop lies outside.
 * Any thread, several at once for one detector; RT-safe. */
int leat_detector_prepare_frame(const leat_detector *detector, const struct leat_frame *frame, void *input, void *scratch, leat_detect_view *view);
/* The same for an image. */
int leat_detector_prepare_image(const leat_detector *detector, const leat_image *image, void *input, void *scratch, leat_detect_view *view);

typedef struct leat_detect_times {
    double preprocess_ms;  /* of this image */
    double infer_ms;       /* of the run, over the images in it */
    double decode_ms;      /* of this image: thresholds, boxes, order */
    double nms_ms;         /* of this image, with the mapping back */
    int32_t candidates;    /* of this image, above the threshold */
} leat_detect_times;

/* Runs the network on images inputs [n], n in 1..batch, each as prepared above: read in place when they follow each other in memory (always with a
 * batch of 1), else copied together.  Reads the outputs in place and fills detections [n, max_detections], best first, counts [n] and times [n]
 * unless NULL (preprocess_ms is left alone).  views [n]: borrows.
 * LEAT_EINVAL, LEAT_ECANCELLED and what leat_context_run() returns.  RT-safe. */
int leat_detector_infer(leat_detector *detector, const void *const *inputs, const leat_detect_view *views, int n, leat_detection *detections,
                        int32_t *counts, leat_detect_times *times, leat_error *error);

/* Both steps on images [n] with the detector's own buffers. */
int leat_detector_run(leat_detector *detector, const leat_image *images, int n, leat_detection *detections, int32_t *counts, leat_detect_times *times,
                      leat_error *error);

/* Changes the confidence and IoU thresholds between runs.  LEAT_EINVAL outside 0..1.  The detector's thread, RT-safe. */
int leat_detector_set_thresholds(leat_detector *detector, float score, float iou);
/* Makes a run in progress return LEAT_ECANCELLED.  Any thread, RT-safe. */
void leat_detector_cancel(leat_detector *detector);
/* The detector's context, for statistics; owned by the detector. */
leat_context *leat_detector_context(leat_detector *detector);

/* ---- decoding tensors that are already there ------------------------------------------------------------------------------ */

/* The same decoder, threshold, NMS and mapping without a model: for outputs that came from elsewhere. */
typedef struct leat_decode leat_decode;
/* outputs [n]: borrows, only types (float32, float16) and dims are read here; batch is their first dimension.  Size of the network's input: options->preprocess.
 * A decoder that two layouts share is told apart by data only in leat_detector_open(); here AUTO takes SSD.  *decode: the caller takes it. */
int leat_decode_open(const leat_tensor *outputs, const char *const *names, int n, const leat_detector_options *options, leat_decode **decode,
                     leat_error *error);
void leat_decode_close(leat_decode *decode);
/* Decodes image `index` of the batch from outputs [n] of the dims given at open.  detections [max_kept].  Returns the number of them.  times: NULL allowed.
 * One thread at a time; RT-safe. */
int leat_decode_run(leat_decode *decode, const leat_tensor *outputs, int index, const leat_detect_view *view, leat_detection *detections,
                    leat_detect_times *times);
/* What was settled at open. */
typedef struct leat_decode_info {
    leat_decoder decoder;
    int32_t      classes, batch, max_detections;
    int64_t      anchors;
} leat_decode_info;
void leat_decode_get_info(const leat_decode *decode, leat_decode_info *info);
/* Changes the thresholds between runs.  LEAT_EINVAL outside 0..1.  The thread that runs; RT-safe. */
int leat_decode_set_thresholds(leat_decode *decode, float score, float iou);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
