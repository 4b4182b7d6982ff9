// What is printed, and the standard streams that it goes to.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "longhand/base/utf8.h"

namespace longhand::cli {

/// The reader of standard output has ended, as `head` does. Not an error: there is nothing left to do.
struct OutputEnded {};

/// Prepares the standard streams. Closed descriptors 0 to 2 are opened so that reading and writing
/// fail, and no run file gets their number. Writing to a pipe without a reader gives an error, not a signal.
void prepare_standard_streams();

/// Writes to standard output, through a buffer. Throws an input error where that fails, and OutputEnded.
void write_output(std::string_view text);
/// The same for text that is not our own: where standard output is a terminal, control characters are made visible.
void write_text(std::string_view text);
/// A line of JSON in which no control characters are left, with its newline; and writing it.
std::string json_line(std::string_view text);
void write_json(std::string_view text);
/// `word` as a shell reads it back: in quotes where it needs them.
std::string shell_word(const std::string& word);
/// From now on this process prints nothing, since another prints the same; or prints again.
void be_silent(bool silent);
/// Prints an error and what to do about it, in two lines.
void say_error(const std::string& problem, const std::string& advice);
/// Flushes the buffer; throws the same.
void flush_output();
/// Writes to standard error. Failures are ignored: the work continues.
void write_message(std::string_view text);

/// Formats lines and writes them to standard output, with control characters made visible.
template <class... T>
void put(fmt::format_string<T...> format, T&&... args) {
  write_output(visible_lines(fmt::format(format, std::forward<T>(args)...)));
}

/// The same to standard error.
template <class... T>
void say(fmt::format_string<T...> format, T&&... args) {
  write_message(visible_lines(fmt::format(format, std::forward<T>(args)...)));
}

}  // namespace longhand::cli
