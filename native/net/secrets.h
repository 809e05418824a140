// Secrets as files hold them. What they say is wiped from memory when it goes, and no message ever
// has any of it.
#ifndef HOTROW_NET_SECRETS_H_
#define HOTROW_NET_SECRETS_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hotrow/status.h"

namespace hotrow::net {

/// Text that is wiped when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(size_t bytes) : text_(bytes) {}
  explicit Secret(std::string_view text) : text_(text.begin(), text.end()) {}
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(text_, other.text_);
    return *this;
  }
  ~Secret();

  std::string_view view() const { return {text_.data(), text_.size()}; }
  char* data() { return text_.data(); }
  size_t size() const { return text_.size(); }

 private:
  std::vector<char> text_;
};

/// The file's text. ERR_INVALID_ARGUMENT, which begins with `option`, when it cannot be read, is no
/// plain file, is longer than 1 MiB, or may be read by others than its owner.
Result<Secret> read_secret_file(const std::string& option, const std::string& path);

/// As read_secret_file(), of a file that others may read, but not write.
Result<Secret> read_trusted_file(const std::string& option, const std::string& path);

/// Identities and their secrets.
using Secrets = std::map<std::string, Secret, std::less<>>;

/// Lines IDENTITY:SECRET as hotrow/tls.h has them. Keys come out as bytes.
Result<Secrets> read_psk_file(const std::string& option, const std::string& path);
Result<Secrets> read_token_file(const std::string& option, const std::string& path);

/// Is `token` that of `identity`? Takes as long whether it is or not, and whoever it is.
bool is_token_of(const Secrets& tokens, std::string_view identity, std::string_view token);

}  // namespace hotrow::net

#endif  // HOTROW_NET_SECRETS_H_
