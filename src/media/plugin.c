/* plugin.c - finding and loading leat_ffmpeg.so.
 *
 * Looked for in $LEAT_PLUGIN_DIR if that is set and nowhere else then; else beside the program, beside the library, in `leat/` below the
 * library's folder, and in ../lib/leat from the program.  Never along LD_LIBRARY_PATH or in the current folder.  It is loaded when video
 * is first asked for and stays for the life of the process: FFmpeg's libraries do not like to go.
 */
#include "media/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define PLUGIN_FILE "leat_ffmpeg.so"
#define RUNTIME_PACKAGES "libavformat59 libavcodec59 libavdevice59 libswscale6"
#define BUILD_PACKAGES "libavformat-dev libavcodec-dev libavdevice-dev libswscale-dev"

static pthread_mutex_t          lock = PTHREAD_MUTEX_INITIALIZER;
static const leat_video_plugin *loaded;

typedef struct search {
    char        looked[400];  /* where it is not */
    char        refusal[300]; /* why the file that was found cannot be used */
} search;

/* Cuts `path` behind its last slash. */
static void to_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) slash[1] = 0;
    else strcpy(path, "./");
}

static const leat_video_plugin *check_table(void *handle, const char *path, search *s) {
    leat_video_plugin_get get;
    void *symbol = dlsym(handle, LEAT_VIDEO_PLUGIN_SYMBOL);
    memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from object to function pointers */
    const leat_video_plugin *plugin = get ? get() : NULL;
    if (plugin && plugin->size == sizeof *plugin) return plugin;
    snprintf(s->refusal, sizeof s->refusal, "%.200s is of another version of Leat", path);
    return NULL;
}

static const leat_video_plugin *try_folder(const char *folder, search *s) {
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/" PLUGIN_FILE, folder);
    if (n < 0 || (size_t)n >= sizeof path) return NULL;
    if (access(path, F_OK) != 0) {
        size_t used = strlen(s->looked);
        snprintf(s->looked + used, sizeof s->looked - used, "%s%s", used ? ", " : "", folder);
        return NULL;
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        snprintf(s->refusal, sizeof s->refusal, "%.290s", why ? why : "dlopen failed");
        return NULL;
    }
    const leat_video_plugin *plugin = check_table(handle, path, s);
    if (!plugin) dlclose(handle);
    return plugin;
}

static const leat_video_plugin *try_around_library(search *s) {
    Dl_info info;
    char folder[PATH_MAX + 8];
    if (!dladdr(&lock, &info) || !info.dli_fname || info.dli_fname[0] != '/' || strlen(info.dli_fname) >= PATH_MAX) return NULL;
    strcpy(folder, info.dli_fname);
    to_folder(folder);
    const leat_video_plugin *plugin = try_folder(folder, s);
    strcat(folder, "leat");
    return plugin || s->refusal[0] ? plugin : try_folder(folder, s);
}

static const leat_video_plugin *try_around_program(search *s) {
    char folder[PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (n <= 0) return NULL;
    folder[n] = 0;
    to_folder(folder);
    const leat_video_plugin *plugin = try_folder(folder, s);
    strcat(folder, "../lib/leat");
    return plugin || s->refusal[0] ? plugin : try_folder(folder, s);
}

static const leat_video_plugin *look(search *s) {
    const char *named = getenv("LEAT_PLUGIN_DIR");
    if (named && *named) return try_folder(named, s);
    const leat_video_plugin *plugin = try_around_program(s);
    return plugin || s->refusal[0] ? plugin : try_around_library(s);
}

int leat__video_plugin(const leat_video_plugin **plugin, leat_error *error) {
    search s = {.looked = ""};
    pthread_mutex_lock(&lock);
    if (!loaded) loaded = look(&s);
    *plugin = loaded;
    pthread_mutex_unlock(&lock);
    if (*plugin) return LEAT_OK;
    if (s.refusal[0])
        return leat__fail(error, LEAT_EUNSUPPORTED, "video needs FFmpeg's libraries, and the plugin cannot be loaded: %s (Debian: apt install %s)", s.refusal,
                          RUNTIME_PACKAGES);
    return leat__fail(error, LEAT_EUNSUPPORTED, "video needs the plugin " PLUGIN_FILE ", which is not in %s; build it with the packages %s installed, "
                      "or name its folder in LEAT_PLUGIN_DIR", s.looked, BUILD_PACKAGES);
}
