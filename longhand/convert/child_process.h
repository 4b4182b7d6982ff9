// Runs a library that is not safe from hostile files where it can do no harm: in a process of its own, with limits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace longhand::convert {

/// Numbers and texts to another process, through a file in memory.
class MessageWriter {
 public:
  explicit MessageWriter(int file) : file_(file) {}
  void number(uint64_t value) { raw({reinterpret_cast<const char*>(&value), sizeof(value)}); }
  /// Its length, then its bytes.
  void text(std::string_view bytes);
  void flush();
  /// Takes back everything.
  void restart();

 private:
  void raw(std::string_view bytes);
  int file_;
  std::string buffer_;
};

/// What the other process wrote. Nothing of it is trusted: all functions throw an input error naming `name` where
/// something is missing.
class MessageReader {
 public:
  MessageReader(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}
  uint64_t number();
  std::string_view text();
  bool at_end() const { return rest_.empty(); }
  [[noreturn]] void fail() const;

 private:
  std::string_view take(uint64_t size);
  std::string_view rest_;
  const std::string& name_;
};

struct ChildLimits {
  uint64_t memory = 0;   ///< bytes beyond what this process has
  uint64_t seconds = 0;  ///< of processor time
};

/// Runs `work` in a child process whose standard output and error lead nowhere, and then `use` here on what it wrote.
/// An Error that `work` throws is thrown here. Throws an input error naming `name` where the child crashes, or exceeds
/// its limits: then the file is damaged.
void in_child_process(const std::string& name, const ChildLimits& limits,
                      const std::function<void(MessageWriter&)>& work, const std::function<void(MessageReader&)>& use);

}  // namespace longhand::convert
