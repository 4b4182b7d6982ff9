#include "longhand/lab/microscope.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/text.h"
#include "longhand/data/tokenizer.h"
#include "longhand/lab/explanation.h"

namespace longhand::lab {
namespace {

constexpr int64_t kPiece = 128;          // steps of a long sequence that are read at once
constexpr int64_t kMostOfText = 32;      // symbols of --explain-text that are explained
constexpr int64_t kApart = 20;           // symbols between two decisions that surprised, and before the first
constexpr double kPassesOfRerun = 0.05;  // what a step of a large batch costs, in steps of one sequence

using OnDone = std::function<void(double, double)>;

// Reads the whole text, piece by piece, and calls visit(begin, end, state before, y) after each; `before` is called
// with the state before each. `cuts` are positions at which pieces must begin, in order.
template <class Before, class Visit>
void read_text(const Subject& subject, Probe& probe, const std::vector<int64_t>& cuts, const Before& before,
               const Visit& visit) {
  auto cut = cuts.begin();
  for (size_t s = 0; s + 1 < subject.text.starts.size(); ++s) {
    nn::StackState<float> state = probe.new_state(1);
    for (int64_t at = subject.text.starts[s], end = subject.text.starts[s + 1]; at < end;) {
      int64_t stop = subject.carries ? std::min(at + kPiece, end) : end;
      while (cut != cuts.end() && *cut <= at) ++cut;
      if (subject.carries && cut != cuts.end()) stop = std::min(stop, *cut);
      before(at, state);
      const float* y = probe.forward(subject.lay({at, stop, {-1}}), state, nn::Pass::kGradients);
      visit(at, stop, y);
      at = stop;
    }
  }
}

std::vector<nn::StackActivations<float>> all_activations(const Probe& probe) {
  std::vector<nn::StackActivations<float>> out;
  for (size_t part = 0; part < probe.stack().parts(); ++part) out.push_back(probe.activations(part));
  return out;
}

// How unsure the model was at each place that can be explained: positions, or sequences.
std::vector<double> doubts(const Subject& subject) {
  const ModelOutputs& outputs = subject.outputs;
  std::vector<double> out;
  for (size_t m = 0; m < outputs.nats.size(); ++m) {
    const float p = outputs.probability[m * ModelOutputs::kTop];
    const double nats = std::isfinite(outputs.nats[m]) ? static_cast<double>(outputs.nats[m])
                        : p > 0.0F                     ? -std::log(static_cast<double>(p))
                                                       : -1.0;
    out.push_back(nats);
  }
  return out;
}

// The decisions that surprised most, apart from one another; of a regressor, windows spread over the table.
std::vector<int64_t> surprising(const Subject& subject, int64_t count) {
  const std::vector<int64_t>& starts = subject.text.starts;
  std::vector<int64_t> out;
  const std::vector<double> doubt = doubts(subject);
  if (doubt.empty()) {
    const int64_t S = subject.text.sequences(), n = std::min(count, S);
    for (int64_t i = 0; i < n; ++i) out.push_back(starts[static_cast<size_t>((2 * i + 1) * S / (2 * n))]);
    return out;
  }
  std::vector<size_t> order(doubt.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return doubt[a] > doubt[b]; });
  for (const size_t m : order) {
    if (static_cast<int64_t>(out.size()) >= count || doubt[m] < 0.0) break;
    const int64_t position = subject.outputs.of_sequences ? starts[m] : static_cast<int64_t>(m);
    const bool early =
        subject.carries && position < starts[static_cast<size_t>(subject.text.sequence_of(position))] + kApart;
    const bool near = !subject.outputs.of_sequences && std::any_of(out.begin(), out.end(), [&](int64_t other) {
      return std::abs(other - position) < kApart;
    });
    if (!near && (!early || subject.text.size() < 4 * kApart)) out.push_back(position);
  }
  return out;
}

std::vector<int64_t> positions_of(const std::string& list, const Subject& subject) {
  std::vector<int64_t> out;
  const char* at = list.data();
  const char* end = at + list.size();
  while (at < end) {
    int64_t position = -1;
    const auto [rest, error] = std::from_chars(at, end, position);
    const bool sound = error == std::errc() && (rest == end || *rest == ',');
    if (!sound || position < 0 || position >= subject.text.size()) {
      throw usage_error(fmt::format("`explain`: expected positions from 0 to {}, with commas between, found '{}'",
                                    subject.text.size() - 1, list),
                        "give positions as the page shows them");
    }
    out.push_back(position);
    at = rest + 1;
  }
  return out;
}

// The first occurrence of a text, symbol by symbol.
std::vector<int64_t> positions_of_text(const std::string& wanted, const ShownText& text) {
  std::vector<std::string> symbols;
  if (text.spaced) {
    for (const std::string& word : data::Tokenizer().words(wanted)) symbols.push_back(shown_symbol(word));
  } else {
    for (size_t at = 0; at < wanted.size();) {
      char32_t c = 0;
      const size_t length = next_character(wanted, at, c);
      symbols.push_back(shown_symbol(std::string_view(wanted).substr(at, length)));
      at += length;
    }
  }
  const auto found =
      std::search(text.symbols.begin(), text.symbols.end(), symbols.begin(), symbols.end(),
                  [&](int32_t a, const std::string& b) { return text.names[static_cast<size_t>(a)] == b; });
  if (symbols.empty() || found == text.symbols.end()) {
    throw usage_error("`explain-text`: expected a part of the text, found '" + visible(wanted) + "'",
                      "give characters or words that follow one another in it");
  }
  std::vector<int64_t> out(std::min<size_t>(symbols.size(), kMostOfText));
  std::iota(out.begin(), out.end(), found - text.symbols.begin());
  return out;
}

// What is explained: what was asked for first.
std::vector<Decision> chosen_decisions(const Subject& subject, const MicroscopeOptions& options, size_t& asked) {
  std::vector<int64_t> positions = positions_of(options.explain, subject);
  if (!options.explain_text.empty()) {
    const std::vector<int64_t> more = positions_of_text(options.explain_text, subject.text);
    positions.insert(positions.end(), more.begin(), more.end());
  }
  std::vector<Decision> out;
  const auto add = [&](int64_t position) {
    const Decision decision = subject.decide(position, options.context, subject.outputs);
    const bool twice =
        std::any_of(out.begin(), out.end(), [&](const Decision& d) { return d.position == decision.position; });
    if (decision.end > decision.begin && decision.target >= 0 && !twice) out.push_back(decision);
    return decision.end > decision.begin;
  };
  for (const int64_t position : positions) {
    if (!add(position) && positions.size() == 1) {
      throw usage_error(fmt::format("`explain`: nothing was read before symbol {}", position), "give a later position");
    }
  }
  asked = out.size();
  for (const int64_t position : surprising(subject, options.explain_most)) add(position);
  return out;
}

// Units whose values go into the page: those that follow properties, then those that vary most.
std::vector<KeptUnit> chosen_units(const UnitLayout& layout, const UnitSearch& search,
                                   const std::vector<PropertyUnits>& found, int64_t count) {
  std::vector<KeptUnit> out;
  const auto add = [&](const UnitValue& value) {
    const bool twice = std::any_of(out.begin(), out.end(),
                                   [&](const KeptUnit& k) { return k.part == value.part && k.unit == value.unit; });
    if (!twice && static_cast<int64_t>(out.size()) < count) out.push_back({value.part, value.unit, {}});
  };
  size_t ranks = 0;
  for (const PropertyUnits& property : found) ranks = std::max(ranks, property.best.size());
  for (size_t rank = 0; rank < ranks; ++rank) {
    for (const PropertyUnits& property : found) {
      if (rank < property.best.size()) add(property.best[rank].value);
    }
  }
  std::vector<std::pair<double, UnitValue>> by_variance;
  for (int64_t i = 0; i < layout.size(); ++i) {
    const UnitValue value = layout.value(i);
    if (value.quantity == 'h') by_variance.emplace_back(-search.variance(i), value);
  }
  std::stable_sort(by_variance.begin(), by_variance.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [variance, value] : by_variance) add(value);
  for (int64_t i = 0; i < layout.size() && static_cast<int64_t>(out.size()) < count; ++i) add(layout.value(i));
  std::stable_sort(out.begin(), out.end(), [](const KeptUnit& a, const KeptUnit& b) {
    return a.part != b.part ? a.part < b.part : a.unit < b.unit;
  });
  return out;
}

void prepare_values(const UnitLayout& layout, const UnitSearch& search, int64_t symbols, std::vector<KeptUnit>& units) {
  for (KeptUnit& unit : units) {
    for (const char quantity : layout.quantities()) {
      const int64_t index = layout.index({unit.part, quantity, unit.unit});
      if (index < 0) continue;  // a projected layer has fewer outputs than cells
      unit.values.push_back({quantity, search.smallest(index), search.largest(index),
                             std::vector<uint8_t>(static_cast<size_t>(symbols))});
    }
  }
}

// The units' values of symbols begin .. end - 1, in 256 levels.
void keep_values(const UnitLayout& layout, const std::vector<nn::StackActivations<float>>& activations, int64_t begin,
                 int64_t end, std::vector<KeptUnit>& units, ThreadPool& pool) {
  const auto block_of = [&](const KeptUnit& unit, char quantity) {
    return *std::find_if(layout.blocks().begin(), layout.blocks().end(), [&](const UnitLayout::Block& block) {
      return block.part == unit.part && block.quantity == quantity;
    });
  };
  pool.run([&](int part, int parts) {
    const Range mine = split(static_cast<int64_t>(units.size()), parts, part);
    for (int64_t k = mine.begin; k < mine.end; ++k) {
      KeptUnit& unit = units[static_cast<size_t>(k)];
      for (KeptUnit::Values& values : unit.values) {
        int64_t stride = 0;
        const float* rows = block_of(unit, values.quantity).rows(activations[unit.part], stride);
        const float scale = values.high > values.low ? 255.0F / (values.high - values.low) : 0.0F;
        for (int64_t t = begin; t < end; ++t) {
          const float level = std::clamp((rows[(t - begin) * stride + unit.unit] - values.low) * scale, 0.0F, 255.0F);
          values.levels[static_cast<size_t>(t)] = static_cast<uint8_t>(std::lround(level));
        }
      }
    }
  });
}

// Steps of one sequence that the explanations are worth.
double work_of(const std::vector<Decision>& decisions) {
  double out = 0.0;
  for (const Decision& d : decisions) {
    out += kPassesOfRerun * static_cast<double>(d.last - d.first) * static_cast<double>(d.end - d.begin);
  }
  return out;
}

}  // namespace

