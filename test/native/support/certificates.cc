#include "support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <stdexcept>
#include <utility>

namespace hotrow::test {

namespace {

namespace fs = std::filesystem;

void expect_done(bool done) {
  if (!done) throw std::runtime_error("a test's certificate could not be made");
}

void add(X509* certificate, int what, const std::string& value) {
  if (value.empty()) return;
  X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
  expect_done(made != nullptr && X509_add_ext(certificate, made, -1) == 1);
  X509_EXTENSION_free(made);
}

template <class Write>
std::string pem(const Write& write) {
  BIO* const memory = BIO_new(BIO_s_mem());
  expect_done(memory != nullptr && write(memory) == 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory, &text);
  std::string made(text, static_cast<size_t>(size));
  BIO_free(memory);
  return made;
}

std::string pem_of(X509* certificate) {
  return pem([&](BIO* memory) { return PEM_write_bio_X509(memory, certificate); });
}

}  // namespace

std::string write_file(const fs::path& path, const std::string& text, bool for_others) {
  fs::remove(path);
  std::ofstream(path) << text;
  const auto mine = fs::perms::owner_read | fs::perms::owner_write;
  fs::permissions(path, for_others ? mine | fs::perms::others_read : mine);
  return path;
}

void Authority::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void Authority::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

Authority::Authority(fs::path folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)), key_(EVP_EC_gen("P-256")) {
  certificate_ = sign(key_, name_, {}, nullptr, key_);
  write_file(ca_file(), pem_of(certificate_.get()));
}
Authority::~Authority() = default;

Authority::Certificate Authority::sign(const Key& key, const std::string& subject,
                                       const Wanted& wanted, const X509* issuer,
                                       const Key& issuer_key) {
  static long serial = 1;
  Certificate made(X509_new());
  X509* const its = made.get();
  expect_done(key != nullptr && its != nullptr && X509_set_version(its, 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(its), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(its), wanted.begins_s);
  X509_gmtime_adj(X509_getm_notAfter(its), wanted.ends_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(its), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
  X509_set_issuer_name(its, X509_get_subject_name(issuer == nullptr ? its : issuer));
  expect_done(X509_set_pubkey(its, key.get()) == 1);
  if (issuer == nullptr) add(its, NID_basic_constraints, "critical,CA:TRUE");
  add(its, NID_subject_alt_name, wanted.names);
  add(its, NID_ext_key_usage, wanted.use);
  expect_done(X509_sign(its, issuer_key.get(), EVP_sha256()) > 0);
  return made;
}

Issued Authority::issue(const std::string& name, const Wanted& wanted) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate made = sign(key, name, wanted, certificate_.get(), key_);
  const std::string key_text = pem([&](BIO* memory) {
    return PEM_write_bio_PrivateKey(memory, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return {.cert_file = write_file(file(name + ".pem"), pem_of(made.get())),
          .key_file = write_file(file(name + ".key"), key_text)};
}

}  // namespace hotrow::test
