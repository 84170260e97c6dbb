# What is built from what: every .c of a room belongs to the library.
LIB_SRC := $(wildcard src/*/*.c)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
ifeq (,$(filter x86_64-%,$(MACHINE)))
LIB_SRC := $(filter-out %_avx2.c %_avx512.c %_avx512vnni.c,$(LIB_SRC))
endif
ifeq (,$(filter aarch64-%,$(MACHINE)))
LIB_SRC := $(filter-out %_neon.c %_neondot.c %_neoni8mm.c,$(LIB_SRC))
endif
CLI_SRC := $(wildcard cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
