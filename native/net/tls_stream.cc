// One connection, as OpenSSL does it.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "net/tls.h"
#include "net/tls_callbacks.h"

namespace hotrow::net {

namespace {

constexpr int kFirstAlert = SSL_AD_REASON_OFFSET;

// What a server says of a client's certificate comes after the client's handshake.
bool is_about_credentials(int alert) {
  return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_ACCESS_DENIED) ||
         alert == SSL_AD_DECRYPT_ERROR || alert == SSL_AD_HANDSHAKE_FAILURE ||
         alert == SSL_AD_CERTIFICATE_REQUIRED;
}

Status lost(const std::string& why) {
  return {StatusCode::kUnavailable, "the connection is gone: " + why};
}

/// What the error that OpenSSL has put down says of the peer.
Status meaning_of(unsigned long error, bool is_server, bool shaken) {
  const std::string peer = is_server ? "the client" : "the server";
  const int reason = ERR_GET_REASON(error);
  const char* const words = ERR_reason_error_string(error);
  const std::string why = words == nullptr ? "it is not understood" : words;
  switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return lost(peer + " has cut it off without an end");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      if (!shaken) return {StatusCode::kProtocol, peer + " does not speak TLS"};
      break;
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return {StatusCode::kProtocol, peer + " does not speak TLS 1.3"};
    default:
      break;
  }
  if (reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION && !shaken) {
    return {StatusCode::kProtocol, peer + " does not speak TLS 1.3"};
  }
  if (reason >= kFirstAlert && (!shaken || is_about_credentials(reason - kFirstAlert))) {
    return {StatusCode::kDenied, peer + " refuses the connection: " + why};
  }
  // After the handshake: somebody between the two, or a broken network. Once more, then.
  if (shaken) return lost("TLS: " + why);
  return {StatusCode::kDenied, "no TLS connection with " + peer + ": " + why};
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, int socket)
    : context_(std::move(context)),
      calls_(new TlsCalls{.keys = context_->keys(), .wire = TlsWire(socket), .offered = {}}) {}

TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::make(std::shared_ptr<const TlsContext> context,
                                                   int socket, const std::string& host) {
  std::unique_ptr<TlsStream> made(new TlsStream(std::move(context), socket));
  HOTROW_RETURN_IF_ERROR(made->prepare(host));
  return Result<std::unique_ptr<TlsStream>>(std::move(made));
}

Status TlsStream::prepare(const std::string& host) {
  const MutexLock lock(mutex_);
  const Status no_memory = Status::capacity("no memory for a TLS connection");
  ERR_clear_error();
  ssl_.reset(SSL_new(context_->get()));
  BIO* const bio = ssl_ == nullptr ? nullptr : bio_of(calls_->wire);
  if (bio == nullptr) return no_memory;
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), calls_.get());
  if (context_->is_server()) {
    SSL_set_accept_state(ssl_.get());
    return {};
  }
  SSL_set_connect_state(ssl_.get());
  if (!context_->keys().empty()) return {};  // no certificate, no name
  const std::string& name = context_->server_name().empty() ? host : context_->server_name();
  // An address is looked for among a certificate's addresses, a name among its names.
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1) return {};
  ERR_clear_error();
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl_.get(), name.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) {
    return no_memory;
  }
  return {};
}

Result<TlsStream::Need> TlsStream::handshake() {
  const MutexLock lock(mutex_);
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done != 1) {
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ) return Need::kToRead;
    if (error == SSL_ERROR_WANT_WRITE) return Need::kToWrite;
    return failure(done);
  }
  HOTROW_RETURN_IF_ERROR(know_peer());
  shaken_ = true;
  return Need::kNothing;
}

Status TlsStream::know_peer() {
  const bool with_key = SSL_session_reused(ssl_.get()) == 1;
  if (!context_->is_server()) {
    // Without a certificate the key is all that says who the server is.
    if (context_->keys().empty() || with_key) return {};
    return {StatusCode::kDenied, "the server has not shown that it has this client's key"};
  }
  if (with_key) {
    identity_ = calls_->offered;
    return {};
  }
  X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return {};
  identity_ = name_of(certificate);  // not empty: see accept_named()
  return {};
}

