/* sized_options.c - see sized_options.h. */
#include "base/sized_options.h"

#include <string.h>

#include "base/error.h"

int leat__take_options(void *wanted, size_t bytes, const void *options, const char *name, leat_error *error) {
    size_t size;
    if (!options) return LEAT_OK;
    memcpy(&size, options, sizeof size);
    if (size <= sizeof size || size > 65536) return leat__fail(error, LEAT_EINVAL, "%s.size is %zu: begin with %s_default()", name, size, name);
    memcpy(wanted, options, size < bytes ? size : bytes);
    memcpy(wanted, &bytes, sizeof bytes);
    return LEAT_OK;
}
