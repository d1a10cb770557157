// ServiceAccount: what the kubelet puts into a pod's folder for its service account: token, CA bundle, namespace. The
// files are swapped behind a symbolic link at any time, so nothing is kept for long. A few kilobytes from a memory file
// system: reading them does not hold the reactor up. Owned by the KubernetesSource. The token appears in no text of
// this class, and must in none of its users.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/time.hpp"

namespace whitewater::discovery {

inline constexpr auto service_account_folder_default = "/var/run/secrets/kubernetes.io/serviceaccount";
inline constexpr base::Duration token_kept_max = base::seconds(60);

class ServiceAccount {
 public:
  explicit ServiceAccount(std::string folder) : folder_(std::move(folder)) {}

  // At most `token_kept_max` old. not_found when there is none; malformed when it cannot stand in a header field.
  [[nodiscard]] base::Result<std::string> token(base::Instant now);
  // The server refused it: the next call reads the file.
  void forget_token() { token_.clear(); }
  // PEM. Read anew each time. not_found, or malformed when it holds no certificate.
  [[nodiscard]] base::Result<std::string> ca_bundle() const;
  [[nodiscard]] base::Result<std::string> name_space() const;
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  std::string token_;
  base::Instant token_read_at_;
};

}  // namespace whitewater::discovery
