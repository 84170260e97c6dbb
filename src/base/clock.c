/* clock.c - monotonic time, CPU time and peak memory of the process, the calendar. */
#include "base/clock.h"

#include <sys/resource.h>
#include <time.h>

static int64_t read_ns(clockid_t id) {
    struct timespec t;
    if (clock_gettime(id, &t) != 0) return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t leat__now_ns(void) { return read_ns(CLOCK_MONOTONIC); }

int64_t leat__cpu_ns(void) { return read_ns(CLOCK_PROCESS_CPUTIME_ID); }

void leat__local_date(int *year, int *month, int *day) {
    time_t    now = time(NULL);
    struct tm local = {.tm_year = 70, .tm_mday = 1};
    localtime_r(&now, &local);
    *year = local.tm_year + 1900, *month = local.tm_mon + 1, *day = local.tm_mday;
}

int64_t leat__peak_rss(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0; /* Linux counts in KiB */
}
