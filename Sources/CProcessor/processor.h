#ifndef PROCESSOR_H
#define PROCESSOR_H

/* What the processor that is compiled for can do, which Swift cannot ask. */

/* Bytes of its widest vectors that have 32 registers, or 0. */
#ifdef __AVX512F__
#define PROCESSOR_WIDE_VECTOR_BYTES 64
#else
#define PROCESSOR_WIDE_VECTOR_BYTES 0
#endif

#endif
