#include "data_sources.h"

#include "longhand/convert/npz.h"
#include "longhand/fetch/cache.h"

namespace longhand::python {

runs::Sources make_sources(const DataInMemory& data, Watch& watch, const nb::callable& notify) {
  runs::Sources out(fetch::find_in_cache,
                    [&watch, &notify](const std::string& note) { watch.call(notify, "note", note); });
  out.set_read_arrays(
      [](const std::string& name, std::string bytes) { return convert::read_npz(name, std::move(bytes)); });
  out.set_on_read([&watch](const std::string&, int64_t, int64_t) { return !watch.should_stop(); }, [] {});
  for (const auto& [name, contents] : data) {
    const auto bytes = nb::cast<nb::bytes>(contents);
    out.add(nb::cast<std::string>(name), std::string(bytes.c_str(), bytes.size()));
  }
  return out;
}

}  // namespace longhand::python
