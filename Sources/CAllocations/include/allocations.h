// Counts what the program allocates, by standing in for the allocator of the C library.
#ifndef DIFFNNP_ALLOCATIONS_H
#define DIFFNNP_ALLOCATIONS_H

// Calls that allocated so far, of all threads.
long allocation_count(void);

// Bytes allocated and not freed.
long allocated_bytes(void);

#endif
