#include "longhand/lab/symmetry.h"

#include <set>
#include <string>
#include <vector>

namespace longhand::lab {

UnitCount distinct_units(const ParameterArena& parameters) {
  // [gates H, H], [gates H, I], [gates H]; H is told by the recurrent weights, which are square gate by gate.
  std::vector<size_t> parts;
  int64_t hidden = 0;
  for (size_t i = 0; i < parameters.parameters().size(); ++i) {
    const Parameter& p = parameters.parameters()[i];
    for (const char* ending : {".weight_ih_l0", ".weight_hh_l0", ".bias_ih_l0", ".bias_hh_l0"}) {
      if (p.name.ends_with(ending)) parts.push_back(i);
    }
    if (p.name.ends_with(".weight_hr_l0")) hidden = p.shape[1];
    if (p.name.ends_with(".weight_hh_l0") && hidden == 0) hidden = p.shape[1];
  }
  std::set<std::vector<float>> distinct;
  for (int64_t unit = 0; unit < hidden; ++unit) {
    std::vector<float> weights;
    for (const size_t part : parts) {
      const Parameter& p = parameters.parameters()[part];
      const int64_t width = p.shape.size() > 1 ? p.shape[1] : 1;
      for (int64_t row = unit; row < p.shape[0]; row += hidden) {
        const float* begin = parameters.value(part) + row * width;
        weights.insert(weights.end(), begin, begin + width);
      }
    }
    distinct.insert(std::move(weights));
  }
  return {hidden, static_cast<int64_t>(distinct.size())};
}

}  // namespace longhand::lab
