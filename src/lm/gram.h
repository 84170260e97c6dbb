/* gram.h - inside of the grammars.
 *
 *   gram_parse.c    GBNF text to a tree per rule
 *   gram_check.c    unknown rules, left recursion, rules without an end; which rules are written out where they are used
 *   gram_class.c    a class of characters as ranges of bytes
 *   gram_compile.c  trees to one table of places, the public open and close
 *   gram_vocab.c    the pieces of a tokenizer as a trie
 *   gram_state.c    where a text stands: sets of places with their stacks, kept as states of an automaton that grows as it is used
 *   gram_mask.c     the tokens that may follow
 *   schema*.c       JSON schema to GBNF
 *
 * The compiled form works on bytes: a class of characters is written as the UTF-8 sequences of its characters, so a token that ends in the middle of a character
 * needs no care.  A *place* is a point in a rule; from it lead edges that take a byte, forks that take none, or a call of another rule, which comes back to its
 * `back` place.  A *stack* is the list of places to come back to.
 */
#ifndef LEAT_LM_GRAM_H
#define LEAT_LM_GRAM_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "leat/grammar.h"

#define LEAT_GRAM_TEXT ((size_t)1 << 20)
#define LEAT_GRAM_RULES 16384u
#define LEAT_GRAM_DEPTH 200
#define LEAT_GRAM_REPEAT 65536u
#define LEAT_GRAM_PLACES 262144u
#define LEAT_GRAM_WAYS 16384u    /* places that a text may stand at, at once */
#define LEAT_GRAM_FOREVER UINT32_MAX

/* ---- trees ------------------------------------------------------------------------------------------------------------------ */

typedef struct leat_gram_range {
    uint32_t from, to; /* code points, both included */
} leat_gram_range;

typedef enum leat_gram_kind { LEAT_GRAM_EMPTY, LEAT_GRAM_CLASS, LEAT_GRAM_REF, LEAT_GRAM_SEQ, LEAT_GRAM_ALT, LEAT_GRAM_REPEATED } leat_gram_kind;

typedef struct leat_gram_node leat_gram_node;
struct leat_gram_node {
    leat_gram_kind   kind;
    uint32_t         line, rule;     /* rule: of a REF */
    uint32_t         min, max;       /* of a REPEATED; max LEAT_GRAM_FOREVER = no limit */
    uint32_t         n_ranges;       /* of a CLASS, ascending and apart */
    leat_gram_range *ranges;
    leat_gram_node  *child, *next;   /* first part; next part of the same parent */
};

typedef struct leat_gram_rule {
    const char     *name;            /* NUL-terminated */
    uint32_t        line;            /* of the definition; of the first use while there is none */
    leat_gram_node *body;            /* NULL = used only */
    uint8_t         nullable, productive, recursive, written_out, endless, open_tail;
    uint32_t        height;          /* of the tree, written-out rules included */
    uint64_t        size;            /* places it needs, an upper limit */
    uint32_t        start;           /* place, once compiled; UINT32_MAX before */
} leat_gram_rule;

typedef struct leat_gram_tree {
    leat_arena      arena;
    leat_gram_rule *rules;
    uint32_t        n_rules, cap_rules;
    uint32_t       *table, mask;     /* by name; slots hold number + 1 */
    uint32_t        n_nodes;
    uint32_t        root;
} leat_gram_tree;

/* Parses.  The tree is filled and to be given back also on failure. */
int  leat__gram_parse(const char *text, size_t bytes, leat_gram_tree *tree, leat_error *error);
void leat__gram_tree_fini(leat_gram_tree *tree);
/* Refuses what cannot work, sets the flags of the rules and decides which are written out. */
int  leat__gram_check(leat_gram_tree *tree, leat_error *error);

/* ---- compiled --------------------------------------------------------------------------------------------------------------- */

typedef struct leat_gram_edge {
    uint8_t  from, to; /* bytes, both included */
    uint32_t place;
} leat_gram_edge;

typedef enum leat_gram_place_kind { LEAT_GRAM_END, LEAT_GRAM_BYTES, LEAT_GRAM_FORK, LEAT_GRAM_CALL } leat_gram_place_kind;

