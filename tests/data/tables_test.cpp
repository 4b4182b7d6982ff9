// Tables: CSV, texts with labels, and windows of numbers.
#include <functional>

#include "longhand/base/error.h"
#include "longhand/data/csv.h"
#include "longhand/data/generators.h"
#include "longhand/data/labelled.h"
#include "longhand/data/series.h"
#include "longhand/data/source.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

using testing::error_of;

std::string shown(const std::vector<CsvRecord>& records) {
  std::string out;
  for (const CsvRecord& record : records) {
    out.append(std::to_string(record.line)).append(":");
    for (const std::string& field : record.fields) out.append("[").append(field).append("]");
    out.append(" ");
  }
  return out;
}

TEST(Csv, FieldsMayBeQuoted) {
  EXPECT_EQ(shown(parse_csv("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n\n,last", ',', "f")),
            "1:[a][b] 2:[x, \"y\"][two\nlines] 5:[][last] ");
  EXPECT_EQ(shown(parse_csv("\xEF\xBB\xBF"
                            "a;b;\n",
                            ';', "f")),
            "1:[a][b][] ");
  EXPECT_EQ(shown(parse_csv("", ',', "f")), "");
  EXPECT_EQ(shown(parse_csv("a\r", ',', "f")), "1:[a] ");
}

TEST(Csv, BlanksAroundQuotesAreRemoved) {
  EXPECT_EQ(shown(parse_csv("a, \"x, y\" ,b\n", ',', "f")), "1:[a][x, y][b] ");
}

TEST(Csv, FaultsAreNamedWithTheirLine) {
  EXPECT_EQ(error_of([] { parse_csv("a\n\"b\nc", ',', "f"); }),
            "f:2: expected a closing quote, found the end of the file");
  EXPECT_EQ(error_of([] { parse_csv("\"a\"b\n", ',', "f"); }),
            "f:1: expected a comma after the closing quote, found 'b'");
  EXPECT_EQ(error_of([] { parse_csv("a\n\xC3(\n", ',', "f"); }), "f:2: expected UTF-8, found byte 0xC3 at offset 2");
  EXPECT_EQ(error_of([] { parse_csv(std::string("a\nb\0", 4), ',', "f"); }),
            "f:2: expected a text, found a binary file (a zero byte at offset 3)");
}

// A record of several lines ends at the same line as in parse_csv.
TEST(Csv, RecordsOfAStreamEndWhereQuotesAreClosed) {
  for (const char* text :
       {"a,b\n1,2", "\"x\ny\",2\n3,4", "5\" pipe,2\n1,\"a\"\"\n\"\"b\"\n2,3", " \"q\n\" ,1\n\"\",2"}) {
    std::vector<CsvRecord> streamed;
    std::string_view rest = text;
    for (int64_t line = 1; !rest.empty();) {
      const int64_t begin = line;
      OpenQuote quote(',');
      std::string record;
      for (bool open = true; open && !rest.empty(); ++line) {
        const std::string_view next = take_line(rest);
        open = quote.add(next);
        if (line != begin) record += '\n';
        record += next;
      }
      streamed.push_back(parse_record(record, ',', "f", begin));
    }
    EXPECT_EQ(shown(streamed), shown(parse_csv(text, ',', "f"))) << text;
  }
  EXPECT_EQ(error_of([] { parse_record("\"a\nb", ',', "f", 7); }).substr(0, 4), "f:7:");
}

// As spreadsheets write it.
TEST(Csv, ALineMayNameTheSeparator) {
  EXPECT_EQ(shown(parse_csv("sep=;\na;b\n1,5;2\n", guess_separator("sep=;\na;b\n"), "f")), "2:[a][b] 3:[1,5][2] ");
  EXPECT_EQ(guess_separator("a;b\n1,5;2,5\n3,5;4,5\n"), ';');  // decimal commas are fewer than half the story
}

TEST(Csv, TheSeparatorIsGuessedFromTheFirstLine) {
  EXPECT_EQ(guess_separator("a,b\nc;d;e"), ',');
  EXPECT_EQ(guess_separator("a;b,c;d"), ';');
  EXPECT_EQ(guess_separator("a\tb"), '\t');
  EXPECT_EQ(guess_separator("\"a;b;c\",d"), ',');
  EXPECT_EQ(guess_separator("a"), ',');
}

std::string shown(const LabelledFile& file) {
  std::string out = file.description + ":";
  for (const LabelledText& e : file.examples) {
    out.append(" ").append(std::to_string(e.line)).append(e.label).append("(").append(e.text).append(")");
  }
  return out;
}

