/* fuzz_y4m.c - Y4M and raw frames of any bytes: a status, an explanation of every failure, frames that can be walked, times that increase,
 * nothing leaked.  The first byte picks stride, loop and whether the rest is raw; without a magic the rest is given one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leat/video.h"

#define FRAME_BYTES (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_failed(const leat_error *error, int status) {
    if (error->status != status || error->message[0] == 0) abort();
}

/* Every byte of the frame must be readable: a conversion walks it. */
static void walk(const leat_frame *frame) {
    static uint8_t pixels[3 * FRAME_BYTES];
    leat_frame rgb = {0};
    if (!leat_frame_is_valid(frame)) abort();
    if (leat_frame_bytes(LEAT_PIXEL_RGB24, frame->width, frame->height) > sizeof pixels) return;
    leat_frame_layout(&rgb, LEAT_PIXEL_RGB24, frame->width, frame->height, pixels);
    if (leat_frame_convert(frame, &rgb) != LEAT_OK) abort();
}

static void play(leat_source *source) {
    static uint8_t buffer[FRAME_BYTES];
    leat_error error = {0};
    leat_frame frame;
    int64_t last = -1;
    int status;
    while ((status = leat_source_next(source, buffer, sizeof buffer, &frame, &error)) == LEAT_OK) {
        if (frame.pts_ns <= last) abort();
        last = frame.pts_ns;
        walk(&frame);
    }
    if (status != LEAT_EEND) check_failed(&error, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    leat_source *source;
    leat_source_options options;
    leat_error error = {0};
    if (size < 2) return 0;
    int fd = memfd_create("fuzz_y4m", 0), way = data[0], raw = way & 1;
    if (fd < 0) return 0;
    if (!raw && memcmp(data + 1, "YUV4", size - 1 < 4 ? size - 1 : 4) != 0 && write(fd, "YUV4MPEG2 ", 10) != 10) abort();
    if (write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    leat_source_options_default(&options);
    options.max_pixels = FRAME_BYTES / 4;
    options.max_frames = 50;
    options.stride = 1 + (way >> 1 & 3);
    options.loop = way >> 3 & 3;
    if (raw) {
        options.raw_width = 1 + (way >> 5) * 3;
        options.raw_height = 3;
        options.raw_format = (leat_pixel_format)(way >> 5);
    }
    int status = leat_source_open(path, &options, &source, &error);
    if (status == LEAT_OK) play(source);
    else check_failed(&error, status);
    leat_source_close(source);
    close(fd);
    return 0;
}
