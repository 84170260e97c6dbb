/* media.h - images from and to files, and the fused step from an image or frame to a network's input.
 *
 * An image is 8-bit RGB, rows of `stride` bytes; a frame (video.h) has one of several pixel formats.  leat_preprocess_run() and
 * leat_preprocess_frame() crop, resize, pad, convert colours, normalise and reorder in one pass over the source, without an
 * intermediate image.
 */
#ifndef LEAT_MEDIA_H
#define LEAT_MEDIA_H

#include "leat/common.h"
#include "leat/tensor.h"

struct leat_frame; /* video.h */

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* An 8-bit RGB image: pixel (x, y) is the 3 bytes at data + y * stride + 3 * x.  Whoever allocated `data` owns it. */
typedef struct leat_image {
    uint8_t *data;
    int32_t  width, height; /* pixels */
    int64_t  stride;        /* bytes from a row to the next, >= 3 * width */
} leat_image;

typedef struct leat_image_options {
    size_t   size;          /* sizeof(leat_image_options), set by _default() */
    uint64_t max_pixels;    /* refuse larger images; default 2^28 */
    uint8_t  background[3]; /* RGB that transparent pixels are blended over (on the encoded values); default white */
} leat_image_options;

/* Fills *options with the defaults.  RT-safe. */
void leat_image_options_default(leat_image_options *options);

/* Allocates a black image.  LEAT_EINVAL, LEAT_ENOMEM; the caller frees it with leat_image_free().  Any thread. */
int leat_image_alloc(int width, int height, leat_image *image);
/* Frees data that the library allocated and zeroes *image.  NULL allowed.  Any thread. */
void leat_image_free(leat_image *image);

/* Decodes the JPEG or PNG file `path`, told apart by content.  JPEG: grey, YCbCr, RGB, CMYK, YCCK, baseline and progressive; an EXIF
 * orientation is not applied.  PNG: all colour types, bit depths and interlacing; 16 bits are scaled to 8.  options: borrows, NULL =
 * defaults.  Fills *image: leat_image_free().  LEAT_EIO, LEAT_EFORMAT (also truncated data), LEAT_EUNSUPPORTED, LEAT_ELIMIT,
 * LEAT_ENOMEM; *image is zeroed on failure.  Any thread. */
int leat_image_load(const char *path, const leat_image_options *options, leat_image *image, leat_error *error);
/* The same from memory [bytes], borrowed during the call. */
int leat_image_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error);

/* Write `image` under a temporary name beside `path`, then rename.  quality: 1..100.  LEAT_EINVAL, LEAT_EIO, LEAT_ENOMEM. */
int leat_image_save_png(const char *path, const leat_image *image, leat_error *error);
int leat_image_save_jpeg(const char *path, const leat_image *image, int quality, leat_error *error);

/* How the source is brought to the network's size. */
typedef enum leat_fit {
    LEAT_FIT_STRETCH = 0,   /* both sides resized on their own */
    LEAT_FIT_CROP = 1,      /* resized so that the short side is `crop_ratio` times the target's, then the centre is cut out */
    LEAT_FIT_LETTERBOX = 2, /* resized to fit inside, centred on `pad` */
    LEAT_FIT_LETTERBOX_TOP_LEFT = 3 /* the same, at the top left */
} leat_fit;

/* What shrinking looks at. */
typedef enum leat_antialias {
    LEAT_ANTIALIAS_NONE = 0,     /* the nearest two pixels in each direction, as OpenCV's INTER_LINEAR */
    LEAT_ANTIALIAS_TRIANGLE = 1, /* all pixels, under a triangle widened by the scale, as Pillow's BILINEAR and torchvision's antialias=True */
    LEAT_ANTIALIAS_AREA = 2      /* all pixels, by the area they cover, as OpenCV's INTER_AREA */
} leat_antialias;

/* From an image or frame to a tensor.  Output channel c of a pixel p (0..255, after resizing) is (p * scale - mean[c]) / std[c], where mean
 * and std stand in the order of the output's channels.  Resizing is linear with half-pixel centres: output pixel x looks at source position
 * (x + 0.5) * crop / resized - 0.5 + first, clamped to the source (not to crop_rect).  Chroma of 4:2:2 belongs to both pixels of its pair,
 * that of 4:2:0 is sampled at half the luma's position.  YUV is resized first, then converted (BT.601 or BT.709, limited or full range, as
 * the frame says), then clamped to 0..255; alpha is ignored.  Nothing is rounded to 8 bits in between. */
typedef struct leat_preprocess {
    size_t     size;          /* sizeof(leat_preprocess), set by _default() */
    int32_t    width, height; /* of the output, pixels */
    leat_fit   fit;
    float      crop_ratio;    /* LEAT_FIT_CROP: 256/224 for the usual 224 from 256 */
    leat_antialias antialias; /* when shrinking; enlarging is the same with all */
    int32_t    crop_rect[4];  /* x, y, width, height of the part of the source that is used, pixels; all 0 = the whole */
    uint8_t    pad[3];        /* LEAT_FIT_LETTERBOX: RGB */
    int32_t    channels;      /* 3, or 1 = luma (0.299 R + 0.587 G + 0.114 B) */
    int32_t    bgr;           /* 1 = blue first */
    int32_t    nhwc;          /* 1 = [H, W, C], 0 = [C, H, W] */
    leat_dtype dtype;         /* F32, F16 or U8 (rounded to nearest even, clamped) */
    float      scale, mean[3], std[3];
} leat_preprocess;

/* Fills *options: 224 x 224, crop 256/224, RGB, NCHW, float32, scale 1/255, ImageNet mean and std,
 * LEAT_ANTIALIAS_TRIANGLE; for video LEAT_ANTIALIAS_NONE is usual.  RT-safe. */
void leat_preprocess_default(leat_preprocess *options);

/* Where the source lands in the output: output = source * scale + offset, in pixels of the whole source (crop_rect is in the offset), for
 * undoing it on boxes. */
typedef struct leat_placement {
    float   scale_x, scale_y, offset_x, offset_y;
    int32_t resized_width, resized_height; /* of the resized crop_rect */
} leat_placement;
/* Computes the placement of a width x height source.  LEAT_EINVAL, also when crop_rect leaves it.  Any thread, RT-safe. */
int leat_preprocess_place(const leat_preprocess *options, int width, int height, leat_placement *placement);

/* Bytes of scratch that one thread needs, a multiple of 64: it depends on the options only; 0 when they are invalid.  RT-safe. */
size_t leat_preprocess_scratch_bytes(const leat_preprocess *options);
/* Converts `image` into `out` [channels * height * width elements of dtype], using scratch [leat_preprocess_scratch_bytes(), 64-byte
 * aligned].  LEAT_EINVAL when options or image are invalid, or crop_rect leaves the image.  Any thread, RT-safe. */
int leat_preprocess_run(const leat_preprocess *options, const leat_image *image, void *out, void *scratch);
/* The same for a frame of any format, in bands of rows over `pool` (borrowed; NULL = by the caller alone), using scratch
 * [leat_preprocess_scratch_bytes() * leat_tpool_threads(pool)].  The result does not depend on the number of threads, nor on the ISA level.
 * LEAT_EINVAL.  Any thread, RT-safe. */
int leat_preprocess_frame(const leat_preprocess *options, const struct leat_frame *frame, leat_tpool *pool, void *out, void *scratch);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
