/* error.c - status texts, the version, and filling of leat_error. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "leat/common.h"

const char *leat_version(void) { return LEAT_VERSION_STRING; }

const char *leat_status_text(int status) {
    switch (status) {
#define STATUS_TEXT(code, number, text) \
    case number: return text;
        LEAT_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

const char *leat_status_name(int status) {
    switch (status) {
#define STATUS_NAME(code, number, text) \
    case number: return "LEAT_" #code;
        LEAT_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "unknown status";
}

static int fill(leat_error *error, int status, uint64_t offset, const char *format, va_list args) {
    if (!error) return status;
    error->status = status;
    error->offset = offset;
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    if (length <= 0) snprintf(error->message, sizeof error->message, "%s", leat_status_text(status));
    return status;
}

int leat__fail(leat_error *error, int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(error, status, 0, format, args);
    va_end(args);
    return status;
}

int leat__fail_at(leat_error *error, int status, uint64_t offset, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(error, status, offset, format, args);
    va_end(args);
    return status;
}

int leat__fail_prefix(leat_error *error, int status, const char *format, ...) {
    if (!error) return status;
    char old[sizeof error->message];
    strcpy(old, error->status != LEAT_OK && error->message[0] ? error->message : leat_status_text(status));
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length, size = sizeof error->message;
    if (used + 3 < size) { /* ": " and at least one more; the rest is cut off */
        size_t room = size - used - 3, n = strlen(old) < room ? strlen(old) : room;
        memcpy(error->message + used, ": ", 2);
        memcpy(error->message + used + 2, old, n);
        error->message[used + 2 + n] = 0;
    }
    error->status = status;
    return status;
}
