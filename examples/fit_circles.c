/* fit_circles.c - paints an image with circles, step by step, with progress.
 *
 *     cc fit_circles.c $(pkg-config --cflags --libs leat) -o fit_circles && ./fit_circles photo.jpg 100 circles.svg
 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>

/* Called after each step; not 0 would end the run, with the best so far kept. */
static int show(void *user, const leat_circlefit *fit) {
    leat_circlefit_info info;
    int64_t *shown = user;
    leat_circlefit_get(fit, &info);
    if (info.circles != *shown) fprintf(stderr, "\r%lld circles, %.2f dB ", (long long)info.circles, info.psnr_db);
    *shown = info.circles;
    return 0;
}

int main(int argc, char **argv) {
    static const uint8_t   white[3] = {255, 255, 255};
    leat_circlefit_options options;
    leat_circlefit_limits  limits = {.seconds = 10};
    leat_circlefit *fit = NULL;
    leat_tpool     *pool = NULL;
    leat_image      photo = {0};
    leat_error      error = {0};
    int64_t         shown = 0, count = 0;
    if (argc != 4) return fprintf(stderr, "usage: fit_circles PHOTO CIRCLES OUT.svg\n"), 2;
    leat_circlefit_options_default(&options);
    options.circles = atoi(argv[2]);
    leat_tpool_new(0, &pool); /* all CPUs; the circles are the same for any number */
    int status = leat_image_load(argv[1], NULL, &photo, &error);
    if (status == LEAT_OK) status = leat_circlefit_open(&photo, NULL, NULL, 0, &options, pool, &fit, &error);
    if (status == LEAT_OK) status = leat_circlefit_run(fit, &limits, show, &shown, &error);
    if (status == LEAT_OK) {
        const leat_circle *circles = leat_circlefit_circles(fit, &count);
        status = leat_circles_save_svg(argv[3], circles, count, photo.width, photo.height, white, &error);
    }
    fputc('\n', stderr);
    if (status != LEAT_OK) fprintf(stderr, "%s\n", error.message);
    leat_circlefit_close(fit);
    leat_tpool_unref(pool);
    leat_image_free(&photo);
    return status != LEAT_OK;
}
