// The files of a server with every kind of credential and of its clients, in a folder.
#ifndef HOTROW_TEST_SUPPORT_TLS_FILES_H_
#define HOTROW_TEST_SUPPORT_TLS_FILES_H_

#include <string>

#include "hotrow/tls.h"
#include "support/certificates.h"
#include "support/folder.h"

namespace hotrow::test {

inline constexpr const char* kServerNames = "DNS:localhost,IP:127.0.0.1";

struct TlsFiles {
  static inline const std::string kKey = "00112233445566778899aabbccddeeff0011";
  static inline const std::string kToken = "wQ3-yq8RzK_41aTnPp0s";

  Folder folder;
  Authority authority{folder.path(), "authority"};
  Authority stranger{folder.path(), "stranger"};
  Issued server = authority.issue("server", {.names = kServerNames, .use = "serverAuth"});
  Issued client = authority.issue("client", {.names = "DNS:by-cert,URI:spiffe://x"});
  std::string psks = write_file(folder / "psks", "# keys\n\nurn:x:by-key:" + kKey +
                                                     "\nother:ffeeddccbbaa99887766554433221100\n");
  std::string tokens =
      write_file(folder / "tokens", "by-token:" + kToken + "\nother:0123456789abcdef\n");

  /// Takes certificates, keys and tokens.
  ServerTls every() const {
    return {.cert_file = server.cert_file,
            .key_file = server.key_file,
            .ca_file = authority.ca_file(),
            .psk_file = psks,
            .token_file = tokens};
  }
  ServerTls by_certificate_only() const {
    return {
        .cert_file = server.cert_file, .key_file = server.key_file, .ca_file = authority.ca_file()};
  }
  ClientTls with(const Issued& certificate) const {
    return {.ca_file = authority.ca_file(),
            .cert_file = certificate.cert_file,
            .key_file = certificate.key_file};
  }
  ClientTls with_certificate() const { return with(client); }
  ClientTls with_key(const std::string& line = "urn:x:by-key:" + kKey) const {
    return {.psk_file = write_file(folder / "key", line)};
  }
  ClientTls with_token(const std::string& line = "by-token:" + kToken) const {
    return {.ca_file = authority.ca_file(), .token_file = write_file(folder / "token", line)};
  }
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_TLS_FILES_H_
