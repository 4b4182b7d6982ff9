# Finds liblbfgs, whose Debian package has no CMake files: the target liblbfgs::liblbfgs.
find_path(liblbfgs_INCLUDE_DIR lbfgs.h)
find_library(liblbfgs_LIBRARY lbfgs)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liblbfgs REQUIRED_VARS liblbfgs_LIBRARY liblbfgs_INCLUDE_DIR)
if(liblbfgs_FOUND AND NOT TARGET liblbfgs::liblbfgs)
  add_library(liblbfgs::liblbfgs UNKNOWN IMPORTED)
  set_target_properties(liblbfgs::liblbfgs PROPERTIES
    IMPORTED_LOCATION "${liblbfgs_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${liblbfgs_INCLUDE_DIR}")
endif()
mark_as_advanced(liblbfgs_INCLUDE_DIR liblbfgs_LIBRARY)
