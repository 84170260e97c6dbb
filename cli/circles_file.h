/* circles_file.h - circles read from JSON. */
#ifndef LEAT_CLI_CIRCLES_FILE_H
#define LEAT_CLI_CIRCLES_FILE_H

#include "leat/circlefit.h"

/* Reads {"circles": [...]} or a bare array; each circle has x, y, r (pixels) and either red, green, blue (0..1) or color "#rrggbb", and opacity
 * (0..1, 1 when absent); drawn in order.  *circles [*count]: the caller frees it with free().  0, or an exit status after a message. */
int cli_circles_read(const char *path, leat_circle **circles, int64_t *count);

#endif
