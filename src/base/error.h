/* error.h - filling a caller-owned leat_error. */
#ifndef LEAT_BASE_ERROR_H
#define LEAT_BASE_ERROR_H

#include "leat/status.h"

/* Writes status and message (truncated if long) when error is not NULL; returns status. */
int leat__fail(leat_error *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with a byte offset. */
int leat__fail_at(leat_error *error, int status, uint64_t offset, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " before the message that is there; returns status. */
int leat__fail_prefix(leat_error *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
