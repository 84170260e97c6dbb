/* fuzz_circles.c - circle files of any bytes are read or refused; scenes of any numbers are refused or cost what their picture costs.
 *
 * Input that begins with white space, '[' or '{' goes to the reader of the command line (jansson), the circles it yields are measured; other input is
 * a scene: width, height, frozen circles, then seven doubles a circle. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../cli/circles_file.h"
#include "../cli/term.h"
#include "base/mem.h"
#include "leat/circlefit.h"
#include "leat/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 40 };

/* What the reader reports goes nowhere. */
int cli_fail(const char *format, ...) { return format ? 1 : 2; }

static void require(int holds) {
    if (!holds) abort();
}

/* The evaluator's integer is that of the picture, with the first circles frozen or not. */
static void measure(const leat_circle *circles, int64_t count, int64_t frozen, int width, int height) {
    leat_image             reference, canvas;
    leat_circle_target    *target = NULL;
    leat_circle_evaluator *evaluator = NULL;
    uint64_t               sse = 0, want = 1;
    require(leat_image_alloc(width, height, &reference) == LEAT_OK && leat_image_alloc(width, height, &canvas) == LEAT_OK);
    for (int64_t i = 0; i < reference.stride * height; i++) reference.data[i] = (uint8_t)(i * 37);
    memset(canvas.data, 255, (size_t)(canvas.stride * height));
    require(leat_circle_target_open(&reference, &canvas, &target, NULL) == LEAT_OK);
    require(leat_circle_evaluator_open(target, count - frozen, &evaluator) == LEAT_OK);
    int refused = leat_circles_check(circles, count, NULL);
    require(leat_circles_render(circles, count, &canvas, NULL, NULL) == refused);
    if (refused == LEAT_OK) {
        require(leat_circle_target_freeze(target, circles, frozen, NULL) == LEAT_OK);
        require(leat_circle_evaluate(evaluator, circles + frozen, count - frozen, &sse) == LEAT_OK);
        require(leat_image_sse(&canvas, &reference, &want) == LEAT_OK && sse == want);
    }
    leat_circle_evaluator_close(evaluator);
    leat_circle_target_unref(target);
    leat_image_free(&reference);
    leat_image_free(&canvas);
}

static void read_text(const uint8_t *data, size_t size) {
    char         path[64];
    leat_circle *circles;
    int64_t      count;
    int          file = memfd_create("circles", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int failed = cli_circles_read(path, &circles, &count);
    require(failed ? !circles : leat_circles_check(circles, count, NULL) == LEAT_OK);
    if (!failed && count <= MOST) measure(circles, count, count / 2, 33, 17);
    free(circles);
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_circle circles[MOST];
    if (size < 3) return 0;
    if (strchr(" \n[{", data[0])) {
        read_text(data, size);
        return 0;
    }
    size_t count = (size - 3) / sizeof *circles;
    if (count > MOST) count = MOST;
    memcpy(circles, data + 3, count * sizeof *circles);
    measure(circles, (int64_t)count, (int64_t)(data[2] % (count + 1)), 1 + data[0] % 90, 1 + data[1] % 60);
    return 0;
}
