// TLS 1.3 between servers and clients: who they are, and the files that prove it.
//
// Secrets lie in files only. One that holds a key or token is refused when anybody but its owner
// may read it (chmod 600). Files are read once, when a server starts or a client connects.
//
// Three kinds of credentials, of which a server may take several and a client has one:
// - certificates of both sides, signed by an authority that the other side trusts. A client's
//   identity is the first DNS name or URI of its certificate's subjectAltName;
// - a key that both have, without any certificate (a pre-shared key of TLS 1.3);
// - a token, which the client sends once it has verified the server's certificate.
//
// Key and token files have lines IDENTITY:SECRET; empty lines and those that begin with # are
// passed over. A key is 16 to 64 bytes in hexadecimal digits, a token 16 to 512 printable ones.
#ifndef HOTROW_TLS_H_
#define HOTROW_TLS_H_

#include <string>

#include "hotrow/status.h"

namespace hotrow {

/// Of a server; names of files. None: it speaks plainly, and only on addresses of its machine.
struct ServerTls {
  std::string cert_file;   ///< the server's certificate and those between it and its authority, PEM
  std::string key_file;    ///< of the certificate, PEM without a passphrase
  std::string ca_file;     ///< authorities whose certificates clients may have, PEM
  std::string psk_file;    ///< keys of clients
  std::string token_file;  ///< tokens of clients
  /// What each identity may do, JSON (docs/FORMATS.md). None: all are trainers.
  std::string access_file;

  bool used() const { return *this != ServerTls(); }
  Status validate() const;
  bool operator==(const ServerTls&) const = default;
};

/// Of a client; names of files. None: it speaks plainly, and only to addresses of its machine.
struct ClientTls {
  std::string ca_file;      ///< authorities whose certificates servers may have, PEM
  std::string cert_file;    ///< the client's certificate, PEM
  std::string key_file;     ///< of the certificate, PEM without a passphrase
  std::string psk_file;     ///< one line: the client's key. No other field but this then
  std::string token_file;   ///< one line: the client's token
  std::string server_name;  ///< that the server's certificate has; empty: the host of its address

  bool used() const { return *this != ClientTls(); }
  Status validate() const;
  bool operator==(const ClientTls&) const = default;
};

}  // namespace hotrow

#endif  // HOTROW_TLS_H_