std::string read(const std::string& text, const std::string& source = "f", const LabelledOptions& options = {},
                 Labels labels = Labels::kWanted) {
  return shown(read_labelled(text, options, labels, source));
}

TEST(Labelled, FormatsAreRecognisedAndSaid) {
  EXPECT_EQ(read("__label__pos good one\n__label__neg  bad\n"),
            "fastText (`__label__LABEL text` lines): 1pos(good one) 2neg(bad)");
  EXPECT_EQ(read("{\"text\":\"good, \\\"one\\\"\",\"label\":1}\n\n{\"label\":\"b\",\"text\":\"x\"}"),
            "JSON lines, label in 'label', text in 'text': 11(good, \"one\") 3b(x)");
  EXPECT_EQ(read("label,text\npos,\"a, b\"\n", "f.csv"),
            "CSV, label in column 1 ('label'), text in column 2 ('text'): 2pos(a, b)");
  EXPECT_EQ(read("pos;a b\nneg;c\n", "f.csv"),
            "CSV with semicolons without a header, label in column 1, text in column 2: 1pos(a b) 2neg(c)");
  EXPECT_EQ(read("text\tid\tlabel\n\"quote\t7\tpos\n"),
            "TSV, label in column 3 ('label'), text in column 1 ('text'): 2pos(\"quote)");
  EXPECT_EQ(read("DESC:manner How did it ?\nHUM:ind Who ?\n", "f", {.until = ":"}),
            "`LABEL text` lines: 1DESC(How did it ?) 2HUM(Who ?)");
  EXPECT_EQ(read("7,x,good\n", "f.csv", {.label = "1", .text = "3"}),
            "CSV without a header, label in column 1, text in column 3: 17(good)");
}

TEST(Labelled, AHeaderOfWhichOneNameIsKnownIsAHeader) {
  EXPECT_EQ(read("sentence\tlabel\na b\tpos\n"),
            "TSV, label in column 2 ('label'), text in column 1 ('sentence'): 2pos(a b)");
  EXPECT_EQ(read("review,sentiment\n\"a, b\",pos\n"),
            "CSV, label in column 2 ('sentiment'), text in column 1 ('review'): 2pos(a, b)");
  EXPECT_EQ(read("Utterance,label\na,pos\n"),
            "CSV, label in column 2 ('label'), text in column 1 ('Utterance'): 2pos(a)");
  EXPECT_EQ(read("category,Content,date\nx,a,1\n"),
            "CSV, label in column 1 ('category'), text in column 2 ('Content'): 2x(a)");
}

TEST(Labelled, TheColumnWhoseEntriesComeAgainIsTheLabel) {
  EXPECT_EQ(read("a b c\tpos\nd e\tneg\nf\tpos\ng\tneg\n"),
            "TSV without a header, label in column 2, text in column 1: 1pos(a b c) 2neg(d e) 3pos(f) 4neg(g)");
}

TEST(Labelled, TheContentShowsTheFormatWhateverTheNameSays) {
  EXPECT_EQ(recognise_labelled("label,text\npos,\"a, b\"\n", "f.txt"), "csv");
  EXPECT_EQ(recognise_labelled("label\ttext\npos\ta\n", "F.CSV"), "tsv");
  EXPECT_EQ(recognise_labelled("[{\"label\":1,\"text\":\"a\"}]", "f"), "json");
  EXPECT_EQ(recognise_labelled(" {\"label\":1,\"text\":\"a\"}\n", "f.csv"), "jsonl");
  EXPECT_EQ(recognise_labelled("pos a, b\nneg c\n", "f"), "blank");
}

TEST(Labelled, AnArrayIsReadItemByItem) {
  EXPECT_EQ(read("[\n{\"label\":\"p\",\"text\":\"a\"},\n{\"label\":\"n\",\"text\":\"b\"}]\n"),
            "a JSON array, label in 'label', text in 'text': 1p(a) 2n(b)");
}

TEST(Labelled, QuotedTsvIsReadAsItIsWritten) {
  EXPECT_EQ(read("label\ttext\npos\t\"say \"\"a\"\"\tb\"\nneg\tc\n"),
            "TSV, label in column 1 ('label'), text in column 2 ('text'): 2pos(say \"a\"\tb) 3neg(c)");
}

