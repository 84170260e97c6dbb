/* fuzz_media.c - images and .npy files of any bytes: a status, an explanation of every failure, nothing leaked; what is decoded is used. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "leat/media.h"
#include "tensor/npy.h"

#define SIDE 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_failed(const leat_error *error, int status) {
    if (error->status != status || error->message[0] == 0) abort();
}

/* Brings the image to a small tensor in a way that its first byte picks. */
static void preprocess(const leat_image *image, int way) {
    leat_preprocess p;
    leat_preprocess_default(&p);
    p.width = p.height = SIDE;
    p.fit = (leat_fit)(way & 3);
    p.antialias = way >> 2 & 1;
    p.nhwc = way >> 3 & 1;
    float *out = leat__alloc(3 * SIDE * SIDE * sizeof(float), LEAT_MEMORY_IO);
    void  *scratch = leat__alloc(leat_preprocess_scratch_bytes(&p), LEAT_MEMORY_IO);
    if (out && scratch && leat_preprocess_run(&p, image, out, scratch) != LEAT_OK) abort();
    leat__free(out);
    leat__free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_image_options options;
    leat_image image;
    leat_tensor tensor;
    leat_error error = {0};
    leat_image_options_default(&options);
    options.max_pixels = 1 << 20;
    int status = leat_image_decode(data, size, &options, &image, &error);
    if (status == LEAT_OK) preprocess(&image, image.data[0]);
    else check_failed(&error, status);
    leat_image_free(&image);
    error = (leat_error){0};
    status = leat__npy_parse(data, size, &tensor, &error);
    if (status != LEAT_OK) check_failed(&error, status);
    leat_tensor_free(&tensor);
    return 0;
}
