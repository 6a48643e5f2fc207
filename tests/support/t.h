/* t.h - what the test programs share: cases, checks, files, pages, faults, children, pipes.
 *
 * A program is a table of cases. Each case runs in a child process and in a temporary directory of
 * its own, so a crash or a leak of one doesn't reach the next. A failed check says where it was
 * called from and ends the case (or the child of the case that made it). Nothing here waits for time
 * to pass: processes and threads meet at pipes.
 *
 * The same source serves two variants: the host's own mmap, and softmap with -DSOFTMAP. What
 * differs between them is in variant.c and nowhere else.
 */
#ifndef T_H
#define T_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__GNUC__)
#define T_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define T_PRINTF(fmt, args)
#endif

/* ---- run.c: cases ---------------------------------------------------------------------------- */

enum t_flags {
  T_MAPS_NOTHING = 1, /* the case itself makes no mapping of a regular file that succeeds */
  T_SHIM_ONLY = 2,    /* divergence: can't hold in the library alone; skipped in its variant */
  T_DIVERGES = 4,     /* divergence: holds on the host alone; skipped wherever softmap serves */
  T_SKIPPED = 8,      /* not in this build */
  T_KILLS = 16        /* ends processes that have mappings; their sections may be left */
};

struct t_case {
  const char *name;
  void (*run)(void);
  unsigned flags;
  const char *why; /* it is skipped */
};

