#include "longhand/convert/pickle.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/pickle_calls.h"

namespace longhand::convert {
namespace {

constexpr size_t kMostValues = 1'000'000;
constexpr const char* kSaveStateDict =
    "longhand never executes what a pickle asks for; in Python: torch.save(model.state_dict(), 'weights.pt')";

// The names of opcodes that are not interpreted, for errors.
const char* refused_opcode(unsigned char code) {
  switch (code) {
    case 'F': return "FLOAT";
    case 'I': return "INT";
    case 'L': return "LONG";
    case 'P': return "PERSID";
    case 'S': return "STRING";
    case 'V': return "UNICODE";
    case 'd': return "DICT";
    case 'g': return "GET";
    case 'i': return "INST";
    case 'l': return "LIST";
    case 'o': return "OBJ";
    case 'p': return "PUT";
    case 0x82: return "EXT1";
    case 0x83: return "EXT2";
    case 0x84: return "EXT4";
    case 0x92: return "NEWOBJ_EX";
    case 0x97: return "NEXT_BUFFER";
    case 0x98: return "READONLY_BUFFER";
    default: return "none of Python's";
  }
}

}  // namespace

const char* name_of(PickleKind kind) {
  constexpr std::array<const char*, 16> kNames = {
      "None",    "a truth value", "an integer", "a large integer", "a number",  "a text",   "bytes",    "a list",
      "a tuple", "a set",         "a dict",     "a name",          "a storage", "a tensor", "an array", "an object"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<Pickle::Id> Pickle::state(Id id) const {
  if (!is(id, PickleKind::kObject) || nodes_[id].value == 0) return std::nullopt;
  return static_cast<Id>(nodes_[id].value - 1);
}

double Pickle::real(Id id) const {
  return is(id, PickleKind::kReal) ? std::bit_cast<double>(nodes_[id].value) : static_cast<double>(nodes_[id].value);
}

std::optional<Pickle::Id> Pickle::find(Id id, std::string_view key) const {
  if (!is(id, PickleKind::kDict)) return std::nullopt;
  const std::span<const Id> pairs = items(id);
  for (size_t i = pairs.size(); i >= 2; i -= 2) {
    if (is(pairs[i - 2], PickleKind::kText) && text(pairs[i - 2]) == key) return pairs[i - 1];
  }
  return std::nullopt;
}

// The stack machine.
class PickleMachine {
 public:
  using Id = Pickle::Id;
  PickleMachine(Pickle& pickle, std::string_view bytes, const std::string& name)
      : p_(pickle), calls_(pickle, bytes.size(), name), bytes_(bytes), name_(name) {}

  size_t run() {
    for (;;) {
      const auto code = static_cast<unsigned char>(take(1)[0]);
      if (code == '.') break;
      step(code);
      if (p_.nodes_.size() > kMostValues) fail(fmt::format("it has more than {} values", kMostValues));
    }
    p_.root_ = pop();
    return at_;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(fmt::format("{}: not a valid pickle: at byte {}, {}", name_, at_, problem),
                      "it is truncated, altered or of another format; use an intact copy");
  }

  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) fail(fmt::format("expected {} more bytes, found {}", size, bytes_.size() - at_));
    const std::string_view out = bytes_.substr(at_, static_cast<size_t>(size));
    at_ += static_cast<size_t>(size);
    return out;
  }
  template <class T>
  T number() {
    T out;
    std::memcpy(&out, take(sizeof(T)).data(), sizeof(T));
    return out;
  }
  std::string_view line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("a name has no end");
    const std::string_view out = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }

  void push(Id id) { stack_.push_back(id); }
  Id top() {
    if (stack_.size() <= floor()) fail("a value is missing");
    return stack_.back();
  }
  Id pop() {
    const Id id = top();
    stack_.pop_back();
    return id;
  }
  // Values below the last mark belong to what is still open.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<Id> pop_to_mark() {
    if (marks_.empty()) fail("a mark is missing");
    const size_t begin = marks_.back();
    marks_.pop_back();
    std::vector<Id> out(stack_.begin() + static_cast<int64_t>(begin), stack_.end());
    stack_.resize(begin);
    return out;
  }

  void tuple(size_t size) {
    std::vector<Id> items(size);
    for (size_t i = size; i-- > 0;) items[i] = pop();
    push(calls_.add_list(PickleKind::kTuple, std::move(items)));
  }

  // Appends to the container on the top of the stack.
  void extend(PickleKind kind, const std::vector<Id>& items) {
    const Id container = top();
    if (p_.is(container, PickleKind::kObject)) return;  // what it holds has no use here
    if (!p_.is(container, kind) || (kind == PickleKind::kDict && items.size() % 2 != 0)) {
      fail(fmt::format("{} is filled as if it were {}", name_of(p_.kind(container)), name_of(kind)));
    }
    std::vector<Id>& list = p_.lists_[p_.index(container)];
    list.insert(list.end(), items.begin(), items.end());
  }

  void global(std::string_view module, std::string_view attribute) {
    const std::string whole = std::string(module) + "." + std::string(attribute);
    if (!call_of(whole) && runs_programs(whole)) {
      throw input_error(fmt::format("{}: its pickle asks for {}, which no model needs", name_,
                                    visible(std::string_view(whole).substr(0, 200))),
                        kSaveStateDict);
    }
    p_.owned_.push_back(whole);
    push(calls_.add_text(PickleKind::kGlobal, p_.owned_.back()));
  }

  void text_of_size(PickleKind kind, uint64_t size) { push(calls_.add_text(kind, take(size))); }

  void long_integer(uint64_t size) {
    const std::string_view bytes = take(size);
    if (size > 8) return push(calls_.add_text(PickleKind::kBigInteger, bytes));
    uint64_t value = size > 0 && (bytes.back() & 0x80) != 0 ? UINT64_MAX : 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    push(calls_.add(PickleKind::kInteger, static_cast<int64_t>(value)));
  }

  void real() {
    auto bits = number<uint64_t>();
    bits = __builtin_bswap64(bits);
    push(calls_.add(PickleKind::kReal, std::bit_cast<int64_t>(bits)));
  }

  void remember(uint64_t at) { memo_[at] = top(); }
  void recall(uint64_t at) {
    const auto found = memo_.find(at);
    if (found == memo_.end()) fail(fmt::format("the value {} of the memo is missing", at));
    push(found->second);
  }

  void step(unsigned char code);
  bool step_scalar(unsigned char code);
  bool step_container(unsigned char code);
  void step_object(unsigned char code);

  Pickle& p_;
  PickleCalls calls_;
  std::string_view bytes_;
  const std::string& name_;
  size_t at_ = 0;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Id> memo_;
};

