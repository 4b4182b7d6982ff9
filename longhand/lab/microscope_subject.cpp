#include "longhand/lab/microscope_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

// Controls, and characters that steer the direction of writing, join others, or have no width.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE0FFF);
}

void append_shown(char32_t c, std::string& out) {
  if (c == '\n') {
    out += "\xE2\x8F\x8E";  // U+23CE, a return key
  } else if (c == '\t') {
    out += "\xE2\x87\xA5";  // U+21E5, a tab key
  } else if (is_invisible(c) || (c != ' ' && is_white_space(c))) {
    out += fmt::format("\xE2\x80\xB9U+{:04X}\xE2\x80\xBA", static_cast<uint32_t>(c));
  } else {
    append_utf8(c, out);
  }
}

}  // namespace

std::string shown_symbol(std::string_view symbol) {
  constexpr int kMostCharacters = 60;
  std::string out;
  int count = 0;
  for (size_t at = 0; at < symbol.size(); ++count) {
    if (count == kMostCharacters) return out + "\xE2\x80\xA6";
    char32_t c = 0;
    const size_t length = decode_utf8(symbol, at, c);
    if (length == 0) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(symbol[at]));
    } else {
      if (out.empty() && display_width(symbol.substr(at, length)) == 0 && c >= 0x300 && !is_invisible(c)) {
        out += "\xE2\x97\x8C";  // U+25CC, which carries a combining mark that stands alone
      }
      append_shown(c, out);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

int64_t ShownText::sequence_of(int64_t position) const {
  return std::upper_bound(starts.begin(), starts.end(), position) - starts.begin() - 1;
}

void ModelOutputs::resize(int64_t count) {
  const auto n = static_cast<size_t>(count);
  top.assign(n * kTop, -1);
  probability.assign(n * kTop, 0.0F);
  right.assign(n, -1);
  nats.assign(n, std::numeric_limits<float>::quiet_NaN());
}

void ModelOutputs::set(int64_t m, const double* probabilities, int64_t K, int32_t right_one) {
  int32_t best[kTop];
  int64_t found = 0;
  for (int64_t k = 0; k < K; ++k) {
    int64_t at = found;
    while (at > 0 && probabilities[k] > probabilities[best[at - 1]]) --at;
    if (at == kTop) continue;
    found = std::min(found + 1, kTop);
    for (int64_t i = found - 1; i > at; --i) best[i] = best[i - 1];
    best[at] = static_cast<int32_t>(k);
  }
  for (int64_t i = 0; i < found; ++i) {
    top[static_cast<size_t>(m * kTop + i)] = best[i];
    probability[static_cast<size_t>(m * kTop + i)] = static_cast<float>(probabilities[best[i]]);
  }
  right[static_cast<size_t>(m)] = right_one;
  if (right_one >= 0) nats[static_cast<size_t>(m)] = static_cast<float>(-std::log(probabilities[right_one]));
}

void MicroscopeOptions::add_to(OptionTable& table) {
  table.add("max-symbols", max_symbols, "number of symbols read; the rest of the text is left out",
            between(2, 2000000));
  table.add("max-units", max_units, "number of units in the page; 0: as many as fit into 12 MB", between(0, 100000));
  table.add("top", top, "number of units to show for each property", between(1, 1000));
  table.add("explain", explain, "positions to explain, counted from 0, with commas between");
  table.add("explain-text", explain_text, "text whose first occurrence to explain, symbol by symbol; or a word");
  table.add("explain-most", explain_most, "number of decisions to explain besides, those that surprised the model most",
            between(0, 1000));
  table.add("context", context, "number of symbols whose effect on a decision is measured", between(1, 2000));
  table.add("replace", replace,
            "symbol of a language model that replaces others, one at a time; empty: the most frequent one");
  table.add("input", input,
            "sentences of taggers: sentences: one per line, words separated by spaces; columns: one word per line",
            one_of({"auto", "sentences", "columns"}));
  table.add("threads", threads, "number of threads; 0: one per processor", between(0, 1024));
  table.add("engine", engine, "implementation: fused kernels, plain reference loops, or autograd on a tape",
            one_of({"fused", "reference", "autograd"}));
}

}  // namespace longhand::lab
