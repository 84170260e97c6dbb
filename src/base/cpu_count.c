/* cpu_count.c - CPUs that this process may use: the affinity mask, lowered by the cgroup's quota (v2, then v1). */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "leat/common.h"

/* Reads a small file into text [size]; 0 on failure. */
static int read_small(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    return 1;
}

static int lower_by_quota(int cpus, long long quota, long long period) {
    if (quota <= 0 || period <= 0) return cpus;
    long long whole = (quota + period - 1) / period;
    return whole < cpus ? (int)whole : cpus;
}

/* The quota of this cgroup and of each one above it. */
static int lower_by_cgroup2(int cpus) {
    char text[4096], path[4400], limit[64];
    long long quota, period;
    if (!read_small("/proc/self/cgroup", text, sizeof text)) return cpus;
    char *own = strstr(text, "0::/");
    if (!own) return cpus;
    own += 3;
    own[strcspn(own, "\n")] = 0;
    for (;;) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", own);
        if (read_small(path, limit, sizeof limit) && sscanf(limit, "%lld %lld", &quota, &period) == 2)
            cpus = lower_by_quota(cpus, quota, period);
        char *slash = strrchr(own, '/');
        if (!slash || own[0] == 0) return cpus;
        *slash = 0;
    }
}

static int lower_by_cgroup1(int cpus) {
    char quota_text[64], period_text[64];
    long long quota, period;
    if (!read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota_text, sizeof quota_text)) return cpus;
    if (!read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period_text, sizeof period_text)) return cpus;
    if (sscanf(quota_text, "%lld", &quota) != 1 || sscanf(period_text, "%lld", &period) != 1) return cpus;
    return lower_by_quota(cpus, quota, period);
}

int leat_cpu_count(void) {
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    cpus = lower_by_cgroup1(lower_by_cgroup2(cpus));
    return cpus < 1 ? 1 : cpus > LEAT_MAX_THREADS ? LEAT_MAX_THREADS : cpus;
}
