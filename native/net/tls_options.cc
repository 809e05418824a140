// Which files of hotrow/tls.h go together.
#include "hotrow/tls.h"

namespace hotrow {

namespace {

Status mismatch(const char* what) { return Status::invalid_argument(what); }

Status paired(const std::string& cert_file, const std::string& key_file) {
  if (cert_file.empty() == key_file.empty()) return {};
  return mismatch("tls: certFile and keyFile go together");
}

}  // namespace

Status ServerTls::validate() const {
  if (!used()) return {};
  HOTROW_RETURN_IF_ERROR(paired(cert_file, key_file));
  if (ca_file.empty() && psk_file.empty() && token_file.empty()) {
    return mismatch("tls: expected caFile, pskFile or tokenFile: how clients prove who they are");
  }
  if (cert_file.empty() && !(ca_file.empty() && token_file.empty())) {
    return mismatch("tls: caFile and tokenFile need certFile and keyFile: the server's own");
  }
  return {};
}

Status ClientTls::validate() const {
  if (!used()) return {};
  HOTROW_RETURN_IF_ERROR(paired(cert_file, key_file));
  if (!psk_file.empty()) {
    const bool alone =
        ca_file.empty() && cert_file.empty() && token_file.empty() && server_name.empty();
    return alone ? Status() : mismatch("tls: pskFile goes with no other field");
  }
  if (ca_file.empty())
    return mismatch("tls: expected pskFile or caFile: how servers prove who they are");
  if (cert_file.empty() == token_file.empty()) {
    return mismatch("tls: expected either certFile and keyFile or tokenFile beside caFile");
  }
  return {};
}

}  // namespace hotrow
