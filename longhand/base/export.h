/* Marks what a shared library of longhand exports, and what in that it does not. */
#ifndef LONGHAND_BASE_EXPORT_H
#define LONGHAND_BASE_EXPORT_H

#if defined(__GNUC__)
#define LONGHAND_API __attribute__((visibility("default")))
#define LONGHAND_LOCAL __attribute__((visibility("hidden")))
#else
#define LONGHAND_API
#define LONGHAND_LOCAL
#endif

#endif
