// Tables of numbers.
#include "longhand/base/error.h"
#include "longhand/tasks/regressor_columns.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"day,a,b\nMon,1,10\nTue,2,20\n", "sep=;\nt;v\n2024-01-01;1.234,5\n2024-01-02;2,5\n", "1\t2\n3\t4\n",
          "t,v,,\n1,\"1,234.5\",,\n2,1e-3,,\n", "id,size,price,y\nb,m,1,2\na,l,3,4\nb,m,5,\na,l,6,7\n"};
}

void read(std::string_view bytes) {
  for (const bool header : {true, false}) {
    for (const char* time : {"", "t"}) {
      try {
        const data::Table table = data::read_table(bytes, {.time = time, .header = header}, "input");
        for (const auto& column : table.target) data::scale_of(column, table.rows);
      } catch (const Error&) {
      }
    }
  }
  try {
    const data::SeriesOptions options{
        .target = "y", .window = 1, .series_column = "id", .statics = "size", .known = "price"};
    data::Table table = data::read_table(bytes, options, "input");
    const std::vector<tasks::RowRange> rows(static_cast<size_t>(table.sequences()), {0, 0});
    tasks::prepare(tasks::columns_of(table, rows, "standard", false), options, table);
    data::windows_of_part(table, options, 0.0, 1.0);
  } catch (const Error&) {
  }
}

}  // namespace longhand::fuzz
