# SOFTMAP_ADD_CFLAGS(VARIABLE, FLAGS)
# Append to VARIABLE each of FLAGS that the compiler takes. One probe a flag, with -Werror, because
# clang only warns about a flag that it does not know.
AC_DEFUN([SOFTMAP_ADD_CFLAGS], [
m4_foreach_w([softmap_flag], [$2], [
  AS_VAR_PUSHDEF([softmap_cached], [softmap_cv_cflags_]softmap_flag)
  AC_CACHE_CHECK([whether $CC takes ]softmap_flag, [softmap_cached],
    [softmap_saved=$CFLAGS
     CFLAGS="$CFLAGS -Werror ]softmap_flag["
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([softmap_cached], [yes])],
                       [AS_VAR_SET([softmap_cached], [no])])
     CFLAGS=$softmap_saved])
  AS_VAR_IF([softmap_cached], [yes], [AS_VAR_APPEND([$1], [" softmap_flag"])])
  AS_VAR_POPDEF([softmap_cached])
])
AC_SUBST([$1])
])

# SOFTMAP_ADD_Z(VARIABLE, WORDS)
# Append -Wl,-z,WORD to VARIABLE for each of WORDS that the linker takes.
AC_DEFUN([SOFTMAP_ADD_Z], [
m4_foreach_w([softmap_word], [$2], [
  AS_VAR_PUSHDEF([softmap_cached], [softmap_cv_ldflags_z_]softmap_word)
  AC_CACHE_CHECK([whether the linker takes -z ]softmap_word, [softmap_cached],
    [softmap_saved=$LDFLAGS
     LDFLAGS="$LDFLAGS -Wl,-z,]softmap_word["
     AC_LINK_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([softmap_cached], [yes])],
                    [AS_VAR_SET([softmap_cached], [no])])
     LDFLAGS=$softmap_saved])
  AS_VAR_IF([softmap_cached], [yes], [AS_VAR_APPEND([$1], [" -Wl,-z,softmap_word"])])
  AS_VAR_POPDEF([softmap_cached])
])
AC_SUBST([$1])
])
