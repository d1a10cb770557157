#include "discovery/dns_answer.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;
constexpr std::uint16_t type_srv = 33;
constexpr std::uint16_t class_in = 1;
constexpr std::uint8_t rcode_name_error = 3;
constexpr std::size_t header_bytes = 12;
constexpr int pointers_max = 32;                   // hops within one name
constexpr std::uint32_t ttl_seconds_max = 604800;  // a week; more is not believed

// Big-endian reader over the whole message, because names point into it.
class Reader {
 public:
  explicit Reader(std::string_view message) : message_(message) {}
  [[nodiscard]] bool ok() const { return ok_; }
  std::uint16_t u16() {
    if (!ok_ || message_.size() - at_ < 2) return fail();
    const auto value = static_cast<std::uint16_t>((byte(at_) << 8) | byte(at_ + 1));
    at_ += 2;
    return value;
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return (high << 16) | u16();
  }
  void skip(std::size_t n) {
    if (!ok_ || message_.size() - at_ < n) {
      fail();
      return;
    }
    at_ += n;
  }
  std::string_view bytes(std::size_t n) {
    const auto from = at_;
    skip(n);
    return ok_ ? message_.substr(from, n) : std::string_view();
  }
  // A name, followed through its compression pointers, in lower case without the root's dot. Each pointer must lie
  // before the place where the name so far began, so that no loop is possible. Bytes that no host name holds latch
  // `is_odd`.
  std::string name(bool& is_odd) {
    std::string out;
    std::size_t at = at_;
    std::size_t limit = at_;
    std::optional<std::size_t> end;
    for (int hops = 0; ok_;) {
      if (at >= message_.size()) break;
      const auto length = byte(at);
      if (length == 0) {
        at_ = end.value_or(at + 1);
        return out;
      }
      if ((length & 0xc0) == 0xc0) {
        if (at + 1 >= message_.size() || ++hops > pointers_max) break;
        const std::size_t target = ((length & 0x3fU) << 8) | byte(at + 1);
        if (!end) end = at + 2;
        if (target >= limit) break;
        limit = at = target;
        continue;
      }
      if ((length & 0xc0) != 0 || at + 1 + length > message_.size()) break;
      if (!out.empty()) out.push_back('.');
      for (std::size_t i = 0; i < length; ++i) {
        const auto c = static_cast<char>(byte(at + 1 + i));
        if (c == '.') is_odd = true;
        out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      }
      if (out.size() > host_name_bytes_max) break;
      at += 1 + length;
    }
    fail();
    return {};
  }
  [[nodiscard]] std::size_t at() const { return at_; }
  void seek(std::size_t at) { at_ = at; }

 private:
  [[nodiscard]] std::uint8_t byte(std::size_t at) const { return static_cast<std::uint8_t>(message_[at]); }
  std::uint16_t fail() {
    ok_ = false;
    return 0;
  }
  std::string_view message_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

struct Collected {
  std::map<HostPort, Candidate> peers;
  std::map<std::string, std::vector<std::string>> glue;
  std::optional<std::uint32_t> ttl_seconds;
  bool is_cut = false;
};

void take_srv(Reader& reader, std::uint32_t ttl_seconds, Collected& out) {
  reader.skip(4);  // priority and weight: every peer is equal
  const auto port = reader.u16();
  bool is_odd = false;
  auto host = reader.name(is_odd);
  if (!reader.ok() || is_odd || port == 0 || !is_host_valid(host)) return;
  if (out.peers.size() == candidates_max) {
    out.is_cut = true;
    return;
  }
  out.ttl_seconds = std::min(out.ttl_seconds.value_or(ttl_seconds), ttl_seconds);
  HostPort address{host, port};
  auto candidate = make_candidate(pod_name_of(host), address);
  out.peers.emplace(std::move(address), std::move(candidate));
}

void take_address(std::string_view data, const std::string& owner, Collected& out) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = data.size() == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, data.data(), text.data(), text.size()) == nullptr) return;
  auto& addresses = out.glue[owner];
  if (addresses.size() < addresses_per_candidate_max) addresses.emplace_back(text.data());
}

void take_record(Reader& reader, Collected& out) {
  bool is_odd = false;
  const auto owner = reader.name(is_odd);
  const auto type = reader.u16();
  const auto record_class = reader.u16();
  const auto ttl_seconds = std::min(reader.u32(), ttl_seconds_max);
  const auto length = reader.u16();
  const auto data_at = reader.at();
  const auto data = reader.bytes(length);
  if (!reader.ok() || record_class != class_in || is_odd) return;
  const auto end = reader.at();
  if (type == type_srv && length >= 7) {
    reader.seek(data_at);
    take_srv(reader, ttl_seconds, out);
    reader.seek(end);
  } else if ((type == type_a && length == 4) || (type == type_aaaa && length == 16)) {
    take_address(data, owner, out);
  }
}

}  // namespace

Result<SrvAnswer> decode_srv_answer(std::string_view message) {
  if (message.size() < header_bytes || message.size() > dns_message_bytes_max) return Errc::malformed;
  Reader reader(message);
  reader.skip(2);
  const auto flags = reader.u16();
  const auto questions = reader.u16();
  const std::size_t records = std::size_t{reader.u16()} + reader.u16() + reader.u16();
  if ((flags & 0x8000) == 0) return Errc::malformed;  // a question, not an answer
  const auto rcode = static_cast<std::uint8_t>(flags & 0x000f);
  if (rcode == rcode_name_error) return Errc::not_found;
  if (rcode != 0) return Errc::connection_lost;
  if (questions > 1) return Errc::malformed;
  const bool is_truncated = (flags & 0x0200) != 0;
  Collected collected;
  if (questions == 1) {
    bool is_odd = false;
    reader.name(is_odd);
    reader.skip(4);
  }
  for (std::size_t i = 0; i < records && reader.ok(); ++i) {
    if (i == dns_records_max) {
      collected.is_cut = true;
      break;
    }
    take_record(reader, collected);
  }
  // A truncated message may end inside a record; what came before it is good.
  if (!reader.ok() && !is_truncated) return Errc::malformed;
  if (collected.peers.empty()) return Errc::not_found;
  SrvAnswer answer;
  answer.ttl = base::seconds(collected.ttl_seconds.value_or(0));
  answer.is_partial = is_truncated || collected.is_cut;
  for (auto& [address, candidate] : collected.peers) {
    if (const auto glue = collected.glue.find(address.host); glue != collected.glue.end()) {
      candidate.addresses = glue->second;
    }
    answer.peers.push_back(std::move(candidate));
  }
  return answer;
}

std::string describe(const SrvAnswer& answer) {
  std::string text = std::to_string(answer.peers.size()) + " SRV targets";
  for (std::size_t i = 0; i < answer.peers.size(); ++i) text += (i == 0 ? ": " : ", ") + describe(answer.peers[i]);
  return text + (answer.is_partial ? " (partial)" : "");
}

}  // namespace whitewater::discovery
