/* The version the library tells is the one configure was given. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <softmap/softmap.h>

static void
version_is_the_package_s(void **state) {
  (void)state;
  assert_string_equal(softmap_version(), PACKAGE_VERSION);
}

int
main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(version_is_the_package_s) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
