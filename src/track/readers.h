/* readers.h - who is looking at the mappings now.
 *
 * The fault handler and write-back look at mappings without a lock, between readers_enter and
 * readers_leave, and never wait for whoever changes the map.  Whoever takes mappings away waits
 * with readers_quiesce until everybody who may have seen them has left, before the addresses can
 * be used for anything else: so no reader ever changes the protection of foreign memory.
 */
#ifndef SOFTMAP_READERS_H
#define SOFTMAP_READERS_H

#include "host/host.h"

/* To open pages: waits while a fork is in its critical moment. */
uint32_t readers_enter(void) SOFTMAP_SIGSAFE;
/* To close pages only: never waits (a keeper thread that waited for the fork could be the one
 * that a reader, for whom the fork waits, needs for a fill). */
uint32_t readers_enter_to_close(void) SOFTMAP_SIGSAFE;
void readers_leave(uint32_t side) SOFTMAP_SIGSAFE;

/* Wait until no reader is left who came before now.  Not inside. */
void readers_quiesce(void);

/* No page is opened from now on until readers_gate_open; waits for those under way. */
void readers_gate_close(void);
void readers_gate_open(void);
/* In a forked child: the other threads' readers aren't here. */
void readers_reset(void);

#endif
