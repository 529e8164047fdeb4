#include "allocations.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>

// A sanitizer has an allocator of its own, which must stay.
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if !__has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static long count, bytes;

static void *entered(void *block)
{
  __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&bytes, (long) malloc_usable_size(block), __ATOMIC_RELAXED);
  return block;
}

static void left(void *block)
{
  __atomic_sub_fetch(&bytes, (long) malloc_usable_size(block), __ATOMIC_RELAXED);
}

void *malloc(size_t size) { return entered(__libc_malloc(size)); }

void *calloc(size_t number, size_t size) { return entered(__libc_calloc(number, size)); }

void *realloc(void *block, size_t size)
{
  left(block);
  return entered(__libc_realloc(block, size));
}

void *memalign(size_t alignment, size_t size) { return entered(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return entered(__libc_memalign(alignment, size)); }

int posix_memalign(void **block, size_t alignment, size_t size)
{
  *block = entered(__libc_memalign(alignment, size));
  return *block ? 0 : ENOMEM;
}

void free(void *block)
{
  left(block);
  __libc_free(block);
}

#else
static long count, bytes;
#endif

long allocation_count(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }

long allocated_bytes(void) { return __atomic_load_n(&bytes, __ATOMIC_RELAXED); }
