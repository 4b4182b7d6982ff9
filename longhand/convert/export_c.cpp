#include "longhand/convert/export_c.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/convert/c_header.h"

namespace longhand::convert {

Exported export_c(const ExportModel& model, const ExportOptions& options) {
  check_c_name(model.name);
  constexpr int64_t kMostNumbers = int64_t{1} << 25;  // more than that, compilers need many minutes and gigabytes
  if (model.graph.parameters() > kMostNumbers) {
    throw input_error(fmt::format("{}: expected at most {} weights for C, found {}", model.name, grouped(kMostNumbers),
                                  grouped(model.graph.parameters())),
                      "export a smaller model, or to another format, such as --to onnx");
  }
  const CCompiled compiled =
      compile_c(model.graph, model.name, {.int8 = options.weights == "int8", .steps = options.steps});
  CHeaderTexts texts;
  texts.name = model.name;
  texts.source = model.graph.source;
  texts.sample_rate = model.graph.sample_rate;
  texts.symbols = model.graph.symbols;
  return {.files = {{".h", c_header(compiled, texts)}}, .notes = c_costs(compiled)};
}

}  // namespace longhand::convert
