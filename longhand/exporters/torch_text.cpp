#include "longhand/exporters/torch_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::exporters {
namespace {

// Keywords and soft keywords of Python 3.12, and names that the methods of a module use.
const std::set<std::string> kPythonWords = {
    "False",   "None",  "True", "and",    "as",       "assert", "async", "await", "break",  "class",
    "case",    "match", "type", "_",      "continue", "def",    "del",   "elif",  "else",   "except",
    "finally", "for",   "from", "global", "if",       "import", "in",    "is",    "lambda", "nonlocal",
    "not",     "or",    "pass", "raise",  "return",   "try",    "while", "with",  "yield"};

// Modules of Python's standard library (3.8 to 3.13), and those that torch imports. A file of the same name in the
// program's folder is imported in place of the module.
const std::set<std::string>& known_python_modules() {
  static const std::set<std::string> kModules = [] {
    std::istringstream names(
        "abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii "
        "bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys "
        "compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses "
        "dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno "
        "faulthandler fcntl filecmp fileinput filelock fnmatch fractions fsspec ftplib functools gc genericpath "
        "getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp "
        "importlib inspect io ipaddress itertools jinja2 json keyword lib2to3 linecache locale logging lzma "
        "mailbox mailcap marshal math mimetypes mmap modulefinder mpmath msilib msvcrt multiprocessing netrc "
        "networkx nis nntplib ntpath nturl2path numbers numpy opcode operator optparse os ossaudiodev packaging "
        "pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile "
        "pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib "
        "resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib "
        "sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string "
        "stringprep struct subprocess sunau sympy symtable sys sysconfig syslog tabnanny tarfile telnetlib "
        "tempfile termios textwrap this threading time timeit tkinter token tokenize tomllib torch trace "
        "traceback tracemalloc triton tty turtle turtledemo types typing typing_extensions unicodedata unittest "
        "urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc yaml "
        "zipapp zipfile zipimport zlib zoneinfo ");
    return std::set<std::string>(std::istream_iterator<std::string>(names), {});
  }();
  return kModules;
}

constexpr size_t kLongestName = 40;

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }

template <class T, class Shown>
std::string joined_python(const std::vector<T>& values, const Shown& shown) {
  std::string out;
  for (const T& value : values) out += (out.empty() ? "" : ", ") + shown(value);
  return out;
}

std::string whole_python(int64_t value) { return std::to_string(value); }

}  // namespace

std::string python_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool fits = is_letter(c) || is_digit(c);
    if (fits) out += c;
    if (!fits && !out.empty() && out.back() != '_') out += '_';
    if (out.size() == kLongestName) break;
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty()) return "value";
  if (is_digit(out.front())) out = fmt::format("n{}", out);
  if (kPythonWords.contains(out)) out += "_";
  return out;
}

std::string python_class_name(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : python_name(text)) {
    if (c == '_') {
      begins = true;
    } else {
      out += begins && is_small(c) ? static_cast<char>(c - 'a' + 'A') : c;
      begins = false;
    }
  }
  return kPythonWords.contains(out) || out.empty() ? out + "Model" : out;
}

void check_module_path(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string name = file.stem().string(), plain = python_name(name);
  const auto refuse = [&](const std::string& expected, const std::string& instead) {
    return usage_error(fmt::format("--out: expected {}, found '{}'", expected, visible(path)),
                       fmt::format("choose another name, such as {}.py", instead));
  };
  if (file.extension() != ".py") throw refuse("a Python file, whose name ends in .py", plain);
  if (known_python_modules().contains(name)) {
    throw refuse("a name that no module of Python or PyTorch has", fmt::format("{}_model", name));
  }
  const bool letters =
      std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (letters && !name.empty() && !is_digit(name.front()) && !kPythonWords.contains(name)) return;
  throw refuse("a name that Python can import: letters, digits and _, no digit first and no keyword",
               known_python_modules().contains(plain) ? fmt::format("{}_model", plain) : plain);
}

std::string PythonNames::take(const std::string& text) {
  const std::string name = python_name(text);
  std::string out = name;
  for (int n = 2; !taken_.insert(out).second; ++n) out = fmt::format("{}_{}", name, n);
  return out;
}

std::string python_string(const std::string& text) {
  std::string out = "\"";
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    at += next_character(text, at, c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c >= 32 && c < 127) {
      out += static_cast<char>(c);
    } else {
      const auto code = static_cast<uint32_t>(c);
      out += c < 256     ? fmt::format("\\x{:02x}", code)
             : c < 65536 ? fmt::format("\\u{:04x}", code)
                         : fmt::format("\\U{:08x}", code);
    }
  }
  return out + '"';
}

std::string python_float(float value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value > 0.0F ? "float(\"inf\")" : "float(\"-inf\")";
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string python_list(const std::vector<int64_t>& values) {
  return fmt::format("[{}]", joined_python(values, whole_python));
}

std::string python_tuple(const std::vector<int64_t>& values) {
  return fmt::format("({}{})", joined_python(values, whole_python), values.size() == 1 ? "," : "");
}

std::string python_floats(const std::vector<float>& values) {
  return fmt::format("[{}]", joined_python(values, python_float));
}

}  // namespace longhand::exporters
