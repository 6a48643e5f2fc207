/* fork.c - so that a child shares what it should, and loses nothing.
 *
 * Before: the map is held still, our descriptors are on their way to the child, no page is open
 * and none can be opened (but pinned ones, whose system calls go on in the parent).
 * In the child, before any code of the program: keepers of its own, the descriptors, a lane in
 * every section.  A section for which that fails is out of reach in the child: touching it raises
 * SIGBUS there, and one line says so.
 */
#include <errno.h>
#include <sys/mman.h>
#include <string.h>

#include "backing/keeper.h"
#include "core/text.h"
#include "host/arena.h"
#include "host/lock.h"
#include "process/process.h"
#include "section/announce.h"
#include "section/directory.h"
#include "section/lane.h"
#include "space/space.h"
#include "trace/ring.h"
#include "track/readers.h"
#include "track/track.h"

#define FDS_PER_SECTION 4

static int channel[2] = { -1, -1 };
static sigset_t mask;
static bool is_prepared;

/* ---- Descriptors on their way -------------------------------------------------------------- */

struct hand_over {
  uint64_t ticket;
  int channel; /* in the keepers' table */
};

static int
send_section(struct section *section, void *arg) {
  const struct hand_over *hand_over = arg;
  int fds[FDS_PER_SECTION] = { section->file_fd, section->data_fd, section->control_fd,
                               section->dir_fd };
  return host_send_fds(hand_over->channel, &section->key, sizeof section->key, fds,
                       FDS_PER_SECTION);
}

static int
send_job(void *arg) {
  struct hand_over *hand_over = arg;
  int error = keeper_take(hand_over->ticket, &hand_over->channel);
  if (error)
    return error;
  error = section_each(send_section, hand_over);
  int close_error = host_close(hand_over->channel);
  return error ? error : close_error;
}

static int
receive_section(struct section *section, void *arg) {
  const struct hand_over *hand_over = arg;
  struct section_key key;
  int fds[FDS_PER_SECTION];
  section_forget_fds(section);
  section->window.addr = NULL; /* not inherited */
  section->window.npages = 0;
  atomic_store(&section->inlet, NULL);
  fence_forget(section);
  memset(section->claims, 0, sizeof section->claims);
  for (unsigned k = 0; k < EXTENT_MAX; k++) {
    section->peers[k].lanes = NULL;
    section->peers[k].count = 0;
  }
  lock_reset(&section->sync_lock);
  lock_reset(&section->resize_lock);
  lock_reset(&section->peers_lock);
  lock_reset(&section->stamps_lock);
  int error = host_receive_fds(hand_over->channel, &key, sizeof key, fds, FDS_PER_SECTION);
  if (error)
    return 0; /* the next ones will fail as well; each is found without a lane */
  if (key.device != section->key.device || key.inode != section->key.inode) {
    for (int i = 0; i < FDS_PER_SECTION; i++) /* of one before, which couldn't be received then */
      if (host_close(fds[i]))
        continue;
    return 0;
  }
  section->file_fd = fds[0];
  section->data_fd = fds[1];
  section->control_fd = fds[2];
  section->dir_fd = fds[3];
  return 0;
}

/* What can't be unmapped stays, and is used by nobody. */
static void
forget(void *addr, size_t len) {
  if (addr && host_unmap(addr, len))
    return;
}

/* A lane of our own.  The parent's, which we see mapped, must not be touched. */
static int
join_section(struct section *section, void *arg) {
  (void)arg;
  for (unsigned k = 0; k < EXTENT_MAX; k++) {
    struct extent *extent = &section->extent[k];
    forget((void *)extent->lane, (size_t)extent_pages(k));
    extent->lane = NULL;
    forget((void *)extent->pins, (size_t)extent_pages(k) * sizeof *extent->pins);
    extent->pins = NULL; /* the parent's system calls aren't ours */
  }
  if (section->control_fd < 0 || lane_claim(section))
    return 0;                                      /* found without a lane */
  if (life_keep(section) || lane_enter(section)) { /* removed: its last member died meanwhile */
    lane_give_back(section);
    return 0;
  }
  announce_again(section);
  return 0;
}

static int
receive_job(void *arg) {
  struct hand_over *hand_over = arg;
  int error = keeper_take(hand_over->ticket, &hand_over->channel);
  if (error)
    hand_over->channel = -1;
  section_each(receive_section, hand_over);
  if (!error)
    error = host_close(hand_over->channel);
  section_each(join_section, NULL);
  return error;
}

