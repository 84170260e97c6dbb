/* clock.h - monotonic nanoseconds and process CPU time. */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include <stdint.h>

int64_t leat__now_ns(void);      /* CLOCK_MONOTONIC */
int64_t leat__cpu_ns(void);      /* user + system time of the process */
int64_t leat__peak_rss(void);    /* bytes, from getrusage */

#endif
