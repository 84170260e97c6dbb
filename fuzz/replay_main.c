/* replay_main.c - runs a fuzz target over files and folders, where there is no libFuzzer or a corpus is to be checked once.
 *
 *     replay PATH...     each file once, folders recursively; prints how many; a crash is the target's own
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long n_files;

/* The content in a block of exactly its size, so that ASan sees the first byte past it. */
static void replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    if (file && data && fread(data, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(data, size);
        n_files++;
    } else {
        fprintf(stderr, "%s: cannot read\n", path);
    }
    free(data);
    if (file) fclose(file);
}

static void replay_path(const char *path);

static void replay_folder(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char inner[4096];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < sizeof inner) replay_path(inner);
    }
    closedir(folder);
}

static void replay_path(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) fprintf(stderr, "%s: cannot read\n", path);
    else if (S_ISDIR(st.st_mode)) replay_folder(path);
    else if (S_ISREG(st.st_mode)) replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) replay_path(argv[i]);
    printf("%ld files replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
