/* chat_writer.c - what every format of conversations is written with: bytes into the caller's text, and today's date. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "lm/chat_format.h"

void leat__chat_put(leat_chat_writer *w, const char *text, size_t bytes) {
    if (w->bytes < w->capacity) memcpy(w->text + w->bytes, text, bytes < w->capacity - w->bytes ? bytes : w->capacity - w->bytes);
    w->bytes += bytes;
}

const char *leat__chat_month(int month) {
    static const char *const names[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};
    return names[(unsigned)(month - 1) % 12];
}

int leat__chat_find_today(leat_chat_writer *w, leat_error *error) {
    leat_chat_date *d = &w->date;
    const char *given = getenv("LEAT_DATE");
    int bytes = 0;
    if (!given || !*given) leat__local_date(&d->year, &d->month, &d->day);
    else if (sscanf(given, "%4d-%2d-%2d%n", &d->year, &d->month, &d->day, &bytes) < 3 || given[bytes] || d->year < 0 || d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31)
        return leat__fail(error, LEAT_EINVAL, "chat: LEAT_DATE is '%.40s', not a date as 2024-07-26", given);
    snprintf(w->today, sizeof w->today, "%02d %.3s %d", d->day, leat__chat_month(d->month), d->year);
    return LEAT_OK;
}
