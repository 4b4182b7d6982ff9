#include "longhand/fetch/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cstdio>

#include "longhand/base/error.h"

namespace longhand::fetch {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  LONGHAND_CHECK(state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  LONGHAND_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  LONGHAND_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out.append(1, kDigits[digest[i] / 16]).append(1, kDigits[digest[i] % 16]);
  return out;
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  Sha256 hash;
  std::array<char, 1 << 16> piece{};
  size_t n = 0;
  while (file && (n = std::fread(piece.data(), 1, piece.size(), file.get())) > 0) {
    hash.add(std::string_view(piece.data(), n));
  }
  if (!file || std::ferror(file.get()) != 0) throw input_error(path + ": cannot be read", "check its permissions");
  return hash.hex();
}

}  // namespace longhand::fetch