TEST(Labelled, LabelsThatAreHardlySharedAreRefused) {
  LabelledFile file;
  for (int i = 0; i < 40; ++i) file.examples.push_back({"t", std::to_string(i), i + 1});
  EXPECT_NE(error_of([&] { check_labels(file, "f"); }), "");
  for (LabelledText& e : file.examples) e.label = std::to_string(e.line % 4);
  EXPECT_EQ(error_of([&] { check_labels(file, "f"); }), "");
}

TEST(Labelled, TheLayoutOfATableWithoutAHeaderIsSaidAndCanBeGiven) {
  const LabelledFile file =
      read_labelled("a b c,pos\nd e,neg\nf,pos\ng,neg\n", {.format = "csv"}, Labels::kWanted, "f");
  EXPECT_EQ(file.layout, "2,1");
  const LabelledOptions layout{.format = "csv", .layout = "2,1"};
  EXPECT_EQ(read("x,pos\ny,neg\n", "f", layout),
            "CSV without a header, label in column 2, text in column 1: 1pos(x) 2neg(y)");
  EXPECT_EQ(read("text,label\nx,pos\n", "f", layout),
            "CSV, label in column 2 ('label'), text in column 1 ('text'): 2pos(x)");
}

TEST(Labelled, TextsToBeClassifiedMayBeEmpty) {
  EXPECT_EQ(read("id,text\n1,a\n2,\n", "f", {}, Labels::kIgnored), "CSV, text in column 2 ('text'): 2(a) 3()");
}

TEST(Labelled, WithoutLabelsALineIsAText) {
  EXPECT_EQ(read("good one\n", "f", {}, Labels::kIgnored), "one text per line: 1(good one)");
  EXPECT_EQ(read("__label__pos good\nplain\n", "f", {}, Labels::kIgnored),
            "fastText (`__label__LABEL text` lines): 1(good) 2(plain)");
  EXPECT_EQ(read("{\"text\":\"x\"}\n", "f", {}, Labels::kIgnored), "JSON lines, text in 'text': 1(x)");
}

TEST(Labelled, TextsToBeClassifiedAreRecognised) {
  const auto recognise = [](const std::string& head, const std::string& source = "f") {
    return recognise_texts(head, {}, {"pos", "neg"}, source);
  };
  EXPECT_EQ(recognise("good one\nbad one\n"), "lines");
  EXPECT_EQ(recognise("Well, that was good\nNo, bad\n"), "lines");
  EXPECT_EQ(recognise("\"quoted\" and more\n"), "lines");
  EXPECT_EQ(recognise("review\ngood one\n", "f.CSV"), "csv");
  EXPECT_EQ(recognise("id,text\n1,good\n"), "csv");
  EXPECT_EQ(recognise("sep=;\nid;text\n1;good\n"), "csv");
  EXPECT_EQ(recognise("good one,pos\nbad one,neg\n"), "csv");
  EXPECT_EQ(recognise("pos\tgood one\n"), "tsv");
  EXPECT_EQ(recognise("pos good one\nneg bad one\n"), "blank");
  EXPECT_EQ(recognise("pos good one\n"), "lines");  // one line may be a text
  EXPECT_EQ(recognise("[[[[1]]]]\n"), "json");
  EXPECT_EQ(recognise("{\"text\": 1}\n"), "jsonl");
  EXPECT_EQ(read_text_line("pos good one", "blank", {}, "f", 1), "good one");
  EXPECT_EQ(read_text_line("pos good one", "lines", {}, "f", 1), "pos good one");
}

