# What is built from what: every .c of a room belongs to the library.
LIB_SRC := $(wildcard src/*/*.c)
ifneq ($(shell uname -m),x86_64)
LIB_SRC := $(filter-out %_avx2.c %_avx512.c %_avx512vnni.c,$(LIB_SRC))
endif
CLI_SRC := $(wildcard cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
