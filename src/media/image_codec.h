/* image_codec.h - what image.c and the codecs share.
 *
 * Both packaged libraries report errors by longjmp.  Each codec therefore keeps its state in one struct of its caller's frame (never in
 * locals that change after setjmp), calls the library only below a function that holds the setjmp, and frees in the frame above it.
 */
#ifndef LEAT_MEDIA_IMAGE_CODEC_H
#define LEAT_MEDIA_IMAGE_CODEC_H

#include "leat/media.h"

/* Growing bytes that an encoder writes to; data is leat__free()d by whoever made the sink. */
typedef struct leat_image_sink {
    uint8_t *data;
    size_t   length, capacity;
} leat_image_sink;
int leat__image_sink_add(leat_image_sink *sink, const void *data, size_t bytes); /* 0 when out of memory */

/* Pixels for width x height in *image: what it holds if that is large enough, else in its place a new block.  LEAT_EINVAL, LEAT_ENOMEM. */
int leat__image_room(leat_image *image, int width, int height);
int leat__image_is_valid(const leat_image *image);
int leat__image_check_size(uint64_t width, uint64_t height, const leat_image_options *options, leat_error *error);

/* *image is zeroed or holds pixels to be used again (leat__image_room()).  On failure it may hold an allocation, which the caller frees. */
int leat__image_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error);
int leat__jpeg_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error);
int leat__png_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error);
int leat__jpeg_encode(const leat_image *image, int quality, leat_image_sink *sink, leat_error *error);
int leat__png_encode(const leat_image *image, leat_image_sink *sink, leat_error *error);

/* What loading one picture after the other keeps.  Zero-initialise. */
typedef struct leat_image_buffers {
    uint8_t *file, *pixels;
    size_t   file_capacity;
} leat_image_buffers;
/* leat_image_load() into buffers that only grow; *image borrows them until the next call. */
int leat__image_load_into(const char *path, const leat_image_options *options, leat_image_buffers *buffers, leat_image *image, leat_error *error);
void leat__image_buffers_free(leat_image_buffers *buffers);

#endif
