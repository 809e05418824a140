// Certificates, keys and secret files for tests, made while they run.
#ifndef HOTROW_TEST_SUPPORT_CERTIFICATES_H_
#define HOTROW_TEST_SUPPORT_CERTIFICATES_H_

#include <filesystem>
#include <memory>
#include <string>

// OpenSSL's types.
struct evp_pkey_st;
struct x509_st;

namespace hotrow::test {

/// What a certificate is to say.
struct Wanted {
  std::string names;      ///< subjectAltName as OpenSSL writes it: "DNS:a,URI:b"; empty: none
  long begins_s = -3600;  ///< from now
  long ends_s = 3600;     ///< from now
  std::string use = "";   ///< extendedKeyUsage; empty: none
};

/// A certificate and its key, in files.
struct Issued {
  std::string cert_file;
  std::string key_file;
};

/// An authority with a certificate of its own, in a folder.
class Authority {
 public:
  Authority(std::filesystem::path folder, std::string name);
  ~Authority();

  /// PEM.
  std::string ca_file() const { return file("ca.pem"); }
  Issued issue(const std::string& name, const Wanted& wanted) const;

 private:
  std::string file(const std::string& name) const { return folder_ / (name_ + "-" + name); }

  struct Free {
    void operator()(evp_pkey_st* key) const;
    void operator()(x509_st* certificate) const;
  };
  using Key = std::unique_ptr<evp_pkey_st, Free>;
  using Certificate = std::unique_ptr<x509_st, Free>;
  static Certificate sign(const Key& key, const std::string& subject, const Wanted& wanted,
                          const x509_st* issuer, const Key& issuer_key);

  const std::filesystem::path folder_;
  const std::string name_;
  Key key_;
  Certificate certificate_;
};

/// Writes a file that its owner may read, or others too; its path.
std::string write_file(const std::filesystem::path& path, const std::string& text,
                       bool for_others = false);

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_CERTIFICATES_H_