typedef struct leat_gram_place {
    uint32_t kind;
    uint32_t first, count; /* BYTES: edges; FORK: targets; CALL: first place of the rule, place to come back to */
    uint32_t alike, depth; /* BYTES: another place, where texts of at most `depth` bytes go as they go here, ends of the rule included; 0 = none */
} leat_gram_place;
#define LEAT_GRAM_ALIKE 12u /* bytes at least: fewer help little */
#define LEAT_GRAM_DEPTHS 256u

/* Masks of one grammar with one vocab, filled as places are met; records are never taken back. */
typedef struct leat_gram_record {
    uint32_t n_escapes;
    uint32_t escapes[1022]; /* trie nodes at which the rule of the place may have ended while more text follows */
    uint32_t pad;
    uint32_t bits[];        /* tokens that stay within the rule, or end with it */
} leat_gram_record;
#define LEAT_GRAM_ESCAPES 1022u
#define LEAT_GRAM_DIRECT UINT32_MAX /* in slots: not worth a record */

typedef struct leat_gram_masks leat_gram_masks;
struct leat_gram_masks {
    leat_gram_masks    *next;
    leat_grammar_vocab *vocab;
    _Atomic uint32_t   *slots;    /* [places]: 0 = not met, record + 1, LEAT_GRAM_DIRECT */
    _Atomic uint32_t    used;
    uint32_t            records;
    size_t              stride;
    uint8_t            *slab;     /* [records][stride] */
};

struct leat_grammar {
    _Atomic int      refs;
    leat_gram_place *places;      /* place 0 is the end of every rule */
    leat_gram_edge  *edges;
    uint32_t        *targets;
    uint32_t         n_places, n_edges, n_targets, n_bytes_places;
    uint32_t         start;
    uint8_t          class_of[256], example[256]; /* bytes that no edge tells apart; one of each class */
    uint32_t         n_classes;
    uint8_t          plain[256];  /* classes that have plain bytes */
    uint32_t         n_plain;
    pthread_mutex_t  lock;        /* of `masks` */
    leat_gram_masks *masks;
};
leat_grammar *leat__grammar_ref(leat_grammar *grammar);

/* Grows the tables while compiling. */
typedef struct leat_gram_build {
    leat_grammar *g;
    uint32_t      cap_places, cap_edges, cap_targets;
    int           status;         /* LEAT_OK, LEAT_ELIMIT, LEAT_ENOMEM; places made after a failure are 0 */
} leat_gram_build;
uint32_t leat__gram_place(leat_gram_build *b, leat_gram_place_kind kind, uint32_t first, uint32_t count);
void     leat__gram_edge(leat_gram_build *b, uint8_t from, uint8_t to, uint32_t place);
/* A place from which one goes on at any of targets [count]; the only one itself when there is one. */
uint32_t leat__gram_fork(leat_gram_build *b, const uint32_t *targets, uint32_t count);
/* A place from which one character of the class leads to `next`. */
uint32_t leat__gram_class(leat_gram_build *b, const leat_gram_range *ranges, uint32_t count, uint32_t next);
/* Places that leat__gram_class() makes at most. */
uint64_t leat__gram_class_size(const leat_gram_range *ranges, uint32_t count);

/* ---- vocabulary ------------------------------------------------------------------------------------------------------------- */

