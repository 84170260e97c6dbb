/* cpu_families.h - one FAMILY(x) line for each kernel family, whose x_init.c has leat__x_init(leat_isa); included by cpu.c. */
FAMILY(vmath)
FAMILY(preproc)
FAMILY(gemm_f32)
FAMILY(pool)
FAMILY(resize)
FAMILY(quant)
FAMILY(transpose)
FAMILY(dwconv_f32)
