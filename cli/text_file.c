/* text_file.c - see text_file.h. */
#include "text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "term.h"

static int open_temporary(cli_text_file *t) {
    if (snprintf(t->temporary, sizeof t->temporary, "%s.XXXXXX", t->path) >= (int)sizeof t->temporary) return ENAMETOOLONG;
    int descriptor = mkstemp(t->temporary);
    if (descriptor < 0) return errno;
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(descriptor, 0666 & ~mask);
    t->file = fdopen(descriptor, "w");
    return t->file ? 0 : errno;
}

int cli_text_open(cli_text_file *t, const char *path) {
    struct stat st;
    int there = stat(path, &st) == 0, code = 0;
    t->file = NULL;
    t->temporary[0] = 0;
    if (!there || !realpath(path, t->path)) code = snprintf(t->path, sizeof t->path, "%s", path) >= (int)sizeof t->path ? ENAMETOOLONG : 0;
    if (code == 0 && there && !S_ISREG(st.st_mode)) code = (t->file = fopen(path, "w")) ? 0 : errno;
    else if (code == 0) code = open_temporary(t);
    return code ? cli_fail("%s: %s", path, strerror(code)) : CLI_DONE;
}

int cli_text_close(cli_text_file *t, int keep) {
    int code = 0;
    if (!t->file) return CLI_DONE;
    if (ferror(t->file) || fflush(t->file) != 0) code = errno ? errno : EIO;
    if (fclose(t->file) != 0 && !code) code = errno;
    t->file = NULL;
    if (t->temporary[0] && keep && !code && rename(t->temporary, t->path) != 0) code = errno;
    if (t->temporary[0] && (!keep || code)) unlink(t->temporary);
    return keep && code ? cli_fail("%s: %s", t->path, strerror(code)) : CLI_DONE;
}

int cli_check_place(const char *path) {
    struct stat st;
    char  folder[PATH_MAX];
    char *slash;
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder) return cli_fail("%s: %s", path, strerror(ENAMETOOLONG));
    if (stat(path, &st) == 0) { /* a device or FIFO is written in place */
        if (S_ISDIR(st.st_mode)) return cli_fail("%s: %s", path, strerror(EISDIR));
        if (!S_ISREG(st.st_mode)) return CLI_DONE;
    }
    slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    return access(slash ? folder : ".", W_OK | X_OK) == 0 ? CLI_DONE : cli_fail("%s: %s", path, strerror(errno));
}