/* ---- Before and after ---------------------------------------------------------------------- */

static void
close_channel(void) {
  for (int i = 0; i < 2; i++) {
    if (channel[i] >= 0 && host_close(channel[i]))
      channel[i] = -1;
    channel[i] = -1;
  }
}

/* Until the child has its lane, whoever leaves must not remove the section. */
static int
announce_child(struct section *section, void *arg) {
  (void)arg;
  if (atomic_load(&section->has_lane))
    section->child = lane_announce_child(section);
  return 0;
}

static int
arrived(struct section *section, void *arg) {
  (void)arg;
  if (section->child.pid)
    lane_child_arrived(section, &section->child);
  section->child.pid = 0;
  return 0;
}

static int
close_pages(struct section *section, void *arg) {
  (void)arg;
  track_close_for_fork(section);
  return 0;
}

static void
prepare(void) {
  sigset_t before;
  host_signals_block(&before);
  space_fork_prepare();
  section_lock_all();
  mask = before; /* under the locks: another thread may be forking, too */
  int error = 0;
  if (keeper_is_running() && (error = host_channel(channel)) == 0) {
    struct hand_over hand_over = { 0 };
    error = keeper_post(channel[0], &hand_over.ticket);
    if (!error)
      error = keeper_run(send_job, &hand_over);
  }
  is_prepared = !error;
  readers_gate_close();
  arena_fork_prepare();
  section_each(announce_child, NULL);
  section_each(close_pages, NULL);
  errno = 0;
}

static int
open_locked(struct section *section, void *arg) {
  track_open_locked(section, arg);
  return 0;
}

/* A fork that fails calls us like one that succeeds; only errno tells. */
static void
in_parent(void) {
  if (errno)
    section_each(arrived, NULL);
  arena_fork_done(false);
  readers_gate_open();
  struct track_locked locked;
  track_find_locked(&locked);
  section_each(open_locked, &locked);
  section_unlock_all();
  close_channel();
  sigset_t back = mask;
  space_fork_done(false);
  host_signals_set(&back);
}

static int
close_inherited(struct section *section, void *arg) {
  (void)arg;
  track_close_inherited(section);
  return 0;
}

static int
count_without_lane(struct section *section, void *arg) {
  *(unsigned *)arg += !atomic_load(&section->has_lane) && atomic_load(&section->mappings);
  return 0;
}

/* Pages that the parent had shown would go on showing what is nobody's any more. */
static int
hide_without_lane(struct section *section, void *arg) {
  (void)arg;
  if (atomic_load(&section->has_lane))
    return 0;
  struct mapping *mapping = atomic_load(&section->mappings);
  for (; mapping; mapping = atomic_load(&mapping->next_in_section))
    if (mapping->is_shared &&
        host_protect((void *)mapping->start, mapping->end - mapping->start, PROT_NONE))
      return 0; /* no memory area left, or not inherited */
  return 0;
}

static void
say_orphans(void) {
  unsigned orphans = 0;
  section_each(count_without_lane, &orphans);
  if (!orphans)
    return;
  struct text text = { 0 };
  text_add(&text, "softmap: a forked process could not join ");
  text_add_number(&text, orphans);
  text_add(&text, " of its file mappings (descriptors or memory); they raise SIGBUS in it\n");
  host_message(text.at, text.len);
}

static int
forget_lane(struct section *section, void *arg) {
  (void)arg;
  atomic_store(&section->has_lane, false);
  return 0;
}

static void
in_child(void) {
  section_each(forget_lane, NULL); /* until it has its own */
  host_lineage_renew();
  trace_forked();
  readers_reset();
  track_ahead_reset();
  arena_fork_done(true);
  readers_gate_open();
  section_unlock_all_in_child();
  directory_forget();
  announce_forget();
  track_forget_kernel();
  section_each(close_inherited, NULL);
  struct hand_over hand_over = { 0 };
  if (is_prepared && !keeper_restart() && !keeper_post(channel[1], &hand_over.ticket) &&
      !keeper_run(receive_job, &hand_over))
    is_prepared = false;
  section_each(arrived, NULL);
  section_each(hide_without_lane, NULL);
  close_channel();
  struct mapping *not_inherited;
  space_drop_nofork(&not_inherited);
  space_fork_done(true);
  space_discard(not_inherited);
  say_orphans();
  host_signals_set(&mask);
}

int
process_watch_fork(void) {
  static bool is_watching;
  int error = is_watching ? 0 : host_watch_fork(prepare, in_parent, in_child);
  is_watching |= !error;
  return error;
}
