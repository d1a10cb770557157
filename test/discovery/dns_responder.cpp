#include "dns_responder.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "dns_message.hpp"

namespace whitewater::discovery {

namespace asio = boost::asio;

DnsResponder::DnsResponder(net::Executor executor) : tasks_(executor), udp_(executor), tcp_(executor) {
  const auto loopback = asio::ip::make_address("127.0.0.1");
  // The kernel gives a free TCP port; the same number is then almost always free for UDP.
  for (int i = 0; i < 20; ++i) {
    tcp_ = net::TcpAcceptor(executor, net::Endpoint(loopback, 0));
    port_ = tcp_.local_endpoint().port();
    boost::system::error_code error;
    udp_.open(Udp::v4(), error);
    udp_.bind(Udp::endpoint(loopback, port_), error);
    if (!error) return;
    udp_.close(error);
  }
  throw std::runtime_error("no port is free for UDP and TCP");
}

DnsResponder::~DnsResponder() = default;

void DnsResponder::add(const std::string& host, const std::string& address) { records_.hosts[host] = address; }

void DnsResponder::publish(const std::string& host, bool is_published) {
  if (is_published) {
    records_.published.insert(host);
  } else {
    records_.published.erase(host);
  }
}

void DnsResponder::set_ready(const std::string& host, bool is_ready) {
  if (is_ready) {
    records_.not_ready.erase(host);
  } else {
    records_.not_ready.insert(host);
  }
}

void DnsResponder::freeze(bool is_frozen) {
  frozen_.reset();
  if (is_frozen) frozen_ = records_;
}

int DnsResponder::count_asked(const std::string& question) const {
  return static_cast<int>(std::count(asked.begin(), asked.end(), question));
}

void DnsResponder::stop() { tasks_.cancel(); }

net::Awaitable<void> DnsResponder::run() {
  tasks_.spawn(serve_udp());
  tasks_.spawn(serve_tcp());
  co_await tasks_.join();
}

std::vector<std::string> DnsResponder::srv_targets(bool is_tcp) {
  const Records& records = frozen_ ? *frozen_ : records_;
  std::vector<std::string> targets;
  for (const auto& host : records.published) {
    if (!knobs.ready_only || !records.not_ready.contains(host)) targets.push_back(host);
  }
  if (knobs.subset_size != 0 && knobs.subset_size < targets.size()) {
    std::vector<std::string> part;
    for (std::size_t i = 0; i < knobs.subset_size; ++i) part.push_back(targets[subset_at_++ % targets.size()]);
    targets = std::move(part);
  }
  if (!is_tcp && targets.size() > knobs.udp_targets_max) targets.resize(knobs.udp_targets_max);
  return targets;
}

bool DnsResponder::is_denied_from_cache(const std::string& question) {
  const auto denied = denied_until_.find(question);
  return denied != denied_until_.end() && net::now() < denied->second;
}

std::string DnsResponder::answer(std::string_view query, bool is_tcp) {
  if (query.size() < 17) return {};
  std::string name;
  std::size_t at = 12;
  while (at < query.size() && query[at] != 0) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(query[at]));
    name += (name.empty() ? "" : ".") + std::string(query.substr(at + 1, length));
    at += 1 + length;
  }
  const auto type = static_cast<unsigned char>(query[at + 2]);
  const auto question = std::to_string(type) + " " + name;
  asked.push_back((is_tcp ? "tcp " : "") + question);
  if (knobs.sends_garbage) return std::string(query.substr(0, 2)) + "\x85\x80 and then nothing that makes sense";
  DnsMessage message;
  message.id =
      static_cast<std::uint16_t>((static_cast<unsigned char>(query[0]) << 8) | static_cast<unsigned char>(query[1]));
  message.question = std::string(query.substr(12, at + 5 - 12));
  message.flags = static_cast<std::uint16_t>(0x8580 | knobs.rcode);
  if (knobs.rcode != 0) return message.bytes();
  const Records& records = frozen_ ? *frozen_ : records_;
  const auto address_of = [&](const std::string& host) {
    const auto bytes = asio::ip::make_address_v4(records.hosts.at(host)).to_bytes();
    return std::string(bytes.begin(), bytes.end());
  };
  const auto targets = type == 33 ? srv_targets(is_tcp) : std::vector<std::string>();
  const bool is_there = type == 33 ? !targets.empty() : records.hosts.contains(name);
  if (!is_there || is_denied_from_cache(question)) {
    if (!is_there) denied_until_[question] = net::now() + knobs.denies_again_for;
    message.flags |= 3;
  } else if (type == 33) {
    for (const auto& host : targets) {
      message.srv(host, 8090, knobs.ttl_seconds);
      if (knobs.has_glue && records.hosts.contains(host)) message.a(host, address_of(host), knobs.ttl_seconds);
    }
    if (!is_tcp && knobs.truncates_udp) {
      message.flags |= 0x0200;
      message.answers.clear();
      message.additional.clear();
      message.answer_count = message.additional_count = 0;
    }
  } else if (type == 1) {
    message.answers = dns_record("\xc0\x0c", 1, knobs.ttl_seconds, address_of(name));
    message.answer_count = 1;
  }
  if (message.answer_count == 0 && (message.flags & 0x0200) == 0) {
    message.soa("cluster.local", knobs.negative_ttl_seconds);
  }
  return message.bytes();
}

net::Awaitable<void> DnsResponder::serve_udp() {
  std::array<char, 4096> buffer{};
  while (true) {
    Udp::endpoint from;
    const auto size = co_await udp_.async_receive_from(asio::buffer(buffer), from, net::use_awaitable);
    const auto reply = answer(std::string_view(buffer.data(), size), false);
    if (knobs.drops_udp || reply.empty()) continue;
    if (knobs.delay > base::Duration(0)) co_await net::sleep_for(knobs.delay);
    co_await udp_.async_send_to(asio::buffer(reply), from, net::use_awaitable);
  }
}

net::Awaitable<void> DnsResponder::serve_tcp() {
  while (true) {
    auto socket = co_await tcp_.async_accept(net::use_awaitable);
    tasks_.spawn(serve_connection(std::move(socket)));
  }
}

net::Awaitable<void> DnsResponder::serve_connection(net::TcpSocket socket) {
  while (true) {
    std::array<unsigned char, 2> size{};
    const auto [error, n] = co_await asio::async_read(socket, asio::buffer(size), net::as_result);
    if (error) co_return;
    std::string query(static_cast<std::size_t>((size[0] << 8) | size[1]), '\0');
    const auto [read_error, read] = co_await asio::async_read(socket, asio::buffer(query), net::as_result);
    if (read_error) co_return;
    const auto reply = answer(query, true);
    if (knobs.drops_tcp) continue;
    if (knobs.delay > base::Duration(0)) co_await net::sleep_for(knobs.delay);
    std::string framed;
    put_u16(framed, static_cast<std::uint16_t>(reply.size()));
    framed += reply;
    const auto [write_error, written] = co_await asio::async_write(socket, asio::buffer(framed), net::as_result);
    if (write_error) co_return;
  }
}

}  // namespace whitewater::discovery
