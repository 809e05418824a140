// Credentials, as OpenSSL takes them.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <utility>

#include "net/tls.h"
#include "net/tls_callbacks.h"

namespace hotrow::net {

namespace {

// AES-128-GCM first: the cheapest with the processor's own instructions. A pre-shared key is bound
// to SHA-256, which the first and the last have.
constexpr const char* kCiphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr size_t kReadBufferBytes = size_t{64} << 10;
constexpr unsigned char kSessionContext[] = "hotrow";

/// OpenSSL's own words for the last error. It never names what a file holds.
std::string last_words() {
  const unsigned long error = ERR_peek_last_error();
  const char* words = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return words == nullptr ? "it is not understood" : words;
}

Status unusable(const char* option, const std::string& path) {
  return Status::invalid_argument(std::string(option) + ": '" + path +
                                  "' cannot be used: " + last_words());
}

/// No passphrase is ever asked for.
int no_passphrase(char*, int, int, void*) { return 0; }

/// What this copy of OpenSSL is never to do: read a configuration, which may be Node's, and tidy up
/// at exit, when threads may still be using it.
bool start_library() {
  static const bool kStarted =
      OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT |
                           OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                       nullptr) == 1;
  return kStarted;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext::TlsContext(bool is_server) : is_server_(is_server) {
  if (!start_library()) return;
  context_.reset(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const its = context_.get();
  if (its == nullptr) return;
  SSL_CTX_set_min_proto_version(its, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(its, kCiphers);
  // Nothing is resumed: whoever comes proves who it is.
  SSL_CTX_set_session_cache_mode(its, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(its, 0);
  if (is_server) {
    SSL_CTX_set_session_id_context(its, kSessionContext, sizeof kSessionContext - 1);
  }
  SSL_CTX_set_mode(its, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Several records by one call of the system.
  SSL_CTX_set_read_ahead(its, 1);
  SSL_CTX_set_default_read_buffer_len(its, kReadBufferBytes);
  SSL_CTX_set_default_passwd_cb(its, no_passphrase);
}

Status TlsContext::load_certificate(const std::string& cert_file, const std::string& key_file) {
  auto text = read_secret_file("keyFile", key_file);
  if (!text.ok()) return text.status();
  SSL_CTX* const its = context_.get();
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(its, cert_file.c_str()) != 1) {
    return unusable("certFile", cert_file);
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(
      BIO_new_mem_buf(text.value().data(), static_cast<int>(text.value().size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (key == nullptr || SSL_CTX_use_PrivateKey(its, key.get()) != 1) {
    return unusable("keyFile", key_file);
  }
  return {};
}

Status TlsContext::load_authorities(const std::string& ca_file) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1) {
    return unusable("caFile", ca_file);
  }
  return {};
}

Status TlsContext::load_keys(const std::string& psk_file) {
  auto keys = read_psk_file("pskFile", psk_file);
  if (!keys.ok()) return keys.status();
  if (!is_server_ && keys.value().size() != 1) {
    return Status::invalid_argument("pskFile: '" + psk_file + "' has several lines, a client one");
  }
  keys_ = std::move(keys).value();
  return {};
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const ServerTls& options) {
  const std::shared_ptr<TlsContext> made(new TlsContext(true));
  SSL_CTX* const its = made->get();
  if (its == nullptr) return Status(StatusCode::kInternal, "TLS cannot be started");
  if (!options.cert_file.empty()) {
    HOTROW_RETURN_IF_ERROR(made->load_certificate(options.cert_file, options.key_file));
  }
  if (!options.ca_file.empty()) {
    HOTROW_RETURN_IF_ERROR(made->load_authorities(options.ca_file));
    // Clients are told whose certificates are wanted.
    SSL_CTX_set_client_CA_list(its, SSL_load_client_CA_file(options.ca_file.c_str()));
    // Whoever shows none may still have a token, where there are some.
    const int must = options.token_file.empty() ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(its, SSL_VERIFY_PEER | must, accept_named);
  }
  if (!options.psk_file.empty()) {
    HOTROW_RETURN_IF_ERROR(made->load_keys(options.psk_file));
    SSL_CTX_set_psk_find_session_callback(its, find_key);
  }
  return std::shared_ptr<const TlsContext>(made);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const ClientTls& options) {
  const std::shared_ptr<TlsContext> made(new TlsContext(false));
  SSL_CTX* const its = made->get();
  if (its == nullptr) return Status(StatusCode::kInternal, "TLS cannot be started");
  // With a key no certificate is believed: no authority is known then.
  SSL_CTX_set_verify(its, SSL_VERIFY_PEER, nullptr);
  made->server_name_ = options.server_name;
  if (!options.psk_file.empty()) {
    HOTROW_RETURN_IF_ERROR(made->load_keys(options.psk_file));
    SSL_CTX_set_psk_use_session_callback(its, use_key);
    return std::shared_ptr<const TlsContext>(made);
  }
  HOTROW_RETURN_IF_ERROR(made->load_authorities(options.ca_file));
  if (!options.cert_file.empty()) {
    HOTROW_RETURN_IF_ERROR(made->load_certificate(options.cert_file, options.key_file));
  }
  return std::shared_ptr<const TlsContext>(made);
}

}  // namespace hotrow::net
