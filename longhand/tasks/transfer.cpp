#include "longhand/tasks/transfer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/base/unicode.h"

namespace longhand::tasks {
namespace {

// Of each column, or row, of an array that is filled: which one of the source it is; -1: of none.
using Places = std::vector<int64_t>;

Places shifted(int64_t n, int64_t first, int64_t count) {
  Places out(static_cast<size_t>(n), -1);
  for (int64_t i = 0; i < count; ++i) out[static_cast<size_t>(first + i)] = i;
  return out;
}
Places identity(int64_t n) { return shifted(n, 0, n); }

// Words that a model lacks as they are written are found in another case.
Places find_symbols(const data::Vocabulary& wanted, const data::Vocabulary& known, bool any_case) {
  std::unordered_map<std::string, int32_t> lower;
  for (int32_t s = 0; any_case && s < known.size(); ++s) lower.emplace(lowercased(known.symbol(s)), s);
  Places out;
  for (int32_t s = 0; s < wanted.size(); ++s) {
    int32_t found = known.find(wanted.symbol(s));
    if (found < 0 && any_case) {
      const auto at = lower.find(lowercased(wanted.symbol(s)));
      if (at != lower.end()) found = at->second;
    }
    out.push_back(found);
  }
  return out;
}

int64_t count_found(const Places& places) {
  return std::count_if(places.begin(), places.end(), [](int64_t place) { return place >= 0; });
}

// What a parameter is a part of, in words.
std::string part_of(const std::string& name, bool both_directions) {
  if (name == "embedding.weight") return "embeddings";
  if (name == "shapes.weight") return "shape embeddings";
  if (name == "characters.weight") return "character embeddings";
  const std::string direction = !both_directions ? "" : name.ends_with("_reverse") ? " (reverse)" : " (forward)";
  if (name.starts_with("characters."))
    return "character LSTM (" + std::string(name.ends_with("_reverse") ? "reverse)" : "forward)");
  if (name.starts_with("output.")) return "output layer";
  if (name.starts_with("crf.")) return "CRF";
  if (name.starts_with("pool.")) return "attention query";
  const size_t layer = name.find("_l");
  const size_t end = name.find('_', layer + 2);
  return "layer " + name.substr(layer + 2, end == name.npos ? end : end - layer - 2) + direction;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

void add_once(std::vector<std::string>& list, const std::string& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

class Transfer {
 public:
  Transfer(const StartingModels& from, const TransferTarget& target)
      : from_(from), target_(target), arena_(target.model.parameters()) {}

  std::string run() {
    for (const StartingModel* model : {from_.forward, from_.reverse}) {
      if (model == nullptr) continue;
      taken_.clear();
      used_.clear();
      target_.words != nullptr ? fill_words(*model) : fill_symbols(*model);
      describe(*model);
    }
    std::vector<std::string> drawn;
    for (const Parameter& p : arena_.parameters()) {
      if (!filled_.contains(p.name)) add_once(drawn, part_of(p.name, target_.lstm.bidirectional));
    }
    std::string last = drawn.empty() ? "" : "drawn: " + joined(drawn);
    if (zeros_) last += std::string(last.empty() ? "" : "; ") + "zeros: the layers' weights of all other inputs";
    if (!last.empty()) lines_ += "\n" + last;
    target_.model.parameters_changed();
    kernels::Context context(1);
    target_.model.pack(context);
    return lines_;
  }

 private:
  // The place of the model's vectors in those that are filled, where two models' stand side by side.
  int64_t offset(const StartingModel& model) const {
    return &model == from_.reverse && from_.forward != nullptr ? from_.forward->encoder.embed : 0;
  }

  void fill_words(const StartingModel& model) {
    const nn::WordEncoderOptions &to = target_.encoder, &of = model.encoder;
    const int64_t at = offset(model);
    if (model.of_characters()) {
      const Places columns = shifted(to.embed_characters, at, of.embed);
      fill_table("characters.weight", "embedding.weight", model,
                 find_symbols(target_.words->characters, model.words, false), columns, "characters");
      fill_layers("characters.lstm.", "lstm.", model, columns);
      return;
    }
    fill_table("embedding.weight", "embedding.weight", model, find_symbols(target_.words->words, model.words, true),
               shifted(to.embed, at, of.embed), "words");
    Places columns = shifted(to.width(), at, of.embed);
    if (!model.is_language_model()) {
      columns = identity(to.width());
      if (to.embed_shape > 0) {
        fill_table("shapes.weight", "shapes.weight", model, find_symbols(target_.words->shapes, model.shapes, false),
                   identity(to.embed_shape), "shapes");
      }
      if (to.hidden_characters > 0) {
        const Places characters = identity(to.embed_characters);
        fill_table("characters.weight", "characters.weight", model,
                   find_symbols(target_.words->characters, model.characters, false), characters, "characters");
        fill_layers("characters.lstm.", "characters.lstm.", model, characters);
      }
    }
    const std::string prefix = target_.lstm.layer_name() + ".";
    fill_layers(prefix, prefix, model, columns);
    if (model.find("pool.query") != nullptr && find("pool.query")) {
      fill("pool.query", "pool.query", model, identity(1), identity(target_.lstm.outputs()), false);
      taken_.emplace_back("attention query");
    }
  }

  void fill_symbols(const StartingModel& model) {
    const Places rows = find_symbols(*target_.symbols, model.words, false);
    const int64_t embed = model.encoder.embed;
    if (embed > 0) fill_table("embedding.weight", "embedding.weight", model, rows, identity(embed), "symbols");
    const std::string prefix = target_.lstm.layer_name() + ".";
    fill_layers(prefix, prefix, model, embed > 0 ? identity(embed) : rows);
    for (const char* name : {"output.projection.weight", "output.weight", "output.bias"}) {
      const auto index = find(name);
      if (!index) continue;
      const std::vector<int64_t>& shape = arena_.parameters()[*index].shape;
      const bool by_symbol = name != std::string("output.projection.weight");
      fill(name, name, model, by_symbol ? rows : identity(shape[0]), identity(shape.size() > 1 ? shape[1] : 1), true);
      add_once(taken_, "output layer");
    }
  }

  std::optional<size_t> find(const std::string& name) const {
    for (size_t i = 0; i < arena_.parameters().size(); ++i) {
      if (arena_.parameters()[i].name == name) return i;
    }
    return std::nullopt;
  }

  void fill_table(const std::string& name, const std::string& source, const StartingModel& model, const Places& rows,
                  const Places& columns, const char* noun) {
    fill(name, source, model, rows, columns, true);
    taken_.push_back(fmt::format("embeddings of {} of {} {}", format_count(static_cast<double>(count_found(rows))),
                                 format_count(static_cast<double>(rows.size())), noun));
  }

  // All parameters whose names begin with `prefix`, in the directions that the model has. `columns` are those of what
  // the first layer reads.
  void fill_layers(const std::string& prefix, const std::string& source_prefix, const StartingModel& model,
                   const Places& columns) {
    const bool both = model.lstm.bidirectional || source_prefix.starts_with("characters.");
    std::vector<std::string> layers;
    for (const Parameter& p : arena_.parameters()) {
      if (!p.name.starts_with(prefix)) continue;
      const bool reverse = p.name.ends_with("_reverse");
      if (!both && reverse != model.reverse && target_.words != nullptr) continue;
      std::string source = source_prefix + p.name.substr(prefix.size());
      if (!both && reverse) source.resize(source.size() - std::string("_reverse").size());
      const int64_t rows = p.shape[0];
      if (p.name.find("weight_ih") == p.name.npos) {
        fill(p.name, source, model, identity(rows), identity(p.size / rows), false);
      } else if (p.name.find("_l0") != p.name.npos) {
        fill(p.name, source, model, identity(rows), columns, false);
      } else {  // what the layer below writes in this direction, or in both
        const int64_t width = both ? p.shape[1] : target_.lstm.state();
        fill(p.name, source, model, identity(rows), shifted(p.shape[1], reverse && !both ? width : 0, width), false);
      }
      add_once(layers, part_of(p.name, target_.lstm.bidirectional));
    }
    taken_.insert(taken_.end(), layers.begin(), layers.end());
  }

  // Fills rows and columns of the parameter `name` [R, C] with those of `source`. A column of no source is zero, but in
  // a table of vectors, whose columns may be another model's. A row of none stays, scaled to the spread of the source.
  void fill(const std::string& name, const std::string& source, const StartingModel& model, const Places& rows,
            const Places& columns, bool table) {
    const size_t index = find(name).value();
    const Parameter& p = arena_.parameters()[index];
    const Parameter* from = model.find(source);
    const auto R = static_cast<int64_t>(rows.size()), C = static_cast<int64_t>(columns.size());
    const int64_t found_c = from == nullptr ? 0 : from->size / from->shape[0];
    const int64_t most_c = *std::max_element(columns.begin(), columns.end());
    const bool fits = from != nullptr && R * C == p.size && most_c + 1 <= found_c &&
                      *std::max_element(rows.begin(), rows.end()) < from->shape[0] &&
                      (table || from->shape[0] == p.shape[0]);
    if (!fits) {
      throw usage_error(
          fmt::format("'{}' cannot be taken from '{}' of {}: their sizes differ", name, source, model.path),
          "leave out the options of layers and embeddings: they follow from the model");
    }
    float* to = arena_.value(index);
    const float* values = model.values(*from);
    const float scale = table ? spread(values, from->size) / own_spread(to, rows, columns) : 1.0F;
    for (int64_t r = 0; r < R; ++r) {
      const int64_t row = rows[static_cast<size_t>(r)];
      for (int64_t c = 0; c < C; ++c) {
        const int64_t column = columns[static_cast<size_t>(c)];
        float& value = to[r * C + c];
        if (column < 0) {
          if (!table) value = 0.0F;
        } else if (row >= 0) {
          value = values[row * found_c + column];
        } else if (std::isfinite(scale)) {
          value *= scale;
        }
      }
    }
    zeros_ = zeros_ || (!table && count_found(columns) < C);
    filled_.insert(name);
    used_.insert(source);
  }

  // Root of the mean square.
  static float spread(const float* values, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    return static_cast<float>(std::sqrt(sum / static_cast<double>(n)));
  }
  static float own_spread(const float* values, const Places& rows, const Places& columns) {
    std::vector<float> drawn;
    for (size_t r = 0; r < rows.size(); ++r) {
      for (size_t c = 0; c < columns.size(); ++c) {
        if (rows[r] < 0 && columns[c] >= 0) drawn.push_back(values[r * columns.size() + c]);
      }
    }
    return drawn.empty() ? 1.0F : spread(drawn.data(), static_cast<int64_t>(drawn.size()));
  }

  void describe(const StartingModel& model) {
    std::vector<std::string> left;
    for (const Parameter& p : model.model->parameters().parameters()) {
      if (!used_.contains(p.name)) add_once(left, part_of(p.name, model.lstm.bidirectional));
    }
    lines_ += fmt::format("{}from {}: {}{}", lines_.empty() ? "" : "\n", model.path, joined(taken_),
                          left.empty() ? "" : "; not taken: " + joined(left));
  }

  const StartingModels& from_;
  const TransferTarget& target_;
  ParameterArena& arena_;
  std::vector<std::string> taken_;  // of the present model
  std::set<std::string> used_;      // its parameters
  std::set<std::string> filled_;    // parameters of the target
  bool zeros_ = false;
  std::string lines_;
};

}  // namespace

std::string transfer(const StartingModels& from, const TransferTarget& target) { return Transfer(from, target).run(); }

}  // namespace longhand::tasks
