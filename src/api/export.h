/* export.h - what softmap.h declares is visible outside the library; all else is hidden.
 *
 * Included by the build before every file of libsoftmap.la (src/Makefrag.am), so that softmap.h
 * needs no mark a function. src/softmap.map then names the exports one by one.
 */
#ifndef SOFTMAP_EXPORT_H
#define SOFTMAP_EXPORT_H

#pragma GCC visibility push(default)
#include <softmap/softmap.h>
#pragma GCC visibility pop

#endif
