// A program in C that computes one step of a network: its constants, its state, and operations on buffers of fixed
// size.
//
// Operations are functions of their own, whose bodies name their parameters. Which memory they are given is decided
// when all are known: values that are not needed at the same time share memory. In bodies, `@` stands for what begins
// all names of the program.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/c_text.h"

namespace longhand::convert {

/// Numbers in one place of memory.
struct CBuffer {
  enum class Kind {
    kInput,     ///< what the caller gives: the parameter `name`, from `offset` on
    kOutput,    ///< what the caller gets, from `offset` on
    kState,     ///< kept from step to step, in the member `name` of the state
    kScratch,   ///< used within a step, in the member `scratch`, from `offset` on
    kConstant,  ///< the array `name`
  };
  Kind kind = Kind::kScratch;
  int64_t size = 0;
  bool ints = false;  ///< int, otherwise float
  std::string name{};
  int64_t offset = 0;
};

struct COperation {
  std::string name;     ///< of the function, without the prefix
  std::string comment;  ///< what it does, from what to what; any text
  std::string body;     ///< statements; empty: a copy of the argument `x` to the argument `y`
  struct Argument {
    std::string parameter;
    int buffer = -1;
    bool written = false;
  };
  std::vector<Argument> arguments{};
  int64_t products = 0;  ///< multiplications whose products are added
  bool late = false;     ///< of the result of a sequence, not of each step
};

/// An array of constants.
struct CConstant {
  enum class Type { kFloat, kInt8, kIndex };
  std::string name;
  Type type = Type::kFloat;
  std::vector<float> floats{};
  std::vector<int64_t> ints{};  ///< of kInt8 and kIndex
  std::string comment{};
  std::string given_type{};  ///< of kIndex: not to be chosen

  int64_t size() const { return static_cast<int64_t>(type == Type::kFloat ? floats.size() : ints.size()); }
  /// As the C compiler lays it out: "float", "signed char", "unsigned short" or "int".
  std::string c_type() const;
  int64_t bytes() const;
};

/// A matrix [rows, columns] of the network. It is kept column by column, so that the rows of a product are neighbours.
struct CMatrix {
  std::string weights;  ///< name of the array
  std::string scales;   ///< of int8: a scale for each row; empty: floats
  int64_t rows = 0, columns = 0;
};

class CProgram {
 public:
  explicit CProgram(bool int8) : int8_(int8), names_(reserved()) {}

  bool has_int8() const { return int8_; }
  /// A name that nothing else has.
  std::string name(std::string_view text) { return names_.take(text); }

  int add_buffer(CBuffer buffer);
  CBuffer& buffer(int at) { return buffers_[static_cast<size_t>(at)]; }
  const std::vector<CBuffer>& buffers() const { return buffers_; }
  int scratch(int64_t size, bool ints = false) { return add_buffer({.size = size, .ints = ints}); }
  /// `initial` may be empty: zeros.
  int state(const std::string& name, int64_t size, const std::vector<float>& initial);

  /// The array's name.
  std::string constant(const std::string& name, const std::vector<float>& values, const std::string& comment = "");
  /// As "int", or, by default, in two bytes where the numbers allow that.
  std::string indexes(const std::string& name, const std::vector<int64_t>& values, const std::string& type = "");
  /// Rows one after the other, as floats or as int8 with a scale for each row.
  CMatrix matrix(const std::string& name, int64_t rows, int64_t columns, const std::vector<float>& values);

  /// What reads a late buffer is late, and so is what it writes.
  void add(COperation operation);
  void make_late(int at) { late_.insert(at); }
  bool is_late(int at) const { return late_.contains(at); }
  /// A copy of a buffer, or of its first numbers, to another of that size.
  void add_copy(int from, int to, const std::string& comment);

  /// Leaves out operations that nothing needs, and gives buffers of the same time different places.
  void arrange();

  const std::vector<COperation>& operations() const { return operations_; }
  const std::vector<CConstant>& constants() const { return constants_; }
  struct StateMember {
    int buffer;
    std::string initial;  ///< name of an array; empty: zeros
  };
  const std::vector<StateMember>& state() const { return state_; }
  int64_t scratch_floats() const { return scratch_floats_; }
  int64_t scratch_ints() const { return scratch_ints_; }
  int64_t weight_bytes() const;
  int64_t state_bytes() const;
  int64_t products(bool late) const;
  bool has_late() const;

  std::set<std::string> helpers;  ///< small functions that bodies call (c_functions.h)

 private:
  static std::set<std::string> reserved();
  void drop_unused();
  void keep_for_late();
  void drop_unused_constants();
  int64_t place(bool ints);

  bool int8_;
  CNames names_;
  std::vector<CBuffer> buffers_;
  std::vector<COperation> operations_;
  std::vector<CConstant> constants_;
  std::vector<StateMember> state_;
  std::set<int> late_;
  int64_t scratch_floats_ = 0, scratch_ints_ = 0;
};

}  // namespace longhand::convert
