/* paths.c - the pictures of a folder or glob, in natural order: runs of digits compare as numbers, so f2 stands before f10. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/source.h"

#define MAX_PATHS 10000000

typedef struct path_list {
    char **paths;
    size_t count, capacity;
} path_list;

int leat__names_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && dot != name && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0);
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Compares the runs of digits at *a and *b as numbers and moves past them. */
static int compare_numbers(const char **a, const char **b) {
    while (**a == '0') ++*a;
    while (**b == '0') ++*b;
    size_t n = strspn(*a, "0123456789"), m = strspn(*b, "0123456789");
    int order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
    *a += n;
    *b += m;
    return order;
}

static int natural_order(const void *pa, const void *pb) {
    const char *first = *(char *const *)pa, *second = *(char *const *)pb, *a = first, *b = second;
    while (*a && *b) {
        int order;
        if (is_digit(*a) && is_digit(*b)) {
            order = compare_numbers(&a, &b);
        } else {
            order = (unsigned char)*a - (unsigned char)*b;
            a++;
            b++;
        }
        if (order) return order;
    }
    if (*a || *b) return *a ? 1 : -1;
    return strcmp(first, second); /* f1 and f01: any fixed order */
}

void leat__paths_free(char **paths, int count) {
    for (int i = 0; paths && i < count; i++) leat__free(paths[i]);
    leat__free(paths);
}

/* Takes `path`, which may be NULL after a failed allocation. */
static int add_path(path_list *list, char *path) {
    if (path && list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        char **grown = leat__realloc(list->paths, capacity * sizeof *grown, LEAT_MEMORY_IO);
        if (grown) {
            list->paths = grown;
            list->capacity = capacity;
        }
    }
    if (!path || list->count == list->capacity || list->count >= MAX_PATHS) {
        leat__free(path);
        return LEAT_ENOMEM;
    }
    list->paths[list->count++] = path;
    return LEAT_OK;
}

static int finish_list(path_list *list, int status, const char *where, char ***paths, int *count, leat_error *error) {
    if (status == LEAT_ENOMEM) leat__fail(error, status, "%s: no memory for the list of files", where);
    if (status == LEAT_OK && list->count == 0) status = leat__fail(error, LEAT_EIO, "%s: no JPEG or PNG file there", where);
    if (status != LEAT_OK) {
        leat__paths_free(list->paths, (int)list->count);
        return status;
    }
    qsort(list->paths, list->count, sizeof *list->paths, natural_order);
    *paths = list->paths;
    *count = (int)list->count;
    return LEAT_OK;
}

static char *join(const char *folder, const char *name) {
    size_t n = strlen(folder), slash = n == 0 || folder[n - 1] != '/', bytes = n + slash + strlen(name) + 1;
    char *path = leat__alloc(bytes, LEAT_MEMORY_IO);
    if (path) snprintf(path, bytes, "%s%s%s", folder, slash ? "/" : "", name);
    return path;
}

int leat__paths_of_folder(const char *folder, char ***paths, int *count, leat_error *error) {
    path_list list = {0};
    int status = LEAT_OK;
    DIR *dir = opendir(folder);
    if (!dir) return leat__fail(error, LEAT_EIO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; status == LEAT_OK && (e = readdir(dir));)
        if (leat__names_picture(e->d_name)) status = add_path(&list, join(folder, e->d_name));
    closedir(dir);
    return finish_list(&list, status, folder, paths, count, error);
}

int leat__paths_of_glob(const char *pattern, char ***paths, int *count, leat_error *error) {
    path_list list = {0};
    glob_t found;
    int status = glob(pattern, GLOB_NOSORT, NULL, &found) == GLOB_NOSPACE ? LEAT_ENOMEM : LEAT_OK;
    for (size_t i = 0; status == LEAT_OK && i < found.gl_pathc; i++)
        if (leat__names_picture(found.gl_pathv[i])) status = add_path(&list, leat__strdup(found.gl_pathv[i], LEAT_MEMORY_IO));
    globfree(&found);
    return finish_list(&list, status, pattern, paths, count, error);
}
