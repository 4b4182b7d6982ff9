// The parts of a report that show what surprises a language model, what it writes, and how it begins.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "longhand/base/format.h"
#include "longhand/io/chart.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

// Nats from which a symbol has shade 1, 2, ...; words are more surprising than characters.
using Shades = std::array<double, 6>;
constexpr Shades kSymbolShades = {1.0, 2.0, 3.0, 4.0, 6.0, 8.0};
constexpr Shades kWordShades = {2.0, 4.0, 6.0, 8.0, 10.0, 12.0};
constexpr size_t kLongestSymbol = 60;
constexpr size_t kLongestSample = 2000;

std::string legend(const Shades& shades, const char* noun) {
  std::string html = fmt::format("<p class=legend>Nats of a {}: <i>below {:.0f}</i>", noun, shades[0]);
  for (size_t i = 0; i < shades.size(); ++i) {
    html += fmt::format(" <i class=s{}>{:.0f}{}</i>", i + 1, shades[i],
                        i + 1 < shades.size() ? fmt::format(" to {:.0f}", shades[i + 1]) : " and more");
  }
  return html + "</p>\n";
}

std::string shaded(const std::vector<SurprisingSymbol>& symbols, const Shades& shades) {
  std::string html, run;
  size_t shade = 0;
  bool read = true;
  const auto flush = [&] {
    if (!run.empty()) {
      html += !read       ? "<span class=unread>" + run + "</span>"
              : shade > 0 ? fmt::format("<i class=s{}>{}</i>", shade, run)
                          : run;
    }
    run.clear();
  };
  for (const SurprisingSymbol& symbol : symbols) {  // neighbours of one shade share an element
    const bool predicted = !std::isnan(symbol.nats);
    const auto first_above = std::upper_bound(shades.begin(), shades.end(), symbol.nats);
    const size_t own = predicted ? static_cast<size_t>(first_above - shades.begin()) : 0;
    if (own != shade || predicted != read) flush();
    shade = own;
    read = predicted;
    run += symbol.text == "\n" ? "⏎" : io::escape_html(io::shortened(symbol.text, kLongestSymbol));
  }
  flush();
  return html;
}

std::string most_surprising(const SurprisingLine& line, const Shades& shades, const char* noun) {
  return fmt::format(
      "<li><div class=facts><span><b>{:.2f}</b> nats per {}</span><span>line {} of this text</span></div><p "
      "class=line><bdi>{}</bdi></p>"
      "</li>\n",
      line.nats, noun, format_count(static_cast<double>(line.number)), shaded(line.symbols, shades));
}

}  // namespace

std::string page_of(const LineFindings& findings) {
  if (findings.lines.empty()) return "";
  const char* noun = findings.words ? "word" : "symbol";
  std::string html = fmt::format(
      "<h2>Most surprising lines</h2><p>Lines of at least {} {}s with the highest mean loss, of {}; the mean of the "
      "text "
      "is {:.2f} nats. Lines of more than {} are divided.</p>\n",
      findings.shortest, noun,
      findings.of > findings.symbols
          ? fmt::format("the first {} of {}", format_count(static_cast<double>(findings.symbols)),
                        format_count(findings.of, noun))
          : format_count(findings.symbols, noun),
      findings.nats, findings.longest);
  const Shades& shades = findings.words ? kWordShades : kSymbolShades;
  html += legend(shades, noun) + "<ol class=cards>\n";
  for (const SurprisingLine& line : findings.lines) html += most_surprising(line, shades, noun);
  return html + "</ol>\n";
}

std::string page_of(const ColdCurve& cold) {
  std::vector<io::Point> points;
  for (size_t i = 0; i < cold.nats.size(); ++i) points.push_back({static_cast<double>(i + 1), cold.nats[i]});
  const std::vector<io::Point> warm = {{1.0, cold.warm_nats}, {static_cast<double>(points.size()), cold.warm_nats}};
  return io::draw(io::Chart{.title = "Loss by symbols read since a cold start (nats per symbol, " + cold.text + ")",
                            .x_title = "symbols read",
                            .whole_x = true,
                            .curves = {{"from a cold start", 0, std::move(points)}, {"within the text", 1, warm}},
                            .mark = {}});
}

std::string page_of(const std::vector<Sample>& samples) {
  if (samples.empty()) return "";
  const bool prompted = std::any_of(samples.begin(), samples.end(), [](const Sample& s) { return !s.prompt.empty(); });
  std::string html = prompted ? "<h2>Samples, each after a prompt in bold</h2>\n" : "<h2>Samples</h2>\n";
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    if (i == 0 || sample.prompt != samples[i - 1].prompt)
      html += i == 0 ? "<div class=samples>" : "</div><div class=samples>";
    html += fmt::format("<div><span class=soft>temperature {:.1f}</span><pre><bdi><b>{}</b>{}</bdi></pre></div>\n",
                        sample.temperature, io::escape_html(io::shortened(sample.prompt, kLongestSample)),
                        io::escape_html(io::shortened(sample.text, kLongestSample)));
  }
  return html + "</div>\n";
}

}  // namespace longhand::runs
