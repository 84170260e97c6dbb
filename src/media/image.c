/* image.c - the image's life cycle, and the choice of a codec by content. */
#include "media/image_codec.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define MAX_SIDE 65535

void leat_image_options_default(leat_image_options *options) {
    *options = (leat_image_options){.size = sizeof *options, .max_pixels = (uint64_t)1 << 28, .background = {255, 255, 255}};
}

int leat_image_alloc(int width, int height, leat_image *image) {
    memset(image, 0, sizeof *image);
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) return LEAT_EINVAL;
    uint8_t *data = leat__calloc((size_t)height, (size_t)width * 3, LEAT_MEMORY_IO);
    if (!data) return LEAT_ENOMEM;
    *image = (leat_image){data, width, height, (int64_t)width * 3};
    return LEAT_OK;
}

void leat_image_free(leat_image *image) {
    if (!image) return;
    leat__free(image->data);
    memset(image, 0, sizeof *image);
}

int leat__image_is_valid(const leat_image *image) {
    return image && image->data && image->width > 0 && image->height > 0 && image->stride / 3 >= image->width;
}

int leat__image_check_size(uint64_t width, uint64_t height, const leat_image_options *options, leat_error *error) {
    if (width == 0 || height == 0) return leat__fail(error, LEAT_EFORMAT, "the image has no pixels");
    if (width > MAX_SIDE || height > MAX_SIDE || width * height > options->max_pixels)
        return leat__fail(error, LEAT_ELIMIT, "an image of %llu x %llu pixels is over the limit of %llu pixels (%d a side)",
                          (unsigned long long)width, (unsigned long long)height, (unsigned long long)options->max_pixels, MAX_SIDE);
    return LEAT_OK;
}

int leat__image_room(leat_image *image, int width, int height) {
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) return LEAT_EINVAL;
    size_t bytes = (size_t)width * 3 * (size_t)height;
    if (!image->data || leat__alloc_size(image->data) < bytes) {
        leat_image_free(image);
        return leat_image_alloc(width, height, image);
    }
    *image = (leat_image){image->data, width, height, (int64_t)width * 3};
    return LEAT_OK;
}

int leat__image_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error) {
    static const uint8_t png_magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const uint8_t *head = data;
    if (bytes >= 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff) return leat__jpeg_decode(data, bytes, options, image, error);
    if (bytes >= 8 && memcmp(head, png_magic, 8) == 0) return leat__png_decode(data, bytes, options, image, error);
    return leat__fail(error, LEAT_EUNSUPPORTED, "neither JPEG nor PNG, by its first bytes");
}

int leat_image_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error) {
    leat_image_options defaults;
    leat_image_options_default(&defaults);
    memset(image, 0, sizeof *image);
    int status = leat__image_decode(data, bytes, options ? options : &defaults, image, error);
    if (status != LEAT_OK) leat_image_free(image);
    return status;
}

int leat_image_load(const char *path, const leat_image_options *options, leat_image *image, leat_error *error) {
    char  *data = NULL;
    size_t bytes = 0;
    memset(image, 0, sizeof *image);
    int status = leat__read_file(path, MAX_FILE_BYTES, &data, &bytes, error);
    if (status != LEAT_OK) return status;
    status = leat_image_decode(data, bytes, options, image, error);
    leat__free(data);
    return status == LEAT_OK ? status : leat__fail_prefix(error, status, "%s", path);
}

int leat__image_sink_add(leat_image_sink *sink, const void *data, size_t bytes) {
    if (bytes > sink->capacity - sink->length) {
        size_t capacity = sink->capacity * 2 + bytes + 4096;
        uint8_t *grown = leat__realloc(sink->data, capacity, LEAT_MEMORY_IO);
        if (!grown) return 0;
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->length, data, bytes);
    sink->length += bytes;
    return 1;
}

/* Writes what an encoder left in the sink, or passes its failure on, and frees the sink. */
static int finish_save(const char *path, leat_image_sink *sink, int status, leat_error *error) {
    if (status == LEAT_OK) status = leat__write_file(path, sink->data, sink->length, error);
    else leat__fail_prefix(error, status, "%s", path);
    leat__free(sink->data);
    return status;
}

int leat_image_save_png(const char *path, const leat_image *image, leat_error *error) {
    leat_image_sink sink = {0};
    if (!leat__image_is_valid(image)) return leat__fail(error, LEAT_EINVAL, "%s: no image to save", path);
    return finish_save(path, &sink, leat__png_encode(image, &sink, error), error);
}

int leat_image_save_jpeg(const char *path, const leat_image *image, int quality, leat_error *error) {
    leat_image_sink sink = {0};
    if (!leat__image_is_valid(image) || quality < 1 || quality > 100)
        return leat__fail(error, LEAT_EINVAL, "%s: no image to save, or a quality outside 1..100", path);
    return finish_save(path, &sink, leat__jpeg_encode(image, quality, &sink, error), error);
}
