/* exerciser.h - random operations on two files; what its parts know of each other. */
#ifndef REAL_EXERCISER_H
#define REAL_EXERCISER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  FILES = 2,
  WAYS = 3, /* descriptors of a file: to read and write, to append, to read */
  SLOTS = 6,
  PAGES = 24, /* of a file, at most */
  SLOT_PAGES = 8,
  BUFFER = 3 * 4096
};

/* ---- Chance and record (exerciser_record.c) ------------------------------------------------ */

/* All that follows comes from the seed: no address, no time, no process number. */
void chance_seed(uint64_t seed);
uint64_t chance(void);
size_t chance_below(size_t n);

/* What an operation gave goes into a digest, and from operation `from` on into lines. */
void record_trace(uint64_t from);
void record_begin(const char *who);
void record_op(const char *name);
void record_number(const char *what, int64_t number);
/* The value of a call: with errno where it is -1. */
void record_call(int64_t result);
void record_bytes(const void *bytes, size_t n);
uint64_t record_digest(void);
void record_join(uint64_t digest);

/* ---- Operations on descriptors (exerciser_files.c) ----------------------------------------- */

extern int files[FILES][WAYS];
extern const char *const names[FILES];

void files_open(void);
void files_close(void);
size_t file_size(int file);
/* Random bytes for the buffer, and the buffer. */
char *some_bytes(size_t n);

typedef void operation(void);
operation op_pread, op_read, op_readv, op_pwrite, op_write, op_writev, op_append, op_ftruncate,
    op_truncate, op_open_trunc, op_fallocate, op_copy_range, op_sendfile, op_stdio_read,
    op_stdio_write, op_fsync, op_seek, op_reopen;

/* ---- Operations on mappings (exerciser_maps.c) --------------------------------------------- */

operation op_map, op_unmap, op_unmap_part, op_load, op_store, op_fill, op_sync, op_remap,
    op_protect, op_advise, op_write_from_map, op_read_into_map;
void maps_catch_faults(void);
void maps_drop(void);

/* ---- Processes (exerciser_peer.c) ---------------------------------------------------------- */

void run_operations(uint64_t n);
operation op_fork, op_peer, op_kill_peer;
void peer_start(void);
void peer_end(void);
/* What a peer is: takes orders from standard input until it ends. */
int peer_main(void);
extern bool is_alone; /* no processes: a child or a peer */

#endif
