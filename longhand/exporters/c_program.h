// A C program that computes one call of a network: constants, state, and operations on buffers of fixed size.
//
// Each operation becomes a C function whose body uses its parameter names. Memory is assigned after all operations are
// added: scratch buffers that are not in use at the same time share memory. In bodies, `@` stands for the prefix of the
// program's names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "longhand/exporters/c_text.h"

namespace longhand::exporters {

/// A block of `size` floats or ints.
struct CBuffer {
  enum class Kind {
    kInput,     ///< read from the caller: parameter `name`, from `offset` on
    kOutput,    ///< written for the caller: parameter `out`, from `offset` on
    kState,     ///< kept between calls: member `name` of the state struct
    kScratch,   ///< used within a call: member `scratch` of the state struct, from `offset` on
    kConstant,  ///< constant array `name`
  };
  Kind kind = Kind::kScratch;
  int64_t size = 0;
  bool ints = false;  ///< int, otherwise float
  std::string name{};
  int64_t offset = 0;
};

struct COperation {
  std::string name;     ///< name of the C function, without the prefix
  std::string comment;  ///< node and shapes, for the comment above the function; any text
  std::string body;     ///< C statements; empty: copies argument `x` to argument `y`
  struct Argument {
    std::string parameter;
    int buffer = -1;
    bool written = false;
  };
  std::vector<Argument> arguments{};
  int64_t products = 0;  ///< number of multiply-add operations
  bool late = false;     ///< runs in NAME_result, not in each step
};

/// An array of constants.
struct CConstant {
  enum class Type { kFloat, kInt8, kIndex };
  std::string name;
  Type type = Type::kFloat;
  std::vector<float> floats{};
  std::vector<int64_t> ints{};  ///< values of kInt8 and kIndex
  std::string comment{};
  std::string given_type{};  ///< of kIndex: C type; empty: the smallest type that fits

  int64_t size() const { return static_cast<int64_t>(type == Type::kFloat ? floats.size() : ints.size()); }
  /// C type of an element: "float", "signed char", "unsigned short" or "int".
  std::string c_type() const;
  int64_t bytes() const;
};

/// A weight matrix [rows, columns]. It is stored in column-major order, so that the inner loop of a product reads
/// adjacent elements.
struct CMatrix {
  std::string weights;  ///< name of the constant array
  std::string scales;   ///< int8 only: name of the array with one scale per row; empty: float weights
  int64_t rows = 0, columns = 0;
};

class CProgram {
 public:
  explicit CProgram(bool int8) : int8_(int8), names_(reserved()) {}

  bool has_int8() const { return int8_; }
  /// Returns a unique C name made of `text`.
  std::string name(std::string_view text) { return names_.take(text); }

  int add_buffer(CBuffer buffer);
  CBuffer& buffer(int at) { return buffers_[static_cast<size_t>(at)]; }
  const std::vector<CBuffer>& buffers() const { return buffers_; }
  int scratch(int64_t size, bool ints = false) { return add_buffer({.size = size, .ints = ints}); }
  /// Adds a state buffer with its initial values (empty: zeros), and returns its index.
  int state(const std::string& name, int64_t size, const std::vector<float>& initial);

  /// Adds a constant float array, and returns its name.
  std::string constant(const std::string& name, const std::vector<float>& values, const std::string& comment = "");
  /// Adds a constant array of integers, and returns its name. `type` is the C type; empty: "unsigned short" if all
  /// values fit, otherwise "int".
  std::string indexes(const std::string& name, const std::vector<int64_t>& values, const std::string& type = "");
  /// Adds a weight matrix from row-major `values`. With int8, the weights are quantised with one scale per row.
  CMatrix matrix(const std::string& name, int64_t rows, int64_t columns, const std::vector<float>& values);

  /// Adds an operation. An operation with a late buffer among its arguments becomes late, and so do the buffers that it
  /// writes.
  void add(COperation operation);
  void make_late(int at) { late_.insert(at); }
  bool is_late(int at) const { return late_.contains(at); }
  /// Adds an operation that copies buffer `from` to buffer `to`. `from` may be larger: then its first elements are
  /// copied.
  void add_copy(int from, int to, const std::string& comment);

  /// Removes unused operations and constants, and assigns memory to the scratch buffers.
  void arrange();

  const std::vector<COperation>& operations() const { return operations_; }
  const std::vector<CConstant>& constants() const { return constants_; }
  struct StateMember {
    int buffer;
    std::string initial;  ///< name of a constant array; empty: zeros
  };
  const std::vector<StateMember>& state() const { return state_; }
  int64_t scratch_floats() const { return scratch_floats_; }
  int64_t scratch_ints() const { return scratch_ints_; }
  int64_t weight_bytes() const;
  int64_t state_bytes() const;
  int64_t products(bool late) const;
  bool has_late() const;

  std::set<std::string> helpers;  ///< names of the helper functions that bodies call (c_functions.h)

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

}  // namespace longhand::exporters
