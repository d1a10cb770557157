// An authority and the certificates that it issues, made in memory for one test and valid for a day. Not for anything
// but tests.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

namespace whitewater::discovery {

struct IssuedCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);
  // `alternative_names` as OpenSSL writes them: "IP:127.0.0.1,DNS:kubernetes.default.svc".
  [[nodiscard]] IssuedCertificate issue(const std::string& alternative_names) const;
  [[nodiscard]] std::string certificate_pem() const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
};

}  // namespace whitewater::discovery
