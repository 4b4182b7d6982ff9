#include "cli/sources.h"

#include <fmt/core.h>

#include <memory>
#include <optional>

#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "longhand/convert/npz.h"
#include "longhand/fetch/cache.h"

namespace longhand::cli {

runs::Sources sources(bool quiet) {
  runs::Sources out(fetch::find_in_cache, [](const std::string& note) { say("note: {}\n", note); });
  out.set_read_arrays(
      [](const std::string& name, std::string bytes) { return convert::read_npz(name, std::move(bytes)); });
  const auto progress = std::make_shared<std::optional<WorkProgress>>();
  out.set_on_read(
      [progress, quiet](const std::string& name, int64_t done, int64_t total) {
        if (!*progress) {
          stop_on_interrupt();
          progress->emplace(fmt::format("MB of {} read", name), quiet);
        }
        constexpr double kMega = 1e6;
        (*progress)->on_done(static_cast<double>(done) / kMega, static_cast<double>(total) / kMega);
        return !interrupted();
      },
      [progress] {
        progress->reset();
        end_on_interrupt();
      });
  return out;
}

}  // namespace longhand::cli