TEST(Labelled, FaultsAreNamedWithTheirLine) {
  const auto fault = [](const std::string& text, const std::string& source = "f", const LabelledOptions& options = {}) {
    return error_of([&] { read(text, source, options); });
  };
  EXPECT_EQ(fault("__label__a x\ny\n"), "f:2: expected __label__LABEL at the start of the line, found none");
  EXPECT_EQ(fault("__label__a __label__b x\n"), "f:1: expected one label, found several");
  EXPECT_EQ(fault("__label__a\n"), "f:1: expected a text, found none");
  EXPECT_EQ(fault("{\"label\":1,\"rest\":\"x\"}\n"),
            "f:1: expected keys for the label and the text, 'label' and 'text' or usual ones; found label, rest");
  EXPECT_EQ(fault("{\"label\":1,\"text\":\"x\"}\n{\"label\":1}\n"), "f:2: expected the key 'text', found label");
  EXPECT_EQ(fault("{\"label\":[1],\"text\":\"x\"}\n"), "f:1: expected a text or a number in 'label', found array");
  EXPECT_EQ(fault("{\"label\":1e999,\"text\":\"x\"}\n"), "f:1: expected JSON, found a number that is too large");
  EXPECT_NE(fault("id,label\n1,a\n2,b\n"), "");  // an index is no text
  EXPECT_NE(fault("text,label\nx,a\n", "f", {.label = "mood"}), "");
  EXPECT_EQ(fault("{\"label\":1,\n"),
            "f:1: expected JSON, found at byte 12: unexpected end of input; expected string literal");
  EXPECT_EQ(fault("{\"text\":\"\\ud83d x\",\"label\":1}\n").substr(0, 4), "f:1:");  // half of a surrogate pair
  EXPECT_EQ(fault("pos a\n{\"label\":1,\"text\":\"a\"}\n").substr(0, 4), "f:2:");
  EXPECT_NE(fault("good one __label__pos\nbad __label__neg\n"), "");
  EXPECT_EQ(fault("label,text\npos,a,b\n", "f.csv"), "f.csv:2: expected 2 columns, found 3");
  EXPECT_EQ(fault("label,text\n,a\n", "f.csv"), "f.csv:2: expected a label, found none");
  EXPECT_EQ(
      fault("a,b,c\n1,2,3\n", "f.csv"),
      "f.csv:1: expected a header with columns for the label and the text ('label' and 'text', or usual names), or two "
      "columns; found a, b, c (label: not found; text: not found)");
  EXPECT_EQ(fault("alone\n"), "f:1: expected a label and a text, found one word");
  EXPECT_EQ(fault("\n\n"), "f: expected one text per line, found none");
  EXPECT_EQ(fault("a b\n\xFF c\n"), "f:2: expected UTF-8, found byte 0xFF at offset 4");
}

const std::string kSeries = "day,a,b\nMon,1,10\nTue,2,20\nWed,3,30\nThu,4,40\nFri,5,50\nSat,6,60\n";

std::string shown(const std::vector<Window>& all) {
  std::string out;
  for (const Window& w : all) {
    out.append(std::to_string(w.begin)).append("+").append(std::to_string(w.length)).append(">");
    out.append(std::to_string(w.target)).append(" ");
  }
  return out;
}