typedef struct leat_gram_trie {
    uint32_t next;   /* behind the last node below this one */
    int32_t  token;  /* that ends here, -1 = none */
    uint16_t depth;  /* from 1 */
    uint8_t  byte;
    uint8_t  plain;  /* 1 + bytes from here to the deepest node below, when all below are plain ones (gram_vocab.c); else 0 */
} leat_gram_trie;
/* Bytes that mean nothing in most grammars; places that take one of them mostly take all. */
static inline int leat__gram_is_plain(uint8_t byte) { return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\'; }

struct leat_grammar_vocab {
    _Atomic int           refs;
    const leat_tokenizer *tokenizer;
    leat_gram_trie       *nodes;  /* in preorder */
    uint32_t              n_nodes, depth;
    int32_t              *twin;   /* [tokens]: the next token with the same text, -1 */
    int32_t              *order;  /* tokens in the order of their nodes */
    uint32_t             *rank;   /* [n_nodes + 1]: how many are in front of a node's own */
    uint8_t              *deepest; /* [n_nodes]: depth of the deepest node below, or of the node itself; 255 = that or more */
    int32_t              *by_length; /* tokens, the longest first */
    uint32_t              longer[LEAT_GRAM_DEPTHS]; /* how many have more bytes */
    int32_t              *ends;
    int32_t               n_ends, tokens;
    uint32_t              words;
};

/* ---- states ----------------------------------------------------------------------------------------------------------------- */

#define LEAT_GRAM_CONFIGS 262144u
#define LEAT_GRAM_STACKS 32768u
#define LEAT_GRAM_SETS_MOST 16384u
#define LEAT_GRAM_MOVES 600000u  /* entries of the table of moves */
#define LEAT_GRAM_SEEN 65536u    /* slots */
#define LEAT_GRAM_KEPT 8
/* Numbers of sets: 0 = nothing can follow. */
#define LEAT_GRAM_UNKNOWN UINT32_MAX
#define LEAT_GRAM_FULL (UINT32_MAX - 1)     /* no room: leat__gram_compact(), then again */
#define LEAT_GRAM_TOO_MANY (UINT32_MAX - 2) /* more than LEAT_GRAM_WAYS */
#define LEAT_GRAM_SET_LIMIT (UINT32_MAX - 3)

typedef struct leat_gram_config {
    uint32_t place, stack; /* a BYTES place, or END with stack 0: the text may end */
} leat_gram_config;
typedef struct leat_gram_stack {
    uint32_t back, below;  /* stack 0 = empty; `below` has the smaller number */
} leat_gram_stack;
typedef struct leat_gram_set {
    uint32_t first, count; /* configs, ascending */
    uint32_t hash, ends;   /* whether one of them is the end */
    uint32_t run;          /* how many plain bytes may follow, whichever they are, without an end among them; LEAT_GRAM_UNKNOWN */
} leat_gram_set;

struct leat_grammar_state {
    leat_grammar       *g;
    leat_grammar_vocab *vocab;
    leat_gram_masks    *masks;
    uint32_t            current;
    int                 finished;                /* behind an end token */
    leat_gram_config   *configs;
    leat_gram_stack    *stacks;
    leat_gram_set      *sets;
    uint32_t            n_configs, n_stacks, n_sets, most_sets;
    uint32_t           *moves;                   /* [most_sets][classes] */
    uint32_t           *set_table, *stack_table; /* open addressing, number + 1 */
    uint32_t           *map;                     /* [LEAT_GRAM_STACKS] scratch */
    leat_gram_config   *todo, *found;            /* [LEAT_GRAM_SEEN / 2], [LEAT_GRAM_WAYS] scratch of the closure */
    leat_gram_config   *direct;                  /* [LEAT_GRAM_WAYS] scratch of the mask */
    uint64_t           *seen;                    /* [LEAT_GRAM_SEEN] */
    uint32_t           *seen_at;                 /* stamps */
    uint32_t            stamp, n_todo, n_found, n_seen;
    uint32_t           *path;                    /* [depth of the trie + 1] sets on the way */
    char               *piece;                   /* [depth of the trie] */
    leat_gram_record   *made;                    /* the last record that was made, kept with the grammar or not */
    uint32_t           *kept[LEAT_GRAM_KEPT], kept_set[LEAT_GRAM_KEPT], next_kept; /* whole masks by set */
};

/* The set behind `set` and a byte of `klass`; made when it is not there yet. */
uint32_t leat__gram_move(leat_grammar_state *s, uint32_t set, uint32_t klass);
/* sets[set].run, made when it is not there yet; 0 as long as there is no room. */
uint32_t leat__gram_run(leat_grammar_state *s, uint32_t set);
/* The set of what can be reached without a byte from a place. */
uint32_t leat__gram_closure(leat_grammar_state *s, uint32_t place, uint32_t stack);
/* The set of configs [count] as they are; they are sorted. */
uint32_t leat__gram_set(leat_grammar_state *s, leat_gram_config *configs, uint32_t count);
/* Forgets all sets but those in keep [count, at most 2], which get new numbers. */
void     leat__gram_compact(leat_grammar_state *s, uint32_t *keep, uint32_t count);
/* The masks of a grammar with a vocab, which are made when they are not there yet; the grammar's own.  NULL: out of memory. */
leat_gram_masks *leat__gram_masks(leat_grammar *g, leat_grammar_vocab *vocab);

#endif