#define T_CASE(fn)                                                                                 \
  { #fn, fn, 0, NULL }
#define T_CASE_WITH(fn, flags)                                                                     \
  { #fn, fn, flags, NULL }
#define T_CASE_MAPS_NOTHING(fn) T_CASE_WITH(fn, T_MAPS_NOTHING)
#define T_CASE_SHIM_ONLY(fn, why)                                                                  \
  { #fn, fn, T_SHIM_ONLY, "divergence: " why }
#define T_CASE_DIVERGES(fn, why)                                                                   \
  { #fn, fn, T_DIVERGES, "divergence: " why }

/* Left out under ThreadSanitizer, whose own calls and handlers stand between. */
#if defined(__SANITIZE_THREAD__)
#define T_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define T_TSAN 1
#endif
#endif
#ifdef T_TSAN
#define T_CASE_NOT_TSAN(fn, why)                                                                   \
  { #fn, fn, T_SKIPPED, "ThreadSanitizer: " why }
#else
#define T_CASE_NOT_TSAN(fn, why)                                                                   \
  { #fn, fn, 0, NULL }
#endif

/* Runs the cases (or those that argv names) and prints TAP. Returns 0, 1, or 77 if all skipped.
 * Whoever runs the host's variant under the shim sets T_UNDER_SHIM. */
int t_run(const struct t_case *cases, size_t count, int argc, char **argv);

#define T_MAIN(cases)                                                                              \
  int main(int argc, char **argv) {                                                                \
    return t_run(cases, sizeof(cases) / sizeof((cases)[0]), argc, argv);                           \
  }

/* What this program runs in, if that is another machine: the path of a program that
 * takes programs. */
const char *t_emulator(void);

/* Ends the case as skipped. */
_Noreturn void t_skip(const char *why);
/* The same under valgrind only. */
void t_skip_on_valgrind(const char *why);

/* ---- check.c: checks ------------------------------------------------------------------------- */

struct t_at {
  const char *file;
  int line;
};
#define T_HERE ((struct t_at){ __FILE__, __LINE__ })

/* An errno no call sets: shows that a call that succeeds leaves errno alone. */
#define T_ERRNO_UNTOUCHED 9999

_Noreturn void t_fail(struct t_at at, const char *fmt, ...) T_PRINTF(2, 3);
void t_note(const char *fmt, ...) T_PRINTF(1, 2);
/* A wrong row of a table: said, counted, and the case fails when it ends. */
void t_row_fail(struct t_at at, const char *row, const char *fmt, ...) T_PRINTF(3, 4);
int t_rows_failed(void);
const char *t_errno_name(int err, char buf[32]);
/* Where the last check was made; an unexpected fault names it. */
struct t_at t_last_check(void);

void t_true(struct t_at at, const char *text, bool ok);
void t_eq(struct t_at at, const char *text, intmax_t got, intmax_t want);
void t_ok(struct t_at at, const char *text, intmax_t result);
void t_err(struct t_at at, const char *text, intmax_t result, int want_errno);
void t_row(struct t_at at, const char *row, intmax_t result, int want_errno);

#define T_CHECK(cond) t_true(T_HERE, #cond, (cond))
#define T_EQ(got, want) t_eq(T_HERE, #got, (intmax_t)(got), (intmax_t)(want))
/* The call returns 0 (or a count above) and leaves errno alone. */
#define T_OK(call) (errno = T_ERRNO_UNTOUCHED, t_ok(T_HERE, #call, (intmax_t)(call)))
/* The call returns -1 with this errno. */
#define T_ERR(call, want) (errno = T_ERRNO_UNTOUCHED, t_err(T_HERE, #call, (intmax_t)(call), want))
/* A row of a table: want 0 = success, else that errno. The case goes on. */
#define T_ROW(row, call, want)                                                                     \
  (errno = T_ERRNO_UNTOUCHED, t_row(T_HERE, row, (intmax_t)(call), want))

/* ---- variant.c: softmap or the host ---------------------------------------------------------- */

/* The page size that mmap's rules speak of: never assume 4096. */
size_t t_page_size(void);
/* Bytes of n pages. */
size_t t_pages(size_t n);
bool t_is_softmap(void);
/* Mappings of files that softmap made in this process; for the host's variant always 1. */
uint64_t t_mappings_served(void);

/* ---- pages.c: memory ------------------------------------------------------------------------- */

/* n inaccessible pages of anonymous memory, aligned to t_page_size(). */
unsigned char *t_reserve(size_t npages);
/* n pages of address space where nothing is mapped (threads may not map meanwhile). */
unsigned char *t_vacant(size_t npages);
/* n readable and writable pages of anonymous memory, each byte set. */
unsigned char *t_foreign(size_t npages, unsigned char byte);
/* The same over whatever is at addr. */
void t_foreign_at(unsigned char *addr, size_t npages, unsigned char byte);
/* Whether something is mapped at every page of the range, said by the host. */
bool t_is_mapped(const void *addr, size_t npages);

unsigned char t_old_byte(off_t offset);
void t_mem_all(struct t_at at, const volatile unsigned char *p, size_t len, unsigned char byte);
void t_mem_old(struct t_at at, const volatile unsigned char *p, size_t len, off_t offset);

/* Every byte of memory is this one. */
#define T_MEM_ALL(p, len, byte) t_mem_all(T_HERE, p, len, byte)
/* Memory holds what a new t_tmpfile holds at this offset. */
#define T_MEM_OLD(p, len, offset) t_mem_old(T_HERE, p, len, offset)

/* ---- file.c ---------------------------------------------------------------------------------- */

enum { T_PATH = 512 };

/* A new file of so many bytes, none of them zero (t_old_byte), open for reading and writing. path
 * may be NULL. */
int t_tmpfile(char path[T_PATH], off_t size);
/* The same, all hole. */
int t_sparse_file(char path[T_PATH], off_t size);
int t_open(const char *path, int flags);
off_t t_file_size(int fd);
/* Whether temporary files are in memory (tmpfs), where a few rules of disk files don't hold. */
bool t_files_in_memory(void);
void t_pwrite_all(struct t_at at, int fd, off_t offset, size_t len, unsigned char byte);
void t_file_equals(struct t_at at, int fd, off_t offset, const void *want, size_t len);
void t_file_all(struct t_at at, int fd, off_t offset, size_t len, unsigned char byte);
void t_file_old(struct t_at at, int fd, off_t offset, size_t len);

#define T_PWRITE(fd, offset, len, byte) t_pwrite_all(T_HERE, fd, offset, len, byte)
#define T_FILE_EQUALS(fd, offset, want, len) t_file_equals(T_HERE, fd, offset, want, len)
#define T_FILE_ALL(fd, offset, len, byte) t_file_all(T_HERE, fd, offset, len, byte)
#define T_FILE_BYTE(fd, offset, byte) t_file_all(T_HERE, fd, offset, 1, byte)
/* The file holds what t_tmpfile wrote. */
#define T_FILE_OLD(fd, offset, len) t_file_old(T_HERE, fd, offset, len)
#define T_FILE_SIZE(fd, want) t_eq(T_HERE, "size of the file", t_file_size(fd), (intmax_t)(want))

/* ---- fault.c: SIGSEGV and SIGBUS expected ---------------------------------------------------- */

struct t_fault {
  int signo; /* 0: there was none */
  int code;
  void *addr;
};

/* Installs the handlers behind the following; t_run does it before each case, so before the first
 * mapping. */
void t_catch_faults(void);
struct t_fault t_load(const volatile unsigned char *p, unsigned char *value);
struct t_fault t_store(volatile unsigned char *p, unsigned char value);
void t_load_faults(struct t_at at, const volatile unsigned char *p, int signo, int code);
void t_store_faults(struct t_at at, volatile unsigned char *p, int signo, int code);
void t_loads(struct t_at at, const volatile unsigned char *p, unsigned char want);
void t_stores(struct t_at at, volatile unsigned char *p, unsigned char value);

/* What si_addr says of an access to p: some machines tell the page only. */
void *t_fault_address(const volatile unsigned char *p);

/* The access raises the signal with this code and with si_addr p. */
#define T_LOAD_FAULTS(p, signo, code) t_load_faults(T_HERE, p, signo, code)
#define T_STORE_FAULTS(p, signo, code) t_store_faults(T_HERE, p, signo, code)
/* The access succeeds. */
#define T_LOADS(p, want) t_loads(T_HERE, p, want)
#define T_STORES(p, value) t_stores(T_HERE, p, value)

/* ---- child.c: processes ---------------------------------------------------------------------- */

#define T_EXITED(code) (code)
#define T_KILLED(signo) (256 + (signo))

/* Gives this process, which was just forked, a time limit, and an end when its parent ends. */
void t_limit_this_process(unsigned seconds);
/* How many times longer things may take here: under a sanitizer or valgrind. */
int t_slowness(void);
/* fork, with t_limit_this_process in the child. */
pid_t t_fork(void);
void t_stop(struct t_at at, pid_t pid);
void t_reap(struct t_at at, pid_t pid, int want);
void t_in_child(struct t_at at, void (*fn)(void *), void *arg, int want);
void t_row_in_child(struct t_at at, const char *row, void (*fn)(void *), void *arg, int want);

/* Stops a child; it is stopped on return. */
#define T_STOP(pid) t_stop(T_HERE, pid)
/* The child ends as wanted: T_EXITED(n) or T_KILLED(signo). */
#define T_REAP(pid, want) t_reap(T_HERE, pid, want)
/* fn(arg) runs in a child, which then calls exit(0). */
#define T_IN_CHILD(fn, arg, want) t_in_child(T_HERE, fn, arg, want)
/* The same as a row of a table: the case goes on. */
#define T_ROW_IN_CHILD(row, fn, arg, want) t_row_in_child(T_HERE, row, fn, arg, want)

/* ---- sections.c: softmap's section directory, one a case ------------------------------------- */

/* Makes an empty one, which the processes of the case use. Does nothing in the host's variant. */
void t_sections_begin(char dir[T_PATH]);
/* Removes it. False if something was left in it, which is said. */
bool t_sections_end(const char *dir, bool may_be_left);
/* A new one for another user, whom the case's own is closed to; who asked removes it. */
void t_sections_of(uid_t user, char dir[T_PATH]);
void t_remove_directory(const char *path);

/* ---- lock.c: locked memory ------------------------------------------------------------------- */

/* Locks pages, or ends the case as skipped where locking isn't possible or isn't real. */
void t_lock_or_skip(const void *addr, size_t len);

/* ---- meet.c: pipes to meet at ---------------------------------------------------------------- */

struct t_meeting {
  int fd[2];
};

struct t_meeting t_meeting(void);
void t_ping(const struct t_meeting *m);
void t_wait(const struct t_meeting *m);

/* ---- stranger.c: unrelated processes of this program ------------------------------------------ */

/* Spawned, not forked: it inherits the environment and pipes, and nothing else. It runs the
 * functions of this program that it is asked to run, one after the other. */
struct t_stranger {
  pid_t pid;
  int fd;
};
/* What can be asked for. The result and errno (T_ERRNO_UNTOUCHED before the call) are handed back. */
typedef intmax_t t_service(intmax_t a, intmax_t b, const char *text);

struct t_stranger t_stranger(void);
/* Asks and waits. text may be NULL. */
intmax_t t_ask(struct t_at at, const struct t_stranger *s, t_service *fn, intmax_t a, intmax_t b,
               const char *text);
/* The same in two steps; several can be at work. */
void t_ask_begin(struct t_at at, const struct t_stranger *s, t_service *fn, intmax_t a, intmax_t b,
                 const char *text);
intmax_t t_answer(struct t_at at, const struct t_stranger *s);
/* False: it ended instead (its asker reaps it). */
bool t_answered(const struct t_stranger *s, intmax_t *result);
/* It calls exit(0); in two steps: its asker reaps it and closes its descriptor. */
void t_dismiss_begin(struct t_at at, const struct t_stranger *s);
void t_dismiss(struct t_at at, const struct t_stranger *s);
void t_kill_stranger(struct t_at at, const struct t_stranger *s);

/* New memory that strangers can share by its id, whatever softmap does; zeros. */
void *t_common(size_t size, int *id);
void *t_common_of(int id);

/* For t_run. */
#define T_STRANGER_WORD "--stranger"
_Noreturn void t_stranger_serve(const char *fd_text, const char *parent_text);

#endif