std::string Microscope::name(const UnitValue& value) const {
  const auto D = static_cast<size_t>(directions);
  const char* direction = D == 1 ? "" : value.part % D == 0 ? " forward" : " backward";
  return fmt::format("layer {}{} {} {}", value.part / D, direction, value.quantity, value.unit);
}

Microscope examine(Subject subject, const MicroscopeOptions& options, kernels::Context& context,
                   const OnDone& on_done) {
  Microscope out{.subject = std::move(subject)};
  const Subject& of = out.subject;
  const nn::LstmOptions& lstm = of.network().options().lstm;
  Probe probe(of.network(), of.engine, context);
  const UnitLayout layout(lstm, of.engine);
  const auto N = static_cast<double>(of.text.size());
  double done = 0.0, total = 2.0 * N;
  const auto tell = [&](double more) {
    done += more;
    if (on_done) on_done(std::min(done, total), total);
  };

  UnitSearch search(layout, of.properties);
  read_text(
      of, probe, {}, [](int64_t, nn::StackState<float>&) {},
      [&](int64_t begin, int64_t end, const float* y) {
        search.add(begin, end, all_activations(probe), context.pool);
        of.read(begin, end, y, out.subject.outputs);
        tell(static_cast<double>(end - begin));
      });
  out.properties = search.best(options.top);

  const std::vector<Decision> decisions = chosen_decisions(of, options, out.asked);
  total += work_of(decisions);
  out.quantities = layout.quantities();
  out.layers = lstm.layers;
  out.directions = lstm.directions();
  out.units = layout.units();
  const int64_t fit =
      std::max<int64_t>(kMostUnitBytes / (of.text.size() * static_cast<int64_t>(out.quantities.size())), 1);
  const int64_t count = std::min(options.max_units > 0 ? options.max_units : fit, out.units);
  out.kept = chosen_units(layout, search, out.properties, count);
  out.kept_all = count == out.units;
  prepare_values(layout, search, of.text.size(), out.kept);

  std::vector<int64_t> cuts;
  for (const Decision& decision : decisions) cuts.push_back(decision.begin);
  std::sort(cuts.begin(), cuts.end());
  Explainer explainer(of, probe, context);
  out.explanations.resize(decisions.size());
  read_text(
      of, probe, cuts,
      [&](int64_t at, nn::StackState<float>& state) {
        for (size_t i = 0; i < decisions.size(); ++i) {
          if (decisions[i].begin != at) continue;
          out.explanations[i] = explainer.explain(
              decisions[i], state, [&](int64_t steps) { tell(kPassesOfRerun * static_cast<double>(steps)); });
        }
      },
      [&](int64_t begin, int64_t end, const float*) {
        keep_values(layout, all_activations(probe), begin, end, out.kept, context.pool);
        tell(static_cast<double>(end - begin));
      });
  return out;
}

}  // namespace longhand::lab