Status TlsStream::failure(int returned) {
  const int saved = errno;
  dead_ = true;
  const int error = SSL_get_error(ssl_.get(), returned);
  const bool server = context_->is_server();
  const std::string peer = server ? "the client" : "the server";
  if (error == SSL_ERROR_ZERO_RETURN) {
    return {StatusCode::kUnavailable, peer + " has ended the connection"};
  }
  const unsigned long why = ERR_peek_error();
  Status status = why != 0     ? meaning_of(why, server, shaken_)
                  : saved != 0 ? lost(std::generic_category().message(saved))
                               : lost(peer + " has ended it");
  ERR_clear_error();
  const long verified = SSL_get_verify_result(ssl_.get());
  const bool ours =
      verified != X509_V_OK && !shaken_ && ERR_GET_REASON(why) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  if (!ours) return status;
  if (!context_->keys().empty()) {
    return {StatusCode::kDenied,
            peer + " does not know this client's key, and shows a certificate"};
  }
  return {StatusCode::kDenied, "the certificate of " + peer +
                                   " is not accepted: " + X509_verify_cert_error_string(verified)};
}

Result<size_t> TlsStream::read_some(std::span<std::byte> space) {
  ERR_clear_error();
  size_t came = 0;
  const int done = SSL_read_ex(ssl_.get(), space.data(), space.size(), &came);
  if (done == 1) return came;
  const int error = SSL_get_error(ssl_.get(), done);
  read_need_ = error == SSL_ERROR_WANT_READ    ? Need::kToRead
               : error == SSL_ERROR_WANT_WRITE ? Need::kToWrite
                                               : Need::kNothing;
  if (read_need_ != Need::kNothing) return size_t{0};
  return failure(done);
}

Result<size_t> TlsStream::read(std::span<std::byte> first, std::span<std::byte> second) {
  const MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  size_t total = 0;
  read_need_ = Need::kNothing;
  for (std::span<std::byte> space : {first, second}) {
    while (!space.empty()) {
      auto came = read_some(space);
      if (!came.ok()) {
        if (total == 0) return came;
        failed_ = came.status();
        return total;
      }
      if (came.value() == 0) return total;
      total += came.value();
      space = space.subspan(came.value());
    }
  }
  return total;
}

TlsStream::Need TlsStream::read_need() const {
  const MutexLock lock(mutex_);
  return read_need_;
}

bool TlsStream::drained() const {
  const MutexLock lock(mutex_);
  // The last read may have taken exactly what there was.
  return failed_.ok() && (read_need_ != Need::kNothing || SSL_has_pending(ssl_.get()) == 0);
}

std::span<const std::byte> TlsStream::next_record(std::span<const iovec> pieces, size_t skip) {
  const iovec& first = pieces.front();
  const auto* const bytes = static_cast<const std::byte*>(first.iov_base) + skip;
  const size_t size = std::min(first.iov_len - skip, kRecordBytes);
  if (size == kRecordBytes || pieces.size() == 1) return {bytes, size};
  if (record_ == nullptr) record_ = std::make_unique<std::array<std::byte, kRecordBytes>>();
  size_t filled = 0;
  for (const iovec& piece : pieces) {
    const size_t n = std::min(piece.iov_len - skip, kRecordBytes - filled);
    if (n > 0) {
      std::memcpy(record_->data() + filled, static_cast<const std::byte*>(piece.iov_base) + skip,
                  n);
    }
    filled += n;
    skip = 0;
  }
  return {record_->data(), filled};
}

// What was encrypted counts as taken once all of it has gone: whoever gets 0 comes again with it.
Result<size_t> TlsStream::flush() {
  if (calls_->wire.flush() == 0) return std::exchange(owed_, 0);
  if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
  dead_ = true;
  return lost(std::generic_category().message(errno));
}

Result<size_t> TlsStream::write(std::span<const iovec> pieces) {
  const MutexLock lock(mutex_);
  if (owed_ > 0) return flush();
  uint64_t left = 0;
  for (const iovec& piece : pieces) left += piece.iov_len;
  if (left > kRecordBytes) calls_->wire.cork();
  size_t skip = 0;  // of the first piece
  for (size_t i = 0; i < kRecordsAtOnce && left > 0; ++i) {
    while (skip >= pieces.front().iov_len) {
      skip -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    const auto record = next_record(pieces, skip);
    ERR_clear_error();
    size_t sent = 0;
    const int done = SSL_write_ex(ssl_.get(), record.data(), record.size(), &sent);
    if (done != 1) {
      const int error = SSL_get_error(ssl_.get(), done);
      if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) break;
      return failure(done);
    }
    owed_ += sent;
    skip += sent;
    left -= sent;
  }
  return flush();
}

void TlsStream::finish() {
  const MutexLock lock(mutex_);
  if (!shaken_ || dead_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace hotrow::net
