// What every reader is tested with: its files cut short, and with altered bytes.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "longhand/base/error.h"

namespace longhand::testing {

/// Expects an input error from every beginning of `whole` but itself. `step` larger than 1 tries every step-th.
template <class Read>
void expect_no_prefix(std::string_view whole, const Read& read, size_t step = 1) {
  for (size_t size = 0; size < whole.size(); size += step) {
    const std::string cut(whole.substr(0, size));  // of its own, so that sanitizers see a read beyond it
    try {
      read(std::string_view(cut));
      ADD_FAILURE() << "the first " << size << " of " << whole.size() << " bytes are read without an error";
      return;
    } catch (const Error& e) {
      ASSERT_FALSE(e.advice().empty()) << e.what();
    }
  }
}

/// Whatever one byte becomes, reading ends well or in an input error. Returns how often in an error.
template <class Read>
int expect_no_crash(std::string_view whole, const Read& read, size_t step = 1) {
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += step) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::string altered(whole);
      altered[at] = static_cast<char>(altered[at] ^ change);
      try {
        read(std::string_view(altered));
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  return refused;
}

}  // namespace longhand::testing
