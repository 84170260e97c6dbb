# Compiler flags.  The suffix of a file decides which instructions it may use; nothing is built for one CPU.
OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
CFLAGS   ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno \
             -fstack-protector-strong -Iinclude -Isrc -MMD -MP $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,now,-z,relro $(SANITIZE) $(LDFLAGS)
LIBS     := -ljpeg -lpng -lpthread -lm
CLI_LIBS := -ljansson

isa_avx2       := -mavx2 -mfma -mf16c -mbmi2
isa_avx512     := $(isa_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
isa_avx512vnni := $(isa_avx512) -mavx512vnni
isa_flags = $(isa_$(lastword $(subst _, ,$(basename $(notdir $1)))))
