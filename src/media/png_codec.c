/* png_codec.c - PNG by libpng: memory in, memory out.
 *
 * Everything is brought to 8-bit RGB: palettes and low depths are expanded, 16 bits scaled, grey spread, alpha (also a tRNS chunk)
 * blended over the background.  Gamma and colour profiles are left alone, as image classifiers' training pipelines do.
 */
#include "media/image_codec.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "base/error.h"
#include "base/mem.h"

#define MAX_CHUNK_BYTES (8u << 20) /* of ancillary chunks that libpng keeps */

typedef struct png_job {
    png_structp               png;
    png_infop                 info;
    const uint8_t            *data;
    size_t                    bytes, at;
    char                      message[200];
    int                       out_of_memory;
    uint8_t                  *rgba;  /* whole image, when there is alpha */
    png_bytep                *rows;
    const leat_image_options *options;
    leat_image               *image;
    leat_image_sink          *sink;
    leat_error               *error;
} png_job;

static void on_error(png_structp png, png_const_charp text) {
    png_job *job = png_get_error_ptr(png);
    strncpy(job->message, text, sizeof job->message - 1);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep out, size_t bytes) {
    png_job *job = png_get_io_ptr(png);
    if (bytes > job->bytes - job->at) png_error(png, "data ends early");
    memcpy(out, job->data + job->at, bytes);
    job->at += bytes;
}

/* Asks libpng for 8-bit RGB, or RGBA when the file has transparency; returns the number of channels. */
static int set_transforms(png_job *job) {
    int colour = png_get_color_type(job->png, job->info);
    int alpha = (colour & PNG_COLOR_MASK_ALPHA) || png_get_valid(job->png, job->info, PNG_INFO_tRNS);
    png_set_scale_16(job->png);
    png_set_expand(job->png); /* palettes, low depths, tRNS */
    if (!(colour & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(job->png);
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
    return alpha ? 4 : 3;
}

static int allocate(png_job *job, int width, int height, int channels) {
    int status = leat__image_room(job->image, width, height);
    if (status != LEAT_OK) return status;
    if (channels == 4 && !(job->rgba = leat__calloc((size_t)height, (size_t)width * 4, LEAT_MEMORY_IO))) return LEAT_ENOMEM;
    job->rows = leat__calloc((size_t)height, sizeof *job->rows, LEAT_MEMORY_IO);
    if (!job->rows) return LEAT_ENOMEM;
    for (int y = 0; y < height; y++)
        job->rows[y] = job->rgba ? job->rgba + (size_t)y * (size_t)width * 4 : job->image->data + (int64_t)y * job->image->stride;
    return LEAT_OK;
}

static void blend(const png_job *job) {
    size_t pixels = (size_t)job->image->width * (size_t)job->image->height;
    const uint8_t *from = job->rgba;
    uint8_t *to = job->image->data;
    for (size_t i = 0; i < pixels; i++, from += 4, to += 3)
        for (int c = 0; c < 3; c++) to[c] = (uint8_t)((from[c] * from[3] + job->options->background[c] * (255 - from[3]) + 127) / 255);
}

static int read_image(png_job *job) {
    png_set_user_limits(job->png, 65535, 65535);
    png_set_chunk_malloc_max(job->png, MAX_CHUNK_BYTES);
    png_set_read_fn(job->png, job, read_bytes);
    png_read_info(job->png, job->info);
    uint32_t width = png_get_image_width(job->png, job->info), height = png_get_image_height(job->png, job->info);
    int status = leat__image_check_size(width, height, job->options, job->error);
    if (status != LEAT_OK) return status;
    int channels = set_transforms(job);
    if (png_get_rowbytes(job->png, job->info) != (size_t)width * (size_t)channels)
        return leat__fail(job->error, LEAT_EUNSUPPORTED, "PNG: unusual pixel layout");
    status = allocate(job, (int)width, (int)height, channels);
    if (status != LEAT_OK) return leat__fail(job->error, status, "no memory for the pixels");
    png_read_image(job->png, job->rows);
    png_read_end(job->png, NULL);
    if (job->rgba) blend(job);
    return LEAT_OK;
}

/* Holds the setjmp: everything that it needs afterwards is in *job. */
static int decode_guarded(png_job *job) {
    if (setjmp(png_jmpbuf(job->png))) return leat__fail(job->error, LEAT_EFORMAT, "PNG: %s", job->message);
    return read_image(job);
}

int leat__png_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error) {
    png_job job = {.data = data, .bytes = bytes, .options = options, .image = image, .error = error};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    int status = job.info ? decode_guarded(&job) : leat__fail(error, LEAT_ENOMEM, "no memory to decode the PNG data");
    png_destroy_read_struct(&job.png, &job.info, NULL);
    leat__free(job.rgba);
    leat__free(job.rows);
    return status;
}

static void write_bytes(png_structp png, png_bytep data, size_t bytes) {
    png_job *job = png_get_io_ptr(png);
    if (leat__image_sink_add(job->sink, data, bytes)) return;
    job->out_of_memory = 1;
    png_error(png, "no memory to encode");
}

static int encode_guarded(png_job *job) {
    if (setjmp(png_jmpbuf(job->png)))
        return leat__fail(job->error, job->out_of_memory ? LEAT_ENOMEM : LEAT_EINTERNAL, "PNG: %s", job->message);
    png_set_write_fn(job->png, job, write_bytes, NULL);
    png_set_IHDR(job->png, job->info, (png_uint_32)job->image->width, (png_uint_32)job->image->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (int y = 0; y < job->image->height; y++) png_write_row(job->png, job->image->data + (int64_t)y * job->image->stride);
    png_write_end(job->png, NULL);
    return LEAT_OK;
}

int leat__png_encode(const leat_image *image, leat_image_sink *sink, leat_error *error) {
    leat_image source = *image;
    png_job job = {.image = &source, .sink = sink, .error = error};
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    int status = job.info ? encode_guarded(&job) : leat__fail(error, LEAT_ENOMEM, "no memory to encode");
    png_destroy_write_struct(&job.png, &job.info);
    return status;
}
