// What OpenSSL calls: how it reads and writes a socket, and how it finds pre-shared keys.
#ifndef HOTROW_NET_TLS_CALLBACKS_H_
#define HOTROW_NET_TLS_CALLBACKS_H_

#include <openssl/ssl.h>

#include <string>

#include "net/secrets.h"

namespace hotrow::net {

/// What a connection's callbacks know; its SSL's application data.
struct TlsCalls {
  const Secrets& keys;
  std::string offered;  ///< identity of the last key that was found for a client
};

/// A socket that does not block, as OpenSSL sees it. Unlike OpenSSL's own, it raises no SIGPIPE.
/// Null when memory has run out.
BIO* socket_bio(int socket);

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