TEST(Series, ColumnsAreReadByName) {
  const Table table = read_table(kSeries, {.inputs = "b, a", .target = "a"}, "f");
  EXPECT_EQ(table.inputs, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(table.input[0], (std::vector<double>{10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(table.target[0], (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(table.starts, (std::vector<int64_t>{0, 6}));
  const Table last = read_table(kSeries, {}, "f");  // the last column, from its own past
  EXPECT_EQ(last.targets, (std::vector<std::string>{"b"}));
  EXPECT_EQ(last.inputs, last.targets);
}

TEST(Series, ATableWithoutAHeaderIsReadOnlyWhenAsked) {
  const std::string text = "1,10\n2,20\n3,30\n";
  EXPECT_EQ(error_of([&] { read_table(text, {}, "f"); }),
            "f:1: expected names of columns, found what may be a row of values (1, 10)");
  const Table table = read_table(text, {.target = "2", .header = false}, "f");
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.target[0], (std::vector<double>{10, 20, 30}));
}

TEST(Series, FilesOfSpreadsheetsAreReadAsTheyMean) {
  EXPECT_EQ(read_table("sep=;\nday;value\n1;1,5\n2;2,5\n", {}, "f").target[0], (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(read_table("day;value\n1;1.234,5\n2;2,5\n", {}, "f").target[0], (std::vector<double>{1234.5, 2.5}));
  EXPECT_EQ(read_table("day,value,,\n1,1.5,,\n2,2.5,,\n", {.target = "value"}, "f").target[0],
            (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(read_table("day,value,,\n1,1.5,,\n2,2.5,,\n", {}, "f").targets, (std::vector<std::string>{"value"}));
  EXPECT_EQ(read_table("day;value\n1;1,234\n2;2,345\n", {.decimal = "comma"}, "f").target[0],
            (std::vector<double>{1.234, 2.345}));
  EXPECT_NE(error_of([] { read_table("day;value\n1;1,234\n2;2,345\n", {}, "f"); }).find("1,234"), std::string::npos);
}

// A point between thousands is no decimal point, whichever column shows it.
TEST(Series, OtherColumnsShowTheDecimalSeparator) {
  const std::string text = "day;sales;price\n2020-01-01;900;20,00\n2020-01-02;1.306;22,33\n";
  EXPECT_EQ(read_table(text, {.target = "sales"}, "f").target[0], (std::vector<double>{900, 1306}));
  EXPECT_EQ(read_table("day;sales\n1;900\n2;1.306\n", {.decimal = "point"}, "f").target[0],
            (std::vector<double>{900, 1.306}));
  EXPECT_NE(error_of([] { read_table("day;sales\n1;900\n2;1.306\n", {}, "f"); }).find("1.306"), std::string::npos);
  EXPECT_EQ(read_table("day,sales\n1,900\n2,1.306\n", {}, "f").target[0], (std::vector<double>{900, 1.306}));
}

// In linear time: pairs of 40,000 names would take half a minute.
TEST(Series, HeadersMayBeWide) {
  std::string names, values;
  for (int i = 0; i < 40000; ++i) {
    names += (i > 0 ? ",column" : "column") + std::to_string(i);
    values += i > 0 ? ",1" : "1";
  }
  EXPECT_EQ(read_table(names + "\n" + values + "\n", {.target = "column7"}, "f").target[0], (std::vector<double>{1}));
  const std::string error = error_of([&] { read_table(names + "\n" + values + "\n", {.target = "colum7"}, "f"); });
  EXPECT_LT(error.size(), 1000U);
}

TEST(Series, ARowOfValuesIsNoHeader) {
  EXPECT_EQ(error_of([] { read_table("2020-01-01,20.0\n2020-01-02,21.0\n", {}, "f"); }),
            "f:1: expected names of columns, found what may be a row of values (2020-01-01, 20.0)");
  EXPECT_EQ(read_table("day,\"b, kg\"\n1,5\n2,6\n", {.target = "2"}, "f").target[0], (std::vector<double>{5, 6}));
}

TEST(Series, ReportsTimesThatDoNotIncrease) {
  const std::string text = "t,v\n2024-01-02,1\n2024-01-01,2\n2024-01-01,3\n";
  const std::string said = read_table(text, {.time = "t"}, "f").times;
  EXPECT_NE(said.find("line 3"), std::string::npos) << said;
  EXPECT_EQ(read_table("t,v\n1,1\n2,2\n", {.time = "t"}, "f").times, "");
}

TEST(Series, NumbersNearTheLimitsOfDoubleAreRefused) {
  EXPECT_NE(error_of([] { read_table("t,v\n1,1e300\n2,1\n", {}, "f"); }), "");
}

TEST(Series, WindowsPredictWhatComesAfterThem) {
  const Table table = read_table(kSeries, {}, "f");
  EXPECT_EQ(shown(windows(table, {.window = 3, .horizon = 2}, 0, 6)), "0+3>3 1+3>4 ");
  EXPECT_EQ(shown(windows(table, {.window = 3, .horizon = 0}, 0, 6)), "0+3>2 1+3>3 2+3>4 3+3>5 ");
  // A later part reads rows of an earlier one, and predicts its own.
  EXPECT_EQ(shown(windows(table, {.window = 2, .horizon = 1}, 0, 4)), "0+2>2 1+2>3 ");
  EXPECT_EQ(shown(windows(table, {.window = 2, .horizon = 1}, 4, 6)), "2+2>4 3+2>5 ");
  EXPECT_EQ(shown(windows(table, {.window = 9, .horizon = 1}, 0, 6)), "");
}

TEST(Series, GroupsAreSequencesOfTheirOwn) {
  const SeriesOptions options{.inputs = "x", .target = "y", .group = "g", .window = 2, .horizon = 0};
  const Table table = read_table("g,x,y\n1,1,1\n1,2,2\n1,3,3\n2,4,4\n3,5,5\n3,6,6\n", options, "f");
  EXPECT_EQ(table.starts, (std::vector<int64_t>{0, 3, 4, 6}));
  EXPECT_EQ(shown(windows(table, options, 0, 6)), "0+2>1 1+2>2 4+2>5 ");
  EXPECT_EQ(shown(windows(table, {.group = "g", .window = 0, .horizon = 0}, 0, 6)), "0+3>2 3+1>3 4+2>5 ");
  EXPECT_EQ(shown(windows(table, {.group = "g", .window = 0, .horizon = 0}, 3, 6)), "3+1>3 4+2>5 ");
}

TEST(Series, FaultsAreNamedWithLineAndColumn) {
  const auto fault = [](const std::string& text, const SeriesOptions& options = {}) {
    return error_of([&] { read_table(text, options, "f"); });
  };
  EXPECT_EQ(fault("t,v\n1,2\n2,\n"), "f:3: column 'v': expected a number, found an empty cell");
  EXPECT_EQ(fault("t,v\n1,2\n2,x3\n"), "f:3: column 'v': expected a number, found 'x3'");
  EXPECT_EQ(fault("t,v\n1,nan\n"), "f:2: column 'v': expected a number, found 'nan'");
  EXPECT_EQ(fault("t,v\n1,1e999\n"), "f:2: column 'v': expected a number, found '1e999'");
  EXPECT_EQ(fault("t,v\nx,2\n"), "");  // that column is not read
  EXPECT_EQ(fault("t,v\n1\n"), "f:2: expected 2 columns, as in the header, found 1");
  EXPECT_EQ(fault("t,v\n1,2\n", {.target = "w"}), "f:1: expected a column 'w', found t, v");
  EXPECT_EQ(fault("v,v\n1,2\n"), "f:1: expected distinct names in the header, found 'v' twice");
  EXPECT_EQ(fault("g,v\na,1\nb,2\na,3\n", {.group = "g"}),
            "f:4: expected the rows of each sequence together, found 'a' in 'g' again");
  EXPECT_EQ(fault(" t , v\n+1,+2.5\n", {.target = "v"}), "");
  EXPECT_EQ(fault("t,v\n"), "f: expected a header and rows of numbers, found one line");
  const auto usage = [](const SeriesOptions& options) { return error_of([&] { options.check(); }, ExitCode::kUsage); };
  EXPECT_NE(usage({.window = 0, .horizon = 0}), "");
  EXPECT_NE(usage({.inputs = "x", .target = "y", .group = "g", .window = 0, .horizon = 1}), "");
  EXPECT_NE(usage({.inputs = "x,y", .target = "y", .horizon = 0}), "");
  EXPECT_NE(usage({.target = "y", .horizon = 0}), "");
  EXPECT_EQ(usage({.inputs = "x", .target = "y", .group = "g", .window = 0, .horizon = 0}), "");
}

TEST(Series, ScalesComeFromTheFirstRowsOnly) {
  const Scale scale = scale_of({1, 3, 100, -100}, 2);
  EXPECT_EQ(scale.mean, 2.0);
  EXPECT_EQ(scale.deviation, 1.0);
  EXPECT_EQ(scale.undo(scale.apply(7.25)), 7.25);
  EXPECT_EQ(scale_of({5, 5, 5}, 3).deviation, 1.0);
  EXPECT_EQ(scale_of({0.1 + 0.2, 0.3, 0.3}, 3).deviation, 1.0);  // constant up to rounding
  EXPECT_EQ(scale_of({1e9 + 1e-7, 1e9, 1e9}, 3).deviation, 1.0);
  EXPECT_LT(scale_of({1.0, 1.000001, 1.0}, 3).deviation, 1e-6);
}

TEST(Generators, MakeTheTablesThatTheyNameAndTheSameEachTime) {
  const Table linear = read_table(find_generated("linear")->csv(), {.inputs = "x", .target = "y"}, "linear");
  EXPECT_EQ(linear.rows, 1000);
  double xx = 0.0, xy = 0.0;
  for (size_t i = 0; i < 1000; ++i) {
    xx += linear.input[0][i] * linear.input[0][i];
    xy += linear.input[0][i] * linear.target[0][i];
  }
  EXPECT_NEAR(xy / xx, 42.0, 4 * 10.0 / std::sqrt(1000.0));  // the slope's own deviation is 10 / sqrt(1000)
  const SeriesOptions whole{.inputs = "value,marker", .target = "sum", .group = "sequence", .window = 0, .horizon = 0};
  const Table adding = read_table(find_generated("adding")->csv(), whole, "adding");
  const std::vector<Window> all = windows(adding, whole, 0, adding.rows);
  EXPECT_EQ(all.size(), 5000U);
  for (const Window& w : all) {
    double sum = 0.0, marks = 0.0;
    for (int64_t t = w.begin; t < w.begin + w.length; ++t) {
      const auto i = static_cast<size_t>(t);
      sum += adding.input[0][i] * adding.input[1][i];
      marks += adding.input[1][i];
    }
    ASSERT_EQ(marks, 2.0);
    ASSERT_NEAR(sum, adding.target[0][static_cast<size_t>(w.target)], 1e-5);
  }
  EXPECT_EQ(find_generated("sines")->csv(), find_generated("sines")->csv());
  EXPECT_EQ(find_generated("none"), nullptr);
}

}  // namespace
}  // namespace longhand::data
