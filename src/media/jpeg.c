/* jpeg.c - JPEG by libjpeg-turbo: memory in, memory out.
 *
 * Data that ends early is an error, although libjpeg would fill the rest with grey; other warnings of the decoder (stray bytes between
 * segments, say) are let through, as other readers do.  A progressive file may ask for work out of proportion to its size, so scans are
 * counted and limited.
 */
#include "media/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"

#define MAX_SCANS 400

typedef struct decoder {
    struct jpeg_decompress_struct  info;
    struct jpeg_error_mgr          errors;
    struct jpeg_progress_mgr       progress;
    jmp_buf                        escape;
    char                           message[JMSG_LENGTH_MAX];
    int                            truncated, out_of_memory;
    const leat_image_options      *options;
    leat_image                    *image;
    leat_error                    *error;
    JSAMPROW                       cmyk; /* one row, from the library's own pool */
} decoder;

static void on_error(j_common_ptr info) {
    decoder *d = info->client_data;
    d->out_of_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
    info->err->format_message(info, d->message);
    longjmp(d->escape, 1);
}

static void on_message(j_common_ptr info, int level) {
    decoder *d = info->client_data;
    if (level >= 0) return; /* trace output */
    info->err->num_warnings++;
    int code = info->err->msg_code;
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) d->truncated = 1;
}

static void no_output(j_common_ptr info) { (void)info; }

static void on_progress(j_common_ptr info) {
    decoder *d = info->client_data;
    if (d->info.input_scan_number <= MAX_SCANS) return;
    snprintf(d->message, sizeof d->message, "more than %d scans", MAX_SCANS);
    longjmp(d->escape, 1);
}

/* Adobe writes CMYK inverted, so that each channel times black is the colour. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width) {
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

static void read_rows(decoder *d) {
    while (d->info.output_scanline < d->info.output_height) {
        uint8_t *row = d->image->data + (int64_t)d->info.output_scanline * d->image->stride;
        JSAMPROW target = d->cmyk ? d->cmyk : row;
        jpeg_read_scanlines(&d->info, &target, 1);
        if (d->cmyk) cmyk_to_rgb(d->cmyk, row, d->image->width);
    }
}

static int read_image(decoder *d) {
    jpeg_read_header(&d->info, TRUE);
    int status = leat__image_check_size(d->info.image_width, d->info.image_height, d->options, d->error);
    if (status != LEAT_OK) return status;
    int is_cmyk = d->info.jpeg_color_space == JCS_CMYK || d->info.jpeg_color_space == JCS_YCCK;
    d->info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    status = leat__image_room(d->image, (int)d->info.image_width, (int)d->info.image_height);
    if (status != LEAT_OK) return leat__fail(d->error, status, "no memory for the pixels");
    jpeg_start_decompress(&d->info);
    if (is_cmyk)
        d->cmyk = d->info.mem->alloc_sarray((j_common_ptr)&d->info, JPOOL_IMAGE, d->info.output_width * 4, 1)[0];
    read_rows(d);
    jpeg_finish_decompress(&d->info);
    if (d->truncated) return leat__fail(d->error, LEAT_EFORMAT, "JPEG data ends early");
    return LEAT_OK;
}

/* Holds the setjmp: everything that it needs afterwards is in *d. */
static int decode_guarded(decoder *d, const void *data, size_t bytes) {
    if (setjmp(d->escape)) {
        if (d->out_of_memory) return leat__fail(d->error, LEAT_ENOMEM, "no memory to decode the JPEG data");
        return leat__fail(d->error, LEAT_EFORMAT, "JPEG: %s", d->message);
    }
    jpeg_create_decompress(&d->info);
    d->info.client_data = d;
    d->progress.progress_monitor = on_progress;
    d->info.progress = &d->progress;
    jpeg_mem_src(&d->info, data, (unsigned long)bytes);
    return read_image(d);
}

int leat__jpeg_decode(const void *data, size_t bytes, const leat_image_options *options, leat_image *image, leat_error *error) {
    decoder d;
    memset(&d, 0, sizeof d);
    d.info.err = jpeg_std_error(&d.errors);
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    d.errors.output_message = no_output;
    d.info.client_data = &d;
    d.options = options;
    d.image = image;
    d.error = error;
    int status = decode_guarded(&d, data, bytes);
    jpeg_destroy_decompress(&d.info);
    return status;
}

typedef struct encoder {
    struct jpeg_compress_struct  info;
    struct jpeg_error_mgr        errors;
    struct jpeg_destination_mgr  destination;
    jmp_buf                      escape;
    char                         message[JMSG_LENGTH_MAX];
    leat_image_sink             *sink;
    int                          out_of_memory;
    JOCTET                       buffer[16384];
} encoder;

static void on_encode_error(j_common_ptr info) {
    encoder *e = info->client_data;
    info->err->format_message(info, e->message);
    longjmp(e->escape, 1);
}

static void start_buffer(j_compress_ptr info) {
    encoder *e = info->client_data;
    e->destination.next_output_byte = e->buffer;
    e->destination.free_in_buffer = sizeof e->buffer;
}

static void flush(encoder *e, size_t bytes) {
    if (leat__image_sink_add(e->sink, e->buffer, bytes)) return;
    e->out_of_memory = 1;
    longjmp(e->escape, 1);
}

static boolean on_full(j_compress_ptr info) {
    encoder *e = info->client_data;
    flush(e, sizeof e->buffer);
    start_buffer(info);
    return TRUE;
}

static void on_end(j_compress_ptr info) {
    encoder *e = info->client_data;
    flush(e, sizeof e->buffer - e->destination.free_in_buffer);
}

static void write_image(encoder *e, const leat_image *image, int quality) {
    e->info.image_width = (JDIMENSION)image->width;
    e->info.image_height = (JDIMENSION)image->height;
    e->info.input_components = 3;
    e->info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&e->info);
    jpeg_set_quality(&e->info, quality, TRUE);
    jpeg_start_compress(&e->info, TRUE);
    while (e->info.next_scanline < e->info.image_height) {
        JSAMPROW row = image->data + (int64_t)e->info.next_scanline * image->stride;
        jpeg_write_scanlines(&e->info, &row, 1);
    }
    jpeg_finish_compress(&e->info);
}

static int encode_guarded(encoder *e, const leat_image *image, int quality, leat_error *error) {
    if (setjmp(e->escape)) {
        if (e->out_of_memory) return leat__fail(error, LEAT_ENOMEM, "no memory to encode");
        return leat__fail(error, LEAT_EINTERNAL, "JPEG: %s", e->message);
    }
    jpeg_create_compress(&e->info);
    e->info.client_data = e;
    e->info.dest = &e->destination;
    write_image(e, image, quality);
    return LEAT_OK;
}

int leat__jpeg_encode(const leat_image *image, int quality, leat_image_sink *sink, leat_error *error) {
    encoder e;
    memset(&e, 0, sizeof e);
    e.info.err = jpeg_std_error(&e.errors);
    e.errors.error_exit = on_encode_error;
    e.errors.output_message = no_output;
    e.info.client_data = &e;
    e.destination.init_destination = start_buffer;
    e.destination.empty_output_buffer = on_full;
    e.destination.term_destination = on_end;
    e.sink = sink;
    int status = encode_guarded(&e, image, quality, error);
    jpeg_destroy_compress(&e.info);
    return status;
}
