#include "discovery/service_account.hpp"

#include <fstream>
#include <optional>

#include "discovery/candidate.hpp"
#include "net/http_message.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

constexpr std::size_t file_bytes_max = 1UL << 20;  // a bundle of many authorities

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Errc::not_found;
  std::string text(file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_bytes_max) return Errc::limit_exceeded;
  return text;
}

Result<std::string> read_word(const std::string& path) {
  auto text = read_file(path);
  if (!text) return text;
  const auto first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return Errc::not_found;
  return text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Result<std::string> ServiceAccount::token(base::Instant now) {
  if (!token_.empty() && now - token_read_at_ < token_kept_max) return token_;
  auto token = read_word(folder_ + "/token");
  if (!token) return token;
  if (!net::is_field_text(*token)) return Errc::malformed;
  token_ = std::move(*token);
  token_read_at_ = now;
  return token_;
}

Result<std::string> ServiceAccount::ca_bundle() const {
  auto text = read_file(folder_ + "/ca.crt");
  if (text && text->find("-----BEGIN CERTIFICATE-----") == std::string::npos) return Errc::malformed;
  return text;
}

Result<std::string> ServiceAccount::name_space() const {
  auto text = read_word(folder_ + "/namespace");
  if (text && !is_host_valid(*text)) return Errc::malformed;
  return text;
}

}  // namespace whitewater::discovery
