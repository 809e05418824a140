#include "net/secrets.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace hotrow::net {

namespace {

constexpr size_t kMostFileBytes = size_t{1} << 20;
constexpr size_t kMostNameBytes = 128;
constexpr size_t kLeastKeyBytes = 16;
constexpr size_t kMostKeyBytes = 64;
constexpr size_t kLeastTokenBytes = 16;
constexpr size_t kMostTokenBytes = 512;
constexpr mode_t kAnything = S_IRWXG | S_IRWXO;  // that others may do
constexpr mode_t kWriting = S_IWGRP | S_IWOTH;

Status wrong_file(const std::string& option, const std::string& path, const std::string& why) {
  return Status::invalid_argument(option + ": '" + path + "' " + why);
}

std::string reason_of(int error) { return std::generic_category().message(error); }

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Result<Secret> read_file(const std::string& option, const std::string& path, mode_t refused,
                         const char* why_refused) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat its{};
  if (file.fd < 0 || ::fstat(file.fd, &its) != 0) {
    return wrong_file(option, path, "cannot be read: " + reason_of(errno));
  }
  if (!S_ISREG(its.st_mode)) return wrong_file(option, path, "is not a plain file");
  if ((its.st_mode & refused) != 0) return wrong_file(option, path, why_refused);
  if (static_cast<uint64_t>(its.st_size) > kMostFileBytes) {
    return wrong_file(option, path, "is longer than 1 MiB");
  }
  Secret text(static_cast<size_t>(its.st_size));
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t came = ::read(file.fd, text.data() + size, text.size() - size);
    if (came < 0 && errno == EINTR) continue;
    if (came < 0) return wrong_file(option, path, "cannot be read: " + reason_of(errno));
    if (came == 0) return wrong_file(option, path, "was changed while it was read");
    size += static_cast<size_t>(came);
  }
  return Result<Secret>(std::move(text));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<Secret> key_of(std::string_view digits) {
  const auto not_one = Status::invalid_argument("is not 16 to 64 bytes in hexadecimal digits");
  if (digits.size() % 2 != 0 || digits.size() < 2 * kLeastKeyBytes ||
      digits.size() > 2 * kMostKeyBytes) {
    return not_one;
  }
  Secret key(digits.size() / 2);
  for (size_t i = 0; i < key.size(); ++i) {
    const int high = digit_of(digits[2 * i]);
    const int low = digit_of(digits[2 * i + 1]);
    if (high < 0 || low < 0) return not_one;
    key.data()[i] = static_cast<char>(high * 16 + low);
  }
  return Result<Secret>(std::move(key));
}

Result<Secret> token_of(std::string_view text) {
  if (text.size() < kLeastTokenBytes || text.size() > kMostTokenBytes || !is_printable(text)) {
    return Status::invalid_argument("is not 16 to 512 printable characters without spaces");
  }
  return Result<Secret>(Secret(text));
}

/// A line without the spaces at its ends.
std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kSpaces = " \t\r";
  const size_t first = line.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpaces) - first + 1);
}

template <class Read>
Result<Secrets> read_lines(const std::string& option, const std::string& path, const Read& read) {
  auto text = read_secret_file(option, path);
  if (!text.ok()) return text.status();
  Secrets secrets;
  std::string_view rest = text.value().view();
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == '#') continue;
    // Of the line itself nothing may be told.
    const auto wrong_line = [&](const std::string& what) {
      return wrong_file(option, path, "line " + std::to_string(number) + ": " + what);
    };
    // An identity may be a URI, a secret has no colon: that of a key, and here that of a token.
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) return wrong_line("expected IDENTITY:SECRET");
    const std::string_view identity = line.substr(0, colon);
    if (identity.empty() || identity.size() > kMostNameBytes || !is_printable(identity)) {
      return wrong_line("the identity is not 1 to 128 printable characters without spaces");
    }
    auto secret = read(line.substr(colon + 1));
    if (!secret.ok()) return wrong_line("the secret " + secret.status().message());
    if (!secrets.emplace(identity, std::move(secret).value()).second) {
      return wrong_line("the identity '" + std::string(identity) + "' appears twice");
    }
  }
  if (secrets.empty()) return wrong_file(option, path, "has no line IDENTITY:SECRET");
  return Result<Secrets>(std::move(secrets));
}

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest_of(std::string_view text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

Secret::~Secret() {
  if (!text_.empty()) OPENSSL_cleanse(text_.data(), text_.size());
}

Result<Secret> read_secret_file(const std::string& option, const std::string& path) {
  return read_file(option, path, kAnything, "may be read by others than its owner: chmod 600");
}

Result<Secret> read_trusted_file(const std::string& option, const std::string& path) {
  return read_file(option, path, kWriting, "may be written by others than its owner: chmod go-w");
}

Result<Secrets> read_psk_file(const std::string& option, const std::string& path) {
  return read_lines(option, path, key_of);
}

Result<Secrets> read_token_file(const std::string& option, const std::string& path) {
  return read_lines(option, path, token_of);
}

bool is_token_of(const Secrets& tokens, std::string_view identity, std::string_view token) {
  // Of digests, which are of one length; and of each, so that none is found sooner than others.
  const Digest its_name = digest_of(identity);
  const Digest its_token = digest_of(token);
  bool found = false;
  for (const auto& [name, secret] : tokens) {
    const Digest known_name = digest_of(name);
    const Digest known_token = digest_of(secret.view());
    const int differs = CRYPTO_memcmp(its_name.data(), known_name.data(), its_name.size()) |
                        CRYPTO_memcmp(its_token.data(), known_token.data(), its_token.size());
    found |= differs == 0;
  }
  return found;
}

}  // namespace hotrow::net