void PickleMachine::step(unsigned char code) {
  if (!step_scalar(code) && !step_container(code)) step_object(code);
}

bool PickleMachine::step_scalar(unsigned char code) {
  switch (code) {
    case 'N': push(calls_.add(PickleKind::kNone)); break;
    case 0x88: push(calls_.add(PickleKind::kBool, 1)); break;
    case 0x89: push(calls_.add(PickleKind::kBool, 0)); break;
    case 'J': push(calls_.add(PickleKind::kInteger, number<int32_t>())); break;
    case 'K': push(calls_.add(PickleKind::kInteger, number<uint8_t>())); break;
    case 'M': push(calls_.add(PickleKind::kInteger, number<uint16_t>())); break;
    case 'G': real(); break;
    case 0x8A: long_integer(number<uint8_t>()); break;
    case 0x8B: long_integer(number<uint32_t>()); break;
    case 'X': text_of_size(PickleKind::kText, number<uint32_t>()); break;
    case 0x8C: text_of_size(PickleKind::kText, number<uint8_t>()); break;
    case 0x8D: text_of_size(PickleKind::kText, number<uint64_t>()); break;
    case 'T': text_of_size(PickleKind::kText, number<uint32_t>()); break;  // of Python 2
    case 'U': text_of_size(PickleKind::kText, number<uint8_t>()); break;
    case 'B': text_of_size(PickleKind::kBytes, number<uint32_t>()); break;
    case 'C': text_of_size(PickleKind::kBytes, number<uint8_t>()); break;
    case 0x8E:
    case 0x96: text_of_size(PickleKind::kBytes, number<uint64_t>()); break;
    default: return false;
  }
  return true;
}

bool PickleMachine::step_container(unsigned char code) {
  switch (code) {
    case '(': marks_.push_back(stack_.size()); break;
    case ']': push(calls_.add_list(PickleKind::kList, {})); break;
    case '}': push(calls_.add_list(PickleKind::kDict, {})); break;
    case ')': push(calls_.add_list(PickleKind::kTuple, {})); break;
    case 0x8F: push(calls_.add_list(PickleKind::kSet, {})); break;
    case 't': push(calls_.add_list(PickleKind::kTuple, pop_to_mark())); break;
    case 0x91: push(calls_.add_list(PickleKind::kSet, pop_to_mark())); break;
    case 0x85: tuple(1); break;
    case 0x86: tuple(2); break;
    case 0x87: tuple(3); break;
    case 'a': {
      const Id item = pop();
      extend(PickleKind::kList, {item});
      break;
    }
    case 'e': extend(PickleKind::kList, pop_to_mark()); break;
    case 's': {
      const Id value = pop();
      const Id key = pop();
      extend(PickleKind::kDict, {key, value});
      break;
    }
    case 'u': extend(PickleKind::kDict, pop_to_mark()); break;
    case 0x90: extend(PickleKind::kSet, pop_to_mark()); break;
    default: return false;
  }
  return true;
}

void PickleMachine::step_object(unsigned char code) {
  switch (code) {
    case 0x80:
      if (const auto protocol = number<uint8_t>(); protocol < 2 || protocol > 5) {
        fail(fmt::format("expected protocol 2 to 5, found {}", protocol));
      }
      break;
    case 0x95: take(8); break;  // FRAME: how much to read ahead
    case '0':
      if (stack_.size() == floor() && !marks_.empty()) {
        pop_to_mark();
      } else {
        pop();
      }
      break;
    case '1': pop_to_mark(); break;
    case '2': push(top()); break;
    case 'h': recall(number<uint8_t>()); break;
    case 'j': recall(number<uint32_t>()); break;
    case 'q': remember(number<uint8_t>()); break;
    case 'r': remember(number<uint32_t>()); break;
    case 0x94: remember(memo_.size()); break;
    case 'c': {
      const std::string_view module = line();
      global(module, line());
      break;
    }
    case 0x93: {
      const Id attribute = pop(), module = pop();
      if (!p_.is(module, PickleKind::kText) || !p_.is(attribute, PickleKind::kText)) fail("a name is no text");
      global(p_.text(module), p_.text(attribute));
      break;
    }
    case 'Q': push(calls_.storage(pop())); break;
    case 'R':
    case 0x81: {
      const Id arguments = pop(), function = pop();
      push(calls_.call(function, arguments));
      break;
    }
    case 'b': {
      const Id state = pop();
      calls_.build(top(), state);
      break;
    }
    default:
      throw input_error(fmt::format("{}: its pickle has the opcode {} (0x{:02x}) at byte {}, which is not interpreted",
                                    name_, refused_opcode(code), code, at_ - 1),
                        kSaveStateDict);
  }
}

size_t Pickle::run(std::string_view bytes, const std::string& name) { return PickleMachine(*this, bytes, name).run(); }

}  // namespace longhand::convert
