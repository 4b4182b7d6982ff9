// Files of torch.save: .pt, .pth, .ckpt and .bin, as a zip archive with a pickle, or in the format before PyTorch 1.6.
//
// Source: torch/serialization.py of PyTorch. Nothing in a file is executed: see pickle.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longhand/convert/pickle.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/array.h"

namespace longhand::convert {

/// A file in memory: the tree of its values, and the numbers of its tensors.
class TorchFile {
 public:
  /// Throws an input error for a file that is truncated, altered, or of another format (TorchScript among them), and
  /// for a pickle that asks for programs to run (see pickle.h), which it names.
  static TorchFile read(const std::string& path);
  /// The same for the contents of a file, which `name` stands for in errors.
  static TorchFile parse(std::string name, std::string bytes);

  const std::string& name() const { return name_; }
  const Pickle& values() const { return pickle_; }
  /// Bytes of the file.
  size_t size() const { return size_; }
  /// The numbers of tensor `index` of values().tensors(). Throws an input error where they are missing or too few.
  io::Array tensor(size_t index) const;

 private:
  void parse_zip();
  void parse_legacy();
  std::string storage_bytes(size_t storage) const;

  std::string name_;
  size_t size_ = 0;
  bool big_endian_ = false;
  // The pickle's texts are views of these, which stay where they are.
  std::unique_ptr<std::string> bytes_;
  std::unique_ptr<ZipFile> zip_;
  std::string folder_;                                      // of the archive's entries
  std::map<std::string_view, std::string_view> legacy_;     // storages by key
  std::vector<int> uses_;                                   // of each storage by tensors
  mutable std::map<std::string_view, std::string> shared_;  // storages of several tensors, once read
  Pickle pickle_;
};

/// Tensors by name.
struct StateDict {
  std::vector<std::pair<std::string, io::Array>> tensors;  ///< in the order of the file
  std::vector<std::string> others;  ///< names of values in the same dictionary that are no tensors
  bool of_module = false;           ///< the file has a whole module, whose parameters and buffers these are
  std::string place;                ///< "state_dict": where it was found in the file; empty: it is the whole file
  std::string prefix;               ///< "module.": what every name began with, and was removed; empty: nothing
};

/// Those of the prefixes module., _orig_mod., model., net. and their like that all names begin with, together.
std::string usual_prefix(const std::vector<std::string_view>& names);

/// Finds the state dict: a dictionary of tensors, or the parameters and buffers of a module, under a usual name such as
/// state_dict or model_state_dict, the only one, or the only one with recurrent layers. Nothing else of a module is
/// known, since its type is code. `key` names another, with points between ("model.ema"). Dictionaries of an
/// optimizer are left out. usual_prefix() is removed from the names.
/// Throws an input error where there is none, or several and no key; it names them. A tensor that is quantised or
/// sparse is an error, too.
StateDict find_state_dict(const TorchFile& file, const std::string& key = "");

/// Of a file, in one step.
StateDict read_state_dict(const std::string& path, const std::string& key = "");

}  // namespace longhand::convert
