/* packs.c - the model's table of packed weights (contract in packs.h). */
#include "graph/packs.h"

struct leat_pack {
    leat_pack     *next;
    const leat_op *op;
    const void    *key;
    uint64_t       variant;
    size_t         bytes;
    void          *block;
};

enum { BUCKETS = 1024 };
#define COPY UINT64_C(0x434f5059) /* variant of an aligned copy; its op is NULL */
#define ANY_BYTES SIZE_MAX

int leat__packs_init(leat_packs *packs, const leat_mapping *maps, int n_maps) {
    *packs = (leat_packs){.n_buckets = BUCKETS, .maps = maps, .n_maps = n_maps};
    packs->buckets = leat__calloc(BUCKETS, sizeof *packs->buckets, LEAT_MEMORY_GRAPH);
    if (!packs->buckets) return LEAT_ENOMEM;
    pthread_mutex_init(&packs->lock, NULL);
    return LEAT_OK;
}

void leat__packs_fini(leat_packs *packs) {
    if (!packs->buckets) return;
    for (size_t b = 0; b < packs->n_buckets; b++)
        for (leat_pack *pack = packs->buckets[b]; pack;) {
            leat_pack *next = pack->next;
            leat__free(pack->block);
            leat__free(pack);
            pack = next;
        }
    leat__free(packs->buckets);
    packs->buckets = NULL;
    pthread_mutex_destroy(&packs->lock);
}

static size_t bucket_of(const leat_packs *packs, const void *key, uint64_t variant) {
    uint64_t h = ((uint64_t)(uintptr_t)key ^ (variant * 0x9e3779b97f4a7c15u)) * 0xd6e8feb86659fd93u;
    return (size_t)(h >> 32) % packs->n_buckets;
}

/* The packed copy replaces the file's pages: give those back, they come again from the page cache if somebody reads them. */
static void release_source(const leat_packs *packs, const leat_tensor *source) {
    if (!source) return;
    const uint8_t *data = source->data;
    size_t         bytes = leat_tensor_bytes(source);
    for (int i = 0; i < packs->n_maps; i++) {
        const leat_mapping *map = &packs->maps[i];
        if (map->data && data >= map->data && data + bytes <= map->data + map->bytes) leat__map_release(data, bytes);
    }
}

static leat_pack *find(const leat_packs *packs, const leat_op *op, const void *key, uint64_t variant, size_t bytes) {
    leat_pack *pack = packs->buckets[bucket_of(packs, key, variant)];
    while (pack && !(pack->op == op && pack->key == key && pack->variant == variant && (bytes == ANY_BYTES || pack->bytes == bytes)))
        pack = pack->next;
    return pack;
}

static void insert(leat_packs *packs, leat_pack *pack, const leat_tensor *source) {
    leat_pack **slot = &packs->buckets[bucket_of(packs, pack->key, pack->variant)];
    pack->next = *slot;
    *slot = pack;
    packs->bytes += pack->bytes;
    packs->n_packs++;
    release_source(packs, source);
}

static leat_pack *make_pack(const leat_op *op, const void *key, uint64_t variant, size_t bytes) {
    leat_pack *pack = leat__calloc(1, sizeof *pack, LEAT_MEMORY_GRAPH);
    void      *block = leat__alloc(bytes, LEAT_MEMORY_WEIGHTS);
    if (!pack || !block) {
        leat__free(pack);
        leat__free(block);
        return NULL;
    }
    *pack = (leat_pack){.op = op, .key = key, .variant = variant, .bytes = bytes, .block = block};
    return pack;
}

const void *leat__packs_get(leat_packs *packs, const leat_op *op, const void *key, const leat_tensor *source, uint64_t variant,
                            size_t bytes, void (*fill)(void *block, void *arg), void *arg) {
    pthread_mutex_lock(&packs->lock);
    leat_pack *pack = find(packs, op, key, variant, bytes);
    if (!pack && (pack = make_pack(op, key, variant, bytes))) {
        fill(pack->block, arg);
        insert(packs, pack, source);
    }
    pthread_mutex_unlock(&packs->lock);
    return pack ? pack->block : NULL;
}

void *leat__packs_find_copy(leat_packs *packs, const void *raw) {
    pthread_mutex_lock(&packs->lock);
    leat_pack *pack = find(packs, NULL, raw, COPY, ANY_BYTES);
    pthread_mutex_unlock(&packs->lock);
    return pack ? pack->block : NULL;
}

int leat__packs_keep_copy(leat_packs *packs, const leat_tensor *constant, void *copy) {
    leat_pack *pack = leat__calloc(1, sizeof *pack, LEAT_MEMORY_GRAPH);
    if (!pack) {
        leat__free(copy);
        return LEAT_ENOMEM;
    }
    *pack = (leat_pack){.key = constant->data, .variant = COPY, .bytes = leat_tensor_bytes(constant), .block = copy};
    pthread_mutex_lock(&packs->lock);
    insert(packs, pack, constant);
    pthread_mutex_unlock(&packs->lock);
    return LEAT_OK;
}

uint64_t leat__packs_bytes(leat_packs *packs) {
    pthread_mutex_lock(&packs->lock);
    uint64_t bytes = packs->bytes;
    pthread_mutex_unlock(&packs->lock);
    return bytes;
}
