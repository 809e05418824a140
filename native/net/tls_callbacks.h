// What OpenSSL calls: how it reads and writes a socket, and how it finds pre-shared keys.
#ifndef HOTROW_NET_TLS_CALLBACKS_H_
#define HOTROW_NET_TLS_CALLBACKS_H_

#include <openssl/ssl.h>

#include <span>
#include <string>
#include <vector>

#include "net/secrets.h"

namespace hotrow::net {

/// A socket that does not block, as OpenSSL sees it. Unlike OpenSSL's own, it raises no SIGPIPE,
/// and several records go out by one call of the system.
class TlsWire {
 public:
  explicit TlsWire(int socket) : socket_(socket) {}

  /// From now on what OpenSSL writes is kept, until flush().
  void cork() { corked_ = true; }
  /// Sends what was kept. As sendmsg(): -1 and errno where not all of it went.
  int flush();
  bool waits() const { return begin_ < kept_.size(); }

  int write(std::span<const char> bytes);
  int read(std::span<char> space) const;

 private:
  const int socket_;
  bool corked_ = false;
  std::vector<char> kept_;
  size_t begin_ = 0;
};

/// What a connection's callbacks know; its SSL's application data.
struct TlsCalls {
  const Secrets& keys;
  TlsWire wire;
  std::string offered;  ///< identity of the last key that was found for a client
};

/// The wire as OpenSSL takes it. Null when memory has run out.
BIO* bio_of(TlsWire& wire);

/// SSL_psk_find_session_cb_func of a server.
int find_key(SSL* ssl, const unsigned char* identity, size_t length, SSL_SESSION** session);
/// SSL_psk_use_session_cb_func of a client.
int use_key(SSL* ssl, const EVP_MD* hash, const unsigned char** identity, size_t* length,
            SSL_SESSION** session);

/// The first DNS name or URI of the subjectAltName; empty: there is none that can be used.
std::string name_of(X509* certificate);
/// SSL_verify_cb of a server: as OpenSSL says, and a client's certificate must name somebody.
int accept_named(int accepted, X509_STORE_CTX* chain);

}  // namespace hotrow::net

#endif  // HOTROW_NET_TLS_CALLBACKS_H_
