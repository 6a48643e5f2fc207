/* rules.h - PLEASE READ BEFORE CHANGING ANYTHING IN THIS FOLDER.
 *
 * The files here run inside SIGSEGV and SIGBUS handlers, in the middle of any code of the
 * program: of its malloc, its stdio, its dlopen.  So, for them and for everything they call in
 * other folders (there marked SOFTMAP_SIGSAFE):
 *   - no allocation, no lock but the page bit, no stdio, nothing that may call one of them;
 *   - no page bit held while waiting for a keeper thread;
 *   - no load from or store to memory that the program mapped;
 *   - thread-local variables only with the initial-exec model (others allocate);
 *   - errno as it was;
 *   - settled accounts before the program's own handler is called: it may never return.
 * tests/checks/handler-closure links this folder with all that it can reach and compares the
 * symbols it needs from outside with a list.
 */
#ifndef SOFTMAP_FAULT_RULES_H
#define SOFTMAP_FAULT_RULES_H

#ifdef __GNUC__
#pragma GCC poison malloc calloc realloc free printf fprintf snprintf strerror dlsym exit abort
#endif

#endif
