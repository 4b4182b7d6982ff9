// What a linear tagger sees of a word and its neighbours: texts, each of which is a feature.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::baselines {

/// Calls use(t, feature) for each feature of each word t of a sentence. The word itself, in lower case, its shape,
/// its beginnings and endings of 1 to 4 characters; the two words on each side, in lower case, and the shapes beside
/// it; pairs of neighbouring words and of shapes, and the shapes of three; and the ends of the sentence.
void for_each_word_feature(const std::vector<std::string>& words,
                           const std::function<void(size_t t, std::string_view feature)>& use);

}  // namespace longhand::baselines
