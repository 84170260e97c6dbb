# Compiler flags.  The suffix of a file decides which instructions it may use; nothing is built for one CPU.
OPT      ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
CFLAGS   ?=
FREETYPE_INC := $(or $(shell pkg-config --cflags-only-I freetype2 2>/dev/null),-I/usr/include/freetype2)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno \
             -fstack-protector-strong -Iinclude -Isrc $(FREETYPE_INC) -MMD -MP $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS = -Wl,-z,now,-z,relro $(SANITIZE) $(LDFLAGS)
LIBS     := -ljpeg -lpng -lfreetype -lpcre2-8 -lutf8proc -ljansson -lpthread -lm
CLI_LIBS :=

isa_avx2       := -mavx2 -mfma -mf16c -mbmi2
isa_avx512     := $(isa_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
isa_avx512vnni := $(isa_avx512) -mavx512vnni
# gcc's scheduling before registers are given out fills all of them with loads and puts sums on the stack; the one afterwards stays.
isa_neon       := $(if $(findstring clang,$(CC)),,-fno-schedule-insns)
isa_neondot    := $(isa_neon) -march=armv8.2-a+dotprod
isa_neoni8mm   := $(isa_neondot)+i8mm
isa_of = $(isa_$(lastword $(subst _, ,$(basename $(notdir $1)))))
# Sanitized builds: the unrolled kernels at -O1, with ASan's checks as calls and without UBSan, or compiling them takes minutes and a gigabyte.
asan_calls  = $(if $(findstring clang,$(CC)),-mllvm -asan-instrumentation-with-call-threshold=0,--param asan-instrumentation-with-call-threshold=0)
calm_asan   = $(if $(findstring address,$(SANITIZE)),$(asan_calls)) $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize=undefined)
isa_flags = $(call isa_of,$1) $(if $(and $(SANITIZE),$(call isa_of,$1)),-O1 $(calm_asan))
