// Builds DNS messages byte by byte for tests, good and broken ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace whitewater::discovery {

inline void put_u16(std::string& out, std::uint16_t v) {
  out.push_back(static_cast<char>(v >> 8));
  out.push_back(static_cast<char>(v & 0xff));
}
inline void put_u32(std::string& out, std::uint32_t v) {
  put_u16(out, static_cast<std::uint16_t>(v >> 16));
  put_u16(out, static_cast<std::uint16_t>(v & 0xffff));
}
inline std::string dns_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    out.push_back(static_cast<char>(dot));
    out.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.push_back('\0');
  return out;
}
inline std::string dns_record(const std::string& owner, std::uint16_t type, std::uint32_t ttl,
                              const std::string& data) {
  std::string out = owner;
  put_u16(out, type);
  put_u16(out, 1);
  put_u32(out, ttl);
  put_u16(out, static_cast<std::uint16_t>(data.size()));
  return out + data;
}
inline std::string srv_data(std::uint16_t port, const std::string& target) {
  std::string out;
  put_u16(out, 0);
  put_u16(out, 33);
  put_u16(out, port);
  return out + target;
}

struct DnsMessage {
  std::uint16_t id = 0;
  std::uint16_t flags = 0x8580;
  std::string question = dns_name("_raft._tcp.ww") + std::string("\0\x21\0\x01", 4);
  std::string answers;
  std::uint16_t answer_count = 0;
  std::string authority;
  std::uint16_t authority_count = 0;
  std::string additional;
  std::uint16_t additional_count = 0;

  void srv(std::string_view target, std::uint16_t port = 8090, std::uint32_t ttl = 30) {
    answers += dns_record("\xc0\x0c", 33, ttl, srv_data(port, dns_name(target)));
    ++answer_count;
  }
  void a(std::string_view owner, const std::string& address, std::uint32_t ttl = 30) {
    additional += dns_record(dns_name(owner), address.size() == 4 ? 1 : 28, ttl, address);
    ++additional_count;
  }
  // Of a negative answer: its last number is the time for which the denial may be cached.
  void soa(std::string_view zone, std::uint32_t negative_ttl) {
    std::string data = dns_name("ns." + std::string(zone)) + dns_name("hostmaster." + std::string(zone));
    for (const std::uint32_t number : {1U, 7200U, 1800U, 86400U, negative_ttl}) put_u32(data, number);
    authority += dns_record(dns_name(zone), 6, negative_ttl, data);
    ++authority_count;
  }
  [[nodiscard]] std::string bytes() const {
    std::string out;
    put_u16(out, id);
    put_u16(out, flags);
    put_u16(out, question.empty() ? 0 : 1);
    put_u16(out, answer_count);
    put_u16(out, authority_count);
    put_u16(out, additional_count);
    return out + question + answers + authority + additional;
  }
};

}  // namespace whitewater::discovery
