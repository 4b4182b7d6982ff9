#include "longhand/lab/cells.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) out.push_back(part);
  return out;
}

}  // namespace

nn::LstmOptions LabCell::options(int64_t hidden, int64_t layers) const {
  nn::LstmOptions out;
  out.cell = cell;
  out.hidden = hidden;
  out.layers = layers;
  out.layer_norm = layer_norm;
  return out;
}

nn::InitOptions LabCell::init() const {
  nn::InitOptions out;
  out.forget_bias = forget_bias;
  return out;
}

const std::vector<LabCell>& lab_cells() {
  static const std::vector<LabCell> kCells = {
      {"rnn", "plain tanh", "rnn"},
      {"rnn-relu", "plain ReLU", "rnn-relu"},
      {"gru", "GRU", "gru"},
      {"lstm-0", "LSTM, forget bias 0", "lstm", false, 0.0},
      {"lstm-1", "LSTM, forget bias 1", "lstm", false, 1.0},
      {"lstm-3", "LSTM, forget bias 3", "lstm", false, 3.0},
      {"lstm-0-norm", "LSTM, forget bias 0, layer norm", "lstm", true, 0.0},
      {"lstm-1-norm", "LSTM, forget bias 1, layer norm", "lstm", true, 1.0},
      {"lstm-3-norm", "LSTM, forget bias 3, layer norm", "lstm", true, 3.0},
  };
  return kCells;
}

std::vector<LabCell> parse_cells(const std::string& list) {
  std::vector<std::string> known;
  for (const LabCell& cell : lab_cells()) known.push_back(cell.name);
  std::vector<LabCell> out;
  for (const std::string& name : parts_of(list)) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      throw usage_error("`cells`: expected some of " + listed(known, known.size()) + ", found " + visible(name),
                        "separate names by commas" + did_you_mean(name, known));
    }
    const bool twice = std::any_of(out.begin(), out.end(), [&](const LabCell& cell) { return cell.name == name; });
    if (twice) throw usage_error("`cells`: expected each cell once, found " + name + " twice", "leave one of them out");
    out.push_back(lab_cells()[static_cast<size_t>(found - known.begin())]);
  }
  if (out.empty()) throw usage_error("`cells`: expected the name of a cell, found none", "name one, such as lstm-1");
  return out;
}

std::string names_of(const std::vector<LabCell>& cells) {
  std::string out;
  for (const LabCell& cell : cells) out += (out.empty() ? "" : ",") + cell.name;
  return out;
}

std::vector<int64_t> parse_counts(const std::string& list, int64_t min, int64_t max, const std::string& where) {
  std::vector<int64_t> out;
  for (const std::string& part : parts_of(list)) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < min || value > max) {
      throw usage_error(fmt::format("{}: expected whole numbers from {} to {}, separated by commas, found {}", where,
                                    min, max, visible(part)),
                        "give numbers such as 5,10,20");
    }
    out.push_back(value);
  }
  if (out.empty()) throw usage_error(where + ": expected a number, found none", "give numbers such as 5,10,20");
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace longhand::lab
