#include "net/tls_callbacks.h"

#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace hotrow::net {

namespace {

constexpr size_t kMostSanBytes = 255;
constexpr unsigned char kCipher[] = {0x13, 0x01};  // TLS_AES_128_GCM_SHA256

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

TlsWire& wire_of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

int write_socket(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const int sent = wire_of(bio).write({bytes, static_cast<size_t>(size)});
  if (sent < 0 && would_block(errno)) BIO_set_retry_write(bio);
  return sent;
}

int read_socket(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const int came = wire_of(bio).read({bytes, static_cast<size_t>(size)});
  if (came < 0 && would_block(errno)) BIO_set_retry_read(bio);
  if (came == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return came;
}

long control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* const method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "socket");
    if (method == nullptr) return method;
    BIO_meth_set_write(method, write_socket);
    BIO_meth_set_read(method, read_socket);
    BIO_meth_set_ctrl(method, control);
    return method;
  }();
  return kMethod;
}

/// A key as the session that TLS 1.3 takes it for. Null when memory has run out.
SSL_SESSION* session_of(SSL* ssl, const Secret& key) {
  std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_SESSION_new(),
                                                                    SSL_SESSION_free);
  const SSL_CIPHER* const cipher = SSL_CIPHER_find(ssl, kCipher);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(key.view().data());
  if (session == nullptr || cipher == nullptr ||
      SSL_SESSION_set1_master_key(session.get(), bytes, key.size()) != 1 ||
      SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1) {
    return nullptr;
  }
  return session.release();
}

TlsCalls& calls_of(SSL* ssl) { return *static_cast<TlsCalls*>(SSL_get_app_data(ssl)); }

}  // namespace

int TlsWire::flush() {
  corked_ = false;
  while (waits()) {
    const ssize_t sent =
        ::send(socket_, kept_.data() + begin_, kept_.size() - begin_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return -1;
    begin_ += static_cast<size_t>(sent);
  }
  kept_.clear();
  begin_ = 0;
  return 0;
}

int TlsWire::write(std::span<const char> bytes) {
  if (corked_) {
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    return static_cast<int>(bytes.size());
  }
  // What was kept goes first.
  if (waits() && flush() != 0) return -1;
  return static_cast<int>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

int TlsWire::read(std::span<char> space) const {
  return static_cast<int>(::recv(socket_, space.data(), space.size(), 0));
}

BIO* bio_of(TlsWire& wire) {
  if (socket_method() == nullptr) return nullptr;
  BIO* const bio = BIO_new(socket_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &wire);
  BIO_set_init(bio, 1);
  return bio;
}

int find_key(SSL* ssl, const unsigned char* identity, size_t length, SSL_SESSION** session) {
  *session = nullptr;
  TlsCalls& calls = calls_of(ssl);
  const auto found =
      calls.keys.find(std::string_view(reinterpret_cast<const char*>(identity), length));
  if (found == calls.keys.end()) return 1;  // the client may have a certificate
  *session = session_of(ssl, found->second);
  if (*session == nullptr) return 0;
  calls.offered = found->first;
  return 1;
}

int use_key(SSL* ssl, const EVP_MD* hash, const unsigned char** identity, size_t* length,
            SSL_SESSION** session) {
  *session = nullptr;
  const auto& [name, key] = *calls_of(ssl).keys.begin();
  // Asked a second time, OpenSSL says which hash it must be.
  if (hash != nullptr && EVP_MD_is_a(hash, "SHA256") != 1) return 1;
  *session = session_of(ssl, key);
  if (*session == nullptr) return 0;
  *identity = reinterpret_cast<const unsigned char*>(name.data());
  *length = name.size();
  return 1;
}

std::string name_of(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const each = sk_GENERAL_NAME_value(names.get(), i);
    if (each->type != GEN_DNS && each->type != GEN_URI) continue;
    const ASN1_IA5STRING* const text = each->d.ia5;
    const std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                           static_cast<size_t>(ASN1_STRING_length(text)));
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
    return plain && name.size() <= kMostSanBytes ? name : std::string();
  }
  return {};
}

int accept_named(int accepted, X509_STORE_CTX* chain) {
  if (accepted != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) return accepted;
  X509* const certificate = X509_STORE_CTX_get_current_cert(chain);
  if (!name_of(certificate).empty()) return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace hotrow::net
