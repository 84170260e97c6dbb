/* fuzz_files.c - the other files that come from outside: .npy arrays, JPEG and PNG images. */
#include <stdint.h>
#include <stdlib.h>

#include "leat/media.h"
#include "tensor/npy.h"

#define MAX_PIXELS (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_failed(const leat_error *error, int status) {
    if (error->status != status || error->message[0] == 0) abort(); /* every failure is explained */
}

static void read_array(const uint8_t *data, size_t size) {
    leat_tensor tensor;
    leat_error error = {0};
    int status = leat__npy_parse(data, size, &tensor, &error);
    if (status != LEAT_OK) check_failed(&error, status);
    else leat_tensor_free(&tensor);
}

static void read_image(const uint8_t *data, size_t size) {
    leat_image_options options;
    leat_image image;
    leat_error error = {0};
    leat_image_options_default(&options);
    options.max_pixels = MAX_PIXELS;
    int status = leat_image_decode(data, size, &options, &image, &error);
    if (status != LEAT_OK) check_failed(&error, status);
    else leat_image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (leat__npy_is(data, size)) read_array(data, size);
    else read_image(data, size);
    return 0;
}
