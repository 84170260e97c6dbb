/* status.h - status codes and the caller-owned error record.
 *
 * Every fallible public function returns an int status: LEAT_OK (0) or one of the negative codes below.
 * Functions that read content also take an optional leat_error, which the caller owns and the library fills.
 */
#ifndef LEAT_STATUS_H
#define LEAT_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* X(code, number, text): the one list of statuses. */
#define LEAT_STATUS_LIST(X)                                              \
    X(OK, 0, "success")                                                  \
    X(EINVAL, -1, "invalid argument")                                    \
    X(ENOMEM, -2, "out of memory")                                       \
    X(EIO, -3, "input or output failed")                                 \
    X(EFORMAT, -4, "malformed content")                                  \
    X(EUNSUPPORTED, -5, "not supported")                                 \
    X(ESHAPE, -6, "shape mismatch")                                      \
    X(ETYPE, -7, "element type mismatch")                                \
    X(ELIMIT, -8, "limit exceeded")                                      \
    X(ECANCELLED, -9, "cancelled")                                       \
    X(EAGAIN, -10, "not ready, try again")                               \
    X(ESTATE, -11, "call not allowed in this state")                     \
    X(EINTERNAL, -12, "internal error")                                  \
    X(EDYNAMIC, -13, "shape depends on run-time data")                   \
    X(EEND, -14, "end of the stream")

typedef enum leat_status {
#define LEAT_STATUS_ENUM(code, number, text) LEAT_##code = number,
    LEAT_STATUS_LIST(LEAT_STATUS_ENUM)
#undef LEAT_STATUS_ENUM
} leat_status;

/* What went wrong and where.  Zero-initialise; the library writes it only when it returns a failure. */
typedef struct leat_error {
    int      status;       /* the leat_status that was returned */
    char     message[768]; /* names file, node or field, and the remedy where there is one; never empty on failure */
    uint64_t offset;       /* byte offset in the content, or 0 when unknown */
} leat_error;

/* Returns the short English text of a status ("success", ...), "unknown status" for others.  Any thread, RT-safe. */
const char *leat_status_text(int status);

/* Returns the code's name ("LEAT_EINVAL", ...).  Any thread, RT-safe. */
const char *leat_status_name(int status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
