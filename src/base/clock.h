/* clock.h - monotonic nanoseconds, process CPU time, the calendar. */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include <stdint.h>

int64_t leat__now_ns(void);      /* CLOCK_MONOTONIC */
int64_t leat__cpu_ns(void);      /* user + system time of the process */
void    leat__local_date(int *year, int *month, int *day); /* of the wall clock in the local time zone; month 1..12 */
int64_t leat__peak_rss(void);    /* bytes, from getrusage */

#endif
