/* sized_options.h - sized structs of options that callers hand over: a library that is newer or older than its caller takes the fields that both know. */
#ifndef LEAT_BASE_SIZED_OPTIONS_H
#define LEAT_BASE_SIZED_OPTIONS_H

#include <stddef.h>

#include "leat/status.h"

/* Copies the caller's *options (NULL: nothing) over the defaults in *wanted [bytes], as far as its `size`, the first field of both, goes.  LEAT_EINVAL when that cannot be
 * a size, so that a struct that nobody has filled is not taken for defaults; `name` is that of the type. */
int leat__take_options(void *wanted, size_t bytes, const void *options, const char *name, leat_error *error);

#endif
