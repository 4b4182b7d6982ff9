/* The version of longhand. CMakeLists.txt reads it from here. */
#ifndef LONGHAND_VERSION_H
#define LONGHAND_VERSION_H

#define LONGHAND_VERSION_MAJOR 0
#define LONGHAND_VERSION_MINOR 2
#define LONGHAND_VERSION_PATCH 0
#define LONGHAND_VERSION "0.2.0"

#endif
