// Which units of a network follow a property of the text: Pearson's correlation of every unit with every property, in
// one pass over the text. (With a property that is 0 or 1 this is the point-biserial correlation.)
//
// N symbols, P properties, U values of units at a symbol.
#pragma once

#include <string>
#include <vector>

#include "longhand/base/threads.h"
#include "longhand/lab/microscope_subject.h"
#include "longhand/lab/probe.h"

namespace longhand::lab {

/// What a unit computes: c, h, i, f, g or o.
inline constexpr std::string_view kQuantities = "chifgo";

/// One value at each symbol: a quantity of a unit of one layer in one direction.
struct UnitValue {
  size_t part = 0;  ///< by layer and direction
  char quantity = 'h';
  int64_t unit = 0;

  bool same_unit(const UnitValue& other) const { return part == other.part && unit == other.unit; }
};

/// The values of a unit, one after another: every quantity of every part, as blocks.
class UnitLayout {
 public:
  /// The model's cell and engine decide which quantities there are.
  UnitLayout(const nn::LstmOptions& lstm, nn::Engine engine);

  struct Block {
    size_t part = 0;
    char quantity = 'h';
    int64_t units = 0;
    int64_t first = 0;  ///< number of its first value

    /// Values [T, *] of the block, rows `stride` apart, in what a pass over one sequence computed.
    const float* rows(const nn::StackActivations<float>& activations, int64_t& stride) const;
    int64_t hidden = 0, state = 0;
  };
  const std::vector<Block>& blocks() const { return blocks_; }
  /// U
  int64_t size() const { return size_; }
  UnitValue value(int64_t index) const;
  /// The number of a value; -1 where there is none.
  int64_t index(const UnitValue& value) const;
  /// Units of all parts, and the quantities that some have.
  int64_t units() const { return units_; }
  std::string quantities() const;

 private:
  std::vector<Block> blocks_;
  int64_t size_ = 0, units_ = 0;
};

struct FoundUnit {
  UnitValue value;
  double r = 0.0;
};

struct PropertyUnits {
  std::string property;
  int64_t n = 0;                ///< symbols
  bool constant = false;        ///< the text has it everywhere or nowhere: nothing can follow it
  double chance = 0.0;          ///< the largest |r| with the property shifted by half of the text
  std::vector<FoundUnit> best;  ///< of different units, by |r|
};

/// Sums over the text, in memory that does not depend on its length.
class UnitSearch {
 public:
  UnitSearch(const UnitLayout& layout, const std::vector<TextProperty>& properties);

  /// Adds what a pass over symbols begin .. end - 1 computed. `activations` are by part.
  void add(int64_t begin, int64_t end, const std::vector<nn::StackActivations<float>>& activations, ThreadPool& pool);

  std::vector<PropertyUnits> best(int64_t top) const;
  /// Of one value over the text.
  double variance(int64_t index) const;
  float smallest(int64_t index) const { return low_[static_cast<size_t>(index)]; }
  float largest(int64_t index) const { return high_[static_cast<size_t>(index)]; }

 private:
  double correlation(int64_t index, size_t property, bool shifted) const;
  void add_block(const UnitLayout::Block& block, Range units, const float* rows, int64_t stride, int64_t begin,
                 int64_t end);

  const UnitLayout& layout_;
  const std::vector<TextProperty>& properties_;
  int64_t n_ = 0;
  std::vector<double> sum_, squares_;                 // [U]
  std::vector<float> low_, high_;                     // [U]
  std::vector<std::vector<double>> cross_, shifted_;  // [P][U]
  std::vector<double> means_, deviations_;            // [P] sums of squared deviations
};

}  // namespace longhand::lab
