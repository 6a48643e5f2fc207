/* host_linux_watch.h - the kernel's own write watch: userfaultfd's asynchronous write protection
 * and PAGEMAP_SCAN, both of Linux 6.7, newer than the headers we must build with.
 *
 * Numbers and layouts from the kernel's include/uapi/linux/fs.h and userfaultfd.h.
 */
#ifndef SOFTMAP_HOST_LINUX_WATCH_H
#define SOFTMAP_HOST_LINUX_WATCH_H

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY /* 5.11 */
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM /* 5.19 */
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED /* 6.4: pages never touched are watched too */
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC /* 6.7: the kernel opens the page and goes on, no message */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

#ifndef PAGEMAP_SCAN /* 6.7 */
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)

#define PAGE_IS_WPALLOWED (1 << 0)
#define PAGE_IS_WRITTEN (1 << 1)
#define PAGE_IS_FILE (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
#define PAGE_IS_HUGE (1 << 6)
#define PAGE_IS_SOFT_DIRTY (1 << 7)

struct page_region {
  __u64 start, end; /* end exclusive */
  __u64 categories;
};

#define PM_SCAN_WP_MATCHING (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)

struct pm_scan_arg {
  __u64 size; /* of this structure */
  __u64 flags;
  __u64 start, end; /* addresses */
  __u64 walk_end;   /* out: where the walk stopped */
  __u64 vec, vec_len;
  __u64 max_pages;
  __u64 category_inverted, category_mask, category_anyof_mask;
  __u64 return_mask;
};
#endif

#endif
