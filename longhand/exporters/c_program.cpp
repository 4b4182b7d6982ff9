#include "longhand/exporters/c_program.h"

#include <algorithm>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/exporters/c_functions.h"
#include "longhand/kernels/weight_type.h"

namespace longhand::exporters {

std::string CConstant::c_type() const {
  if (type == Type::kFloat) return "float";
  if (type == Type::kInt8) return "signed char";
  if (!given_type.empty()) return given_type;
  const bool small = std::all_of(ints.begin(), ints.end(), [](int64_t v) { return v >= 0 && v < 65536; });
  return small ? "unsigned short" : "int";
}

int64_t CConstant::bytes() const {
  const std::string type_name = c_type();
  return size() * (type_name == "signed char" ? 1 : type_name == "unsigned short" ? 2 : 4);
}

// Names that the header itself uses.
std::set<std::string> CProgram::reserved() {
  std::set<std::string> out = helper_names();
  out.insert({"state", "reset", "step", "result", "inputs", "outputs", "sample_rate", "symbols", "symbol_count",
              "labels", "label_count", "run", "steps", "scratch", "scratch_ints", "INLINE", "RESTRICT", "H"});
  return out;
}

int CProgram::add_buffer(CBuffer buffer) {
  buffers_.push_back(std::move(buffer));
  return static_cast<int>(buffers_.size()) - 1;
}

int CProgram::state(const std::string& member, int64_t size, const std::vector<float>& initial) {
  const std::string own = name(member);
  const int at = add_buffer({.kind = CBuffer::Kind::kState, .size = size, .name = own});
  const bool zero = std::all_of(initial.begin(), initial.end(), [](float v) { return v == 0.0F; });
  state_.push_back({at, zero ? "" : constant(own + "_0", initial, "the state that sequences begin with")});
  return at;
}

std::string CProgram::constant(const std::string& label, const std::vector<float>& values, const std::string& comment) {
  const std::string own = name(label);
  constants_.push_back({.name = own, .floats = values, .comment = comment});
  return own;
}

std::string CProgram::indexes(const std::string& label, const std::vector<int64_t>& values, const std::string& type) {
  const std::string own = name(label);
  constants_.push_back({.name = own, .type = CConstant::Type::kIndex, .ints = values, .given_type = type});
  return own;
}

CMatrix CProgram::matrix(const std::string& label, int64_t rows, int64_t columns, const std::vector<float>& values) {
  LONGHAND_CHECK(static_cast<int64_t>(values.size()) == rows * columns);
  CMatrix out{name(label), "", rows, columns};
  CConstant& w = constants_.emplace_back(CConstant{.name = out.weights});
  const auto at = [&](int64_t row, int64_t column) { return values[static_cast<size_t>(row * columns + column)]; };
  if (!int8_) {
    w.floats.reserve(values.size());
    for (int64_t k = 0; k < columns; ++k) {
      for (int64_t r = 0; r < rows; ++r) w.floats.push_back(at(r, k));
    }
    return out;
  }
  w.type = CConstant::Type::kInt8;
  w.ints.reserve(values.size());
  std::vector<float> scales;
  for (int64_t r = 0; r < rows; ++r) scales.push_back(kernels::int8_scale(values.data() + r * columns, columns));
  for (int64_t k = 0; k < columns; ++k) {
    for (int64_t r = 0; r < rows; ++r) w.ints.push_back(kernels::to_int8(at(r, k), scales[static_cast<size_t>(r)]));
  }
  out.scales = constant(label + "_scale", scales);
  return out;
}

void CProgram::add(COperation operation) {
  // An operation that writes a late buffer is late, too.
  for (const COperation::Argument& a : operation.arguments) operation.late = operation.late || is_late(a.buffer);
  for (const COperation::Argument& a : operation.arguments) {
    if (operation.late && a.written) make_late(a.buffer);
  }
  operations_.push_back(std::move(operation));
}

// Scratch buffers that NAME_result reads from the steps become part of the state, to keep them between the calls.
void CProgram::keep_for_late() {
  for (const COperation& operation : operations_) {
    for (const COperation::Argument& a : operation.arguments) {
      CBuffer& own = buffer(a.buffer);
      if (!operation.late || is_late(a.buffer) || own.kind != CBuffer::Kind::kScratch) continue;
      own.kind = CBuffer::Kind::kState;
      own.name = name("kept");
      state_.push_back({a.buffer, ""});
    }
  }
}

void CProgram::add_copy(int from, int to, const std::string& comment) {
  add({.name = "", .comment = comment, .body = "", .arguments = {{"x", from, false}, {"y", to, true}}});
}

// Removes operations whose results are not needed for an output, a state or a needed operation. Goes from the last
// operation to the first.
void CProgram::drop_unused() {
  std::vector<bool> needed(buffers_.size(), false);
  for (size_t i = 0; i < buffers_.size(); ++i) {
    needed[i] = buffers_[i].kind == CBuffer::Kind::kOutput || buffers_[i].kind == CBuffer::Kind::kState;
  }
  std::vector<COperation> kept;
  for (size_t i = operations_.size(); i-- > 0;) {
    const auto& arguments = operations_[i].arguments;
    const bool wanted = std::any_of(arguments.begin(), arguments.end(), [&](const COperation::Argument& a) {
      return a.written && needed[static_cast<size_t>(a.buffer)];
    });
    if (!wanted) continue;
    for (const COperation::Argument& a : arguments) needed[static_cast<size_t>(a.buffer)] = true;
    kept.push_back(std::move(operations_[i]));
  }
  operations_.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

// Removes states, constants and helper functions that no operation uses.
void CProgram::drop_unused_constants() {
  std::set<std::string> used;
  for (const COperation& operation : operations_) {
    for (size_t at = operation.body.find('@'); at != std::string::npos; at = operation.body.find('@', at + 1)) {
      size_t end = at + 1;
      while (end < operation.body.size() && is_c_word(operation.body[end])) ++end;
      used.insert(operation.body.substr(at + 1, end - at - 1));
    }
    for (const COperation::Argument& a : operation.arguments) used.insert(buffer(a.buffer).name);
  }
  std::erase_if(state_, [&](const StateMember& member) { return !used.contains(buffer(member.buffer).name); });
  for (const StateMember& member : state_) used.insert(member.initial);
  std::erase_if(constants_, [&](const CConstant& each) { return !used.contains(each.name); });
  const std::set<std::string> all = std::move(helpers);
  helpers.clear();
  for (const std::string& each : all) {
    if (used.contains(each) || each == "sqrt") use_helper(*this, each);
  }
}

// Assigns offsets to scratch buffers, largest first: each gets the lowest offset that is free while it is in use.
// Returns the total size in elements.
int64_t CProgram::place(bool ints) {
  struct Life {
    int buffer;
    size_t first, last;
  };
  std::vector<Life> lives;
  for (size_t b = 0; b < buffers_.size(); ++b) {
    if (buffers_[b].kind != CBuffer::Kind::kScratch || buffers_[b].ints != ints) continue;
    Life life{static_cast<int>(b), operations_.size(), 0};
    for (size_t i = 0; i < operations_.size(); ++i) {
      for (const COperation::Argument& a : operations_[i].arguments) {
        if (a.buffer != life.buffer) continue;
        life.first = std::min(life.first, i);
        life.last = i;
      }
    }
    if (life.first < operations_.size()) lives.push_back(life);
  }
  std::stable_sort(lives.begin(), lives.end(),
                   [&](const Life& a, const Life& b) { return buffer(a.buffer).size > buffer(b.buffer).size; });
  int64_t most = 0;
  for (size_t i = 0; i < lives.size(); ++i) {
    std::vector<std::pair<int64_t, int64_t>> taken;  // begin, end
    for (size_t j = 0; j < i; ++j) {
      if (lives[j].first > lives[i].last || lives[j].last < lives[i].first) continue;
      const CBuffer& other = buffer(lives[j].buffer);
      taken.emplace_back(other.offset, other.offset + other.size);
    }
    std::sort(taken.begin(), taken.end());
    CBuffer& own = buffer(lives[i].buffer);
    own.offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin >= own.offset + own.size) break;
      own.offset = std::max(own.offset, end);
    }
    most = std::max(most, own.offset + own.size);
  }
  return most;
}

void CProgram::arrange() {
  drop_unused();
  keep_for_late();
  drop_unused_constants();
  scratch_floats_ = place(false);
  scratch_ints_ = place(true);
}

int64_t CProgram::weight_bytes() const {
  int64_t out = 0;
  for (const CConstant& each : constants_) out += each.bytes();
  return out;
}

int64_t CProgram::state_bytes() const {
  int64_t out = 0;
  for (const StateMember& member : state_) out += 4 * buffers_[static_cast<size_t>(member.buffer)].size;
  return out;
}

int64_t CProgram::products(bool late) const {
  int64_t out = 0;
  for (const COperation& each : operations_) out += each.late == late ? each.products : 0;
  return out;
}

bool CProgram::has_late() const {
  return std::any_of(operations_.begin(), operations_.end(), [](const COperation& each) { return each.late; });
}

}  // namespace longhand::exporters
