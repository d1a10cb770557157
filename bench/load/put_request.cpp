#include "load/put_request.hpp"

#include <charconv>

#include "api/base64.hpp"

namespace whitewater::bench {

PutRequest::PutRequest(const Writes& writes, bool asks_timing)
    : writes_(writes), extra_fields_(asks_timing ? "whitewater-timing: 1\r\n" : "") {
  api::append_base64(tail_base64_, writes.tail());
}

std::string PutRequest::text(std::string_view host, std::string_view key, std::uint64_t number) const {
  std::string body = R"({"key":")";
  api::append_base64(body, key);
  body += R"(","value":")";
  api::append_base64(body, writes_.head_of(number));
  body += tail_base64_;
  body += "\"}";
  std::string text;
  text.reserve(body.size() + 160);
  text.append("POST /v3/kv/put HTTP/1.1\r\nHost: ").append(host).append("\r\n").append(extra_fields_);
  text.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size()));
  text.append("\r\n\r\n").append(body);
  return text;
}

std::int64_t revision_in(std::string_view body) {
  static constexpr std::string_view name = R"("revision":")";
  const std::size_t at = body.find(name);
  std::int64_t revision = 0;
  if (at != std::string_view::npos)
    std::from_chars(body.data() + at + name.size(), body.data() + body.size(), revision);
  return revision;
}

}  // namespace whitewater::bench
