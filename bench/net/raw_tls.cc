#include "raw_tls.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <vector>

#include "net/tuning.h"
#include "sockets.h"

namespace hotrow::bench {

namespace {

struct TlsHead {
  uint64_t bytes = 0;  // that follow
};

constexpr unsigned char kIdentity[] = "bench";
constexpr unsigned char kKey[] = "a key of this benchmark's own, 32";
constexpr unsigned char kCipher[] = {0x13, 0x01};  // TLS_AES_128_GCM_SHA256
constexpr size_t kMostBytes = size_t{1} << 24;

SSL_SESSION* known_session(SSL* ssl) {
  SSL_SESSION* const session = SSL_SESSION_new();
  SSL_SESSION_set1_master_key(session, kKey, 32);
  SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, kCipher));
  SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
  return session;
}

int find_session(SSL* ssl, const unsigned char*, size_t, SSL_SESSION** session) {
  *session = known_session(ssl);
  return 1;
}

int use_session(SSL* ssl, const EVP_MD*, const unsigned char** identity, size_t* length,
                SSL_SESSION** session) {
  *session = known_session(ssl);
  *identity = kIdentity;
  *length = sizeof kIdentity - 1;
  return 1;
}

SSL_CTX* new_context(bool server) {
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX* const context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, size_t{64} << 10);
  if (server) {
    SSL_CTX_set_psk_find_session_callback(context, find_session);
  } else {
    SSL_CTX_set_psk_use_session_callback(context, use_session);
  }
  return context;
}

bool read_all(SSL* ssl, void* bytes, size_t size) {
  for (size_t done = 0, came = 0; done < size; done += came) {
    if (SSL_read_ex(ssl, static_cast<std::byte*>(bytes) + done, size - done, &came) != 1) {
      return false;
    }
  }
  return true;
}

bool write_all(SSL* ssl, const void* bytes, size_t size) {
  size_t sent = 0;
  return SSL_write_ex(ssl, bytes, size, &sent) == 1;  // blocks until all has gone
}

}  // namespace

void serve_raw_tls(uint32_t dim, const Child::Ready& ready) {
  uint16_t port = 0;
  const int listener = listen_on_loopback(port);
  SSL_CTX* const context = new_context(true);
  std::vector<std::byte> reply(kMostBytes, std::byte{1});
  std::vector<std::byte> request(kMostBytes);
  ready(port);
  while (true) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) fail("a connection is refused");
    net::tune(socket, true);
    SSL* const ssl = SSL_new(context);
    SSL_set_fd(ssl, socket);
    TlsHead head;
    bool well = SSL_accept(ssl) == 1;
    while (well && read_all(ssl, &head, sizeof head) && head.bytes <= kMostBytes &&
           read_all(ssl, request.data(), head.bytes)) {
      head.bytes = head.bytes / sizeof(uint64_t) * dim * sizeof(float);
      std::memcpy(reply.data(), &head, sizeof head);
      well = write_all(ssl, reply.data(), sizeof head + head.bytes);
    }
    SSL_free(ssl);
    ::close(socket);
  }
}

void RawTlsClient::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

RawTlsClient::RawTlsClient(uint16_t port) : socket_(connect_to_loopback(port)) {
  ::fcntl(socket_, F_SETFL, 0);  // blocks
  ssl_.reset(SSL_new(new_context(false)));
  SSL_set_fd(ssl_.get(), socket_);
  if (SSL_connect(ssl_.get()) != 1 || SSL_session_reused(ssl_.get()) != 1) {
    fail("the bare socket's TLS does not work");
  }
}

void RawTlsClient::send(std::span<const uint64_t> keys) {
  std::vector<uint64_t> request(1 + keys.size());
  request[0] = keys.size_bytes();
  std::copy(keys.begin(), keys.end(), request.begin() + 1);
  if (!write_all(ssl_.get(), request.data(), request.size() * sizeof(uint64_t))) {
    fail("a server is gone");
  }
}

void RawTlsClient::receive(std::span<float> rows) {
  TlsHead head;
  if (!read_all(ssl_.get(), &head, sizeof head) || head.bytes != rows.size_bytes() ||
      !read_all(ssl_.get(), rows.data(), rows.size_bytes())) {
    fail("a raw reply over TLS is not as expected");
  }
}

const char* RawTlsClient::cipher() const { return SSL_get_cipher_name(ssl_.get()); }

}  // namespace hotrow::bench
