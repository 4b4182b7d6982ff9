// HDF5 files that tests read, made with the library: the bytes of each.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::testing {

/// Makes a file in memory, as small as the format allows, and fills it by `fill(file)`.
template <class Fill>
std::string hdf5_bytes(const Fill& fill) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 12, 0);
  H5Pset_meta_block_size(access, 0);
  H5Pset_small_data_block_size(access, 0);
  const hid_t layout = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_sym_k(layout, 2, 2);
  H5Pset_istore_k(layout, 2);
  const hid_t file = H5Fcreate("made", H5F_ACC_TRUNC, layout, access);
  fill(file);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::string out(static_cast<size_t>(H5Fget_file_image(file, nullptr, 0)), '\0');
  H5Fget_file_image(file, out.data(), out.size());
  H5Fclose(file);
  H5Pclose(layout);
  H5Pclose(access);
  return out;
}

inline void write_hdf5(hid_t where, const char* name, hid_t stored, hid_t type, std::vector<hsize_t> shape,
                       const void* data, hid_t plan = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t groups = H5Pcreate(H5P_LINK_CREATE);  // those that the name goes through
  H5Pset_create_intermediate_group(groups, 1);
  const hid_t set = H5Dcreate2(where, name, stored, space, groups, plan, H5P_DEFAULT);
  H5Pclose(groups);
  if (data != nullptr) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  H5Dclose(set);
  H5Sclose(space);
}

inline void write_attribute(hid_t where, const char* name, hid_t type, hid_t space, const void* data) {
  const hid_t attribute = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (data != nullptr) H5Awrite(attribute, type, data);
  H5Aclose(attribute);
  H5Sclose(space);
}

// Numbers of several types, packed, big-endian; texts of fixed and variable length.
inline std::string small_hdf5() {
  return hdf5_bytes([](hid_t file) {
    const hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const float numbers[] = {1, 2, 3, 4, 5, 6};
    write_hdf5(group, "numbers", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {2, 3}, numbers);
    const int64_t big[] = {1, 2, 3};
    write_hdf5(group, "big", H5T_STD_I16BE, H5T_NATIVE_INT64, {3}, big);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 100;
    H5Pset_chunk(plan, 1, &chunk);
    H5Pset_shuffle(plan);
    H5Pset_deflate(plan, 6);
    const std::vector<double> packed(1000, 0.5);
    write_hdf5(group, "packed", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {1000}, packed.data(), plan);
    H5Pclose(plan);
    const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const uint16_t halves[] = {0x3E00, 0xC000};
    write_hdf5(group, "half", half, half, {2}, halves);
    H5Tclose(half);
    const hid_t truth = H5Tenum_create(H5T_NATIVE_INT8);
    const int8_t values[] = {0, 1};
    H5Tenum_insert(truth, "FALSE", values);
    H5Tenum_insert(truth, "TRUE", values + 1);
    write_hdf5(group, "truth", truth, truth, {2}, values);
    H5Tclose(truth);
    H5Gclose(group);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 3);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    const hsize_t two = 2;
    write_attribute(file, "fixed", text, H5Screate_simple(1, &two, nullptr), "abcde");
    H5Tset_size(text, H5T_VARIABLE);
    const char* longer = "a longer text";
    write_attribute(file, "variable", text, H5Screate(H5S_SCALAR), &longer);
    H5Tclose(text);
    const int32_t units = 7;
    write_attribute(file, "units", H5T_NATIVE_INT32, H5Screate(H5S_SCALAR), &units);
    write_attribute(file, "nothing", H5T_NATIVE_FLOAT, H5Screate(H5S_NULL), nullptr);
  });
}

// Links, and types, that are not read.
inline std::string strange_hdf5() {
  return hdf5_bytes([](hid_t file) {
    H5Lcreate_soft("/", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/", file, "external", H5P_DEFAULT, H5P_DEFAULT);
    const hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(pair, "a", 0, H5T_NATIVE_FLOAT);
    H5Tinsert(pair, "b", 4, H5T_NATIVE_FLOAT);
    const float values[] = {1, 2};
    write_hdf5(file, "compound", pair, pair, {1}, values);
    H5Tclose(pair);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(plan, "/etc/passwd", 0, 64);
    write_hdf5(file, "elsewhere", H5T_NATIVE_FLOAT, H5T_NATIVE_FLOAT, {16}, nullptr, plan);
    H5Pclose(plan);
  });
}

// A group that holds the one it is in.
inline std::string cyclic_hdf5() {
  return hdf5_bytes([](hid_t file) {
    const hid_t group = H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "a", group, "b", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
  });
}

// An array in chunks of which none was written.
inline std::string huge_hdf5(int64_t count) {
  return hdf5_bytes([&](hid_t file) {
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 16;
    H5Pset_chunk(plan, 1, &chunk);
    write_hdf5(file, "huge", H5T_NATIVE_FLOAT, H5T_NATIVE_FLOAT, {static_cast<hsize_t>(count)}, nullptr, plan);
    H5Pclose(plan);
  });
}

inline std::string deep_hdf5(int depth) {
  return hdf5_bytes([&](hid_t file) {
    std::string path;
    for (int i = 0; i < depth; ++i) {
      path += "/g";
      H5Gclose(H5Gcreate2(file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
  });
}

}  // namespace longhand::testing
