#include "longhand/convert/hdf5_writer.h"

#include <hdf5.h>

#include "longhand/base/error.h"

namespace longhand::convert {
namespace {

// Owns an HDF5 identifier and closes it.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id < 0) throw input_error("HDF5: expected a file in memory, found no place for it", "free some memory");
  }
  ~Hdf5Handle() { close_(id_); }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  hid_t id() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void write_array(hid_t file, const std::string& path, const graph::Array& array) {
  const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.id(), 1);
  if (path.ends_with('/')) {
    const Hdf5Handle group(H5Gcreate2(file, path.c_str(), links.id(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    return;
  }
  const std::vector<hsize_t> shape(array.dims.begin(), array.dims.end());
  const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const Hdf5Handle plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(plan.id(), false);  // no time stamps: equal arrays give equal bytes
  const Hdf5Handle set(H5Dcreate2(file, path.c_str(), H5T_IEEE_F32LE, space.id(), links.id(), plan.id(), H5P_DEFAULT),
                       H5Dclose);
  H5Dwrite(set.id(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.floats.data());
}

}  // namespace

std::string hdf5_bytes(const std::vector<std::pair<std::string, graph::Array>>& arrays) {
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access.id(), size_t{1} << 16, 0);
  const Hdf5Handle file(H5Fcreate("memory", H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), H5Fclose);
  for (const auto& [path, array] : arrays) write_array(file.id(), path, array);
  H5Fflush(file.id(), H5F_SCOPE_GLOBAL);
  const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
  if (size <= 0) throw input_error("HDF5: expected the file's bytes, found none", "free some memory");
  std::string out(static_cast<size_t>(size), '\0');
  H5Fget_file_image(file.id(), out.data(), out.size());
  return out;
}

}  // namespace longhand::convert
