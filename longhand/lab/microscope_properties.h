// Properties of texts that units of a model may follow: whether a symbol is inside quotes, how far it is in its line.
// Values are those after the symbol was read, as a unit's are.
#pragma once

#include <string>
#include <vector>

#include "longhand/lab/microscope_subject.h"

namespace longhand::lab {

/// Of a text of characters (or bytes): `names` are those of the symbols, by number.
std::vector<TextProperty> character_properties(const std::vector<std::string>& names,
                                               const std::vector<int32_t>& symbols);
/// Of words. A sentence ends with a sequence, and at a full stop, question or exclamation mark.
std::vector<TextProperty> word_properties(const std::vector<std::string>& names, const std::vector<int32_t>& symbols,
                                          const std::vector<int64_t>& starts);
/// 1 where a symbol's label is this one: a property for each label that some have and some have not.
std::vector<TextProperty> label_properties(const std::string& noun, const std::vector<std::string>& labels,
                                           const std::vector<int32_t>& label_of);

}  // namespace longhand::lab
