// What characters are, by Unicode's own tables: case, categories, widths. Code points come from base/utf8.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longhand {

/// Unicode's simple lower case: one code point for one. Other characters stay.
char32_t lower_case(char32_t c);
/// The same for upper case.
char32_t upper_case(char32_t c);
/// Whether it is a small letter of a script that has capitals.
bool is_lower_case(char32_t c);
/// The same for each character of a text; bytes that are no UTF-8 stay.
std::string lowercased(std::string_view text);

/// What a character is to a reader of words.
enum class CharacterKind {
  kCapital,  ///< letters of upper and title case
  kLetter,   ///< other letters, and the marks and joiners that belong to them
  kDigit,    ///< decimal digits of any script
  kNumber,   ///< other numbers, such as fractions and Roman numerals
  kSpace,    ///< white space (as in `is_white_space`)
  kOther,    ///< punctuation, symbols, pictograms, controls
};
CharacterKind kind_of(char32_t c);

/// Whether Unicode has the property White_Space for it: blanks of all widths, tabs, line ends.
bool is_white_space(char32_t c);

/// Columns that a terminal gives a text: two for wide characters, none for combining marks.
size_t display_width(std::string_view text);
/// The text with spaces after it, or before it, up to `width` columns.
std::string left_aligned(std::string_view text, size_t width);
std::string right_aligned(std::string_view text, size_t width);
/// The start of the text that fits into `width` columns.
std::string_view cut_to_width(std::string_view text, size_t width);

}  // namespace longhand
