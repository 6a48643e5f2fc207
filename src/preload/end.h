/* end.h - ends of the process. */
#ifndef PRELOAD_END_H
#define PRELOAD_END_H

/* Once, before the program can register handlers of its own. */
void end_begin(void);

#endif
