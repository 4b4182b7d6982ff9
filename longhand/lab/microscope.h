// What the units of a trained model do on a text: their values, the properties of the text that they follow, the
// model's outputs, and which symbols mattered to some of its decisions. Here it is computed; microscope_page.h and
// microscope_text.h show it.
//
// N symbols.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "longhand/lab/microscope_subject.h"
#include "longhand/lab/unit_search.h"

namespace longhand::lab {

/// A unit whose values are kept for the page, in 256 levels between the smallest and the largest.
struct KeptUnit {
  struct Values {
    char quantity = 'h';
    float low = 0.0F, high = 0.0F;
    std::vector<uint8_t> levels;  ///< [N]
  };
  size_t part = 0;
  int64_t unit = 0;
  std::vector<Values> values;
};

/// What mattered to one decision.
struct Explanation {
  Decision decision;
  double score = 0.0;  ///< log p of the target; of a regressor, its first forecast
  /// Of symbols decision.first .. decision.last - 1: the length of the score's gradient with respect to the vector that
  /// the layers read (of one-hot input: with respect to that); its product with that vector; and how the score changes
  /// where the symbol is replaced and all is run again.
  std::vector<float> gradient, gradient_input, replaced;
};

struct Microscope {
  Subject subject;  ///< with its outputs
  std::string quantities;
  int64_t layers = 1, directions = 1, units = 0;  ///< units of all layers and directions
  std::vector<PropertyUnits> properties;
  std::vector<KeptUnit> kept;
  bool kept_all = false;
  std::vector<Explanation> explanations;  ///< those that were asked for come first
  size_t asked = 0;                       ///< how many these are

  /// "layer 0 backward c 17"
  std::string name(const UnitValue& value) const;
};

/// Bytes of the page's values of units, before base64.
inline constexpr int64_t kMostUnitBytes = int64_t{12} << 20;

/// Looks at the model on its text. Throws usage errors for positions that are none. `on_done` receives how much of the
/// work is done.
Microscope examine(Subject subject, const MicroscopeOptions& options, kernels::Context& context,
                   const std::function<void(double done, double total)>& on_done = {});

}  // namespace longhand::lab
