/* files.h - a section's directory in the section directory, with its two files.
 *
 *   SECTION_DIRECTORY/DEVICE-INODE-BIRTH/control, data
 *
 * It appears under its name whole, by one rename, with its maker's lane alive; so whoever finds it
 * sees a living lane, or what dead processes left.  Everything in it is removed through the
 * descriptor of that one directory, and the name only while the directory is empty: a remover
 * that was stopped in the middle never takes away what others made since.
 */
#ifndef SOFTMAP_FILES_H
#define SOFTMAP_FILES_H

#include "core/text.h"
#include "section/section.h"

/* Add the name of the section of a file, which is its directory's. */
void section_name_of(const struct host_stat *file, struct text *name);

/* Make the section: its directory and files, our lane in it.  EEXIST: there is one.  EAGAIN: try
 * again.  What was opened and mapped is the caller's to drop.  [keeper] */
SOFTMAP_MUST_CHECK int files_make(struct section *section, const struct host_stat *file);
/* Open the one that there is.  ENOENT: there is none.  EPERM: it isn't a directory with two files
 * of ours.  EINVAL: somebody took its control file away.  [keeper] */
SOFTMAP_MUST_CHECK int files_open(struct section *section);
/* The same by name, for who only looks.  out: directory, control, data.  [any thread] */
SOFTMAP_MUST_CHECK int files_open_named(int root, const char *name, int flags, int out[3]);
/* Its file of twins, made if there is none.  [keeper] */
SOFTMAP_MUST_CHECK int files_open_twins(struct section *section, int *out);
/* The same for who only looks, in the section's directory.  ENOENT: there is none.  [any thread] */
SOFTMAP_MUST_CHECK int files_look_twins(int directory, int *out);
/* Take its names away; life is REMOVED.  What remains is found and removed by others. [keeper] */
void files_remove(struct section *section);
/* The same for one that can't be joined.  [keeper] */
SOFTMAP_MUST_CHECK int files_remove_named(int root, const char *name, int directory);
/* Remove what makers left that were killed half-way.  [keeper] */
void files_sweep(int root);

#endif
