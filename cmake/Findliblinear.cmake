# Finds liblinear, whose Debian package has no CMake files: the target liblinear::liblinear.
find_path(liblinear_INCLUDE_DIR linear.h)
find_library(liblinear_LIBRARY linear)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liblinear REQUIRED_VARS liblinear_LIBRARY liblinear_INCLUDE_DIR)
if(liblinear_FOUND AND NOT TARGET liblinear::liblinear)
  add_library(liblinear::liblinear UNKNOWN IMPORTED)
  set_target_properties(liblinear::liblinear PROPERTIES
    IMPORTED_LOCATION "${liblinear_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${liblinear_INCLUDE_DIR}")
endif()
mark_as_advanced(liblinear_INCLUDE_DIR liblinear_LIBRARY)
