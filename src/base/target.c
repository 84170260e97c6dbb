/* target.c - see target.h. */
#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

static void free_names(leat_target *t) {
    leat__free(t->path);
    leat__free(t->temporary);
    *t = (leat_target){.fd = -1};
}

/* A temporary file beside t->path with the rights of a new file. */
static int open_temporary(leat_target *t) {
    size_t bytes = strlen(t->path) + 8;
    t->temporary = leat__alloc(bytes, LEAT_MEMORY_IO);
    if (!t->temporary) return ENOMEM;
    snprintf(t->temporary, bytes, "%s.XXXXXX", t->path);
    t->fd = mkostemp(t->temporary, O_CLOEXEC);
    if (t->fd < 0) return errno;
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(t->fd, 0666 & ~mask);
    return 0;
}

int leat__target_open(const char *path, leat_target *t, leat_error *error) {
    char real[PATH_MAX];
    struct stat st;
    int there = stat(path, &st) == 0, code;
    *t = (leat_target){.fd = -1};
    if (there && S_ISDIR(st.st_mode)) return leat__fail(error, LEAT_EIO, "%s: %s", path, strerror(EISDIR));
    t->path = leat__strdup(there && realpath(path, real) ? real : path, LEAT_MEMORY_IO);
    if (!t->path) code = ENOMEM;
    else if (there && !S_ISREG(st.st_mode)) code = (t->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)) < 0 ? errno : 0;
    else code = open_temporary(t);
    if (code == 0) return LEAT_OK;
    free_names(t);
    return leat__fail(error, code == ENOMEM ? LEAT_ENOMEM : LEAT_EIO, "%s: %s", path, strerror(code));
}

int leat__target_close(leat_target *t, int keep) {
    int code = close(t->fd) != 0 && keep ? errno : 0;
    if (t->temporary && keep && !code && rename(t->temporary, t->path) != 0) code = errno;
    if (t->temporary && (!keep || code)) unlink(t->temporary);
    free_names(t);
    return code;
}

ssize_t leat__write_quietly(int fd, const void *data, size_t bytes) {
    sigset_t raised, old, pending;
    struct timespec now = {0, 0};
    sigemptyset(&raised);
    sigaddset(&raised, SIGPIPE);
    sigaddset(&raised, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &raised, &old);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE)) sigdelset(&raised, SIGPIPE); /* somebody else's */
    if (sigismember(&pending, SIGXFSZ)) sigdelset(&raised, SIGXFSZ);
    ssize_t n = write(fd, data, bytes);
    int saved = errno;
    if (n < 0 && (saved == EPIPE || saved == EFBIG))
        while (sigtimedwait(&raised, NULL, &now) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved;
    return n;
}
