/* Marks what a shared library of longhand exports. */
#ifndef LONGHAND_BASE_EXPORT_H
#define LONGHAND_BASE_EXPORT_H

#if defined(__GNUC__)
#define LONGHAND_API __attribute__((visibility("default")))
#else
#define LONGHAND_API
#endif

#endif
