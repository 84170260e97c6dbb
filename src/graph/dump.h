/* dump.h - a graph as text, Graphviz or JSON, for inspection. */
#ifndef LEAT_GRAPH_DUMP_H
#define LEAT_GRAPH_DUMP_H

#include "base/str.h"
#include "graph/graph.h"
#include "leat/model.h"

/* Appends `graph` with its inner graphs to *text; a failed allocation shows in text->failed.  LEAT_EINVAL for an unknown format. */
int leat__graph_dump(const leat_graph *graph, leat_dump_format format, leat_strbuf *text);

#endif
