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

void DnsResponder::add(const std::string& host, const std::string& address) { hosts_[host] = address; }

void DnsResponder::publish(const std::string& host, bool is_published) {
  if (is_published) {
    published_.insert(host);
  } else {
    published_.erase(host);
  }
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
  asked.push_back((is_tcp ? "tcp " : "") + std::to_string(type) + " " + name);
  if (knobs.sends_garbage) return std::string(query.substr(0, 2)) + "\x85\x80 and then nothing that makes sense";
  DnsMessage message;
  message.id =
      static_cast<std::uint16_t>((static_cast<unsigned char>(query[0]) << 8) | static_cast<unsigned char>(query[1]));
  message.question = std::string(query.substr(12, at + 5 - 12));
  message.flags = static_cast<std::uint16_t>(0x8580 | knobs.rcode);
  if (knobs.rcode != 0) return message.bytes();
  const auto address_of = [](const std::string& text) {
    const auto bytes = asio::ip::make_address_v4(text).to_bytes();
    return std::string(bytes.begin(), bytes.end());
  };
  if (type == 33) {
    std::size_t count = 0;
    for (const auto& host : published_) {
      if (!is_tcp && count++ >= knobs.udp_targets_max) break;
      message.srv(host, 8090, knobs.ttl_seconds);
      if (knobs.has_glue && hosts_.contains(host)) message.a(host, address_of(hosts_[host]), knobs.ttl_seconds);
    }
    if (published_.empty()) message.flags |= 3;
    if (!is_tcp && knobs.truncates_udp) {
      message.flags |= 0x0200;
      message.answers.clear();
      message.additional.clear();
      message.answer_count = message.additional_count = 0;
    }
  } else if (!hosts_.contains(name)) {
    message.flags |= 3;
  } else if (type == 1) {
    message.answers = dns_record("\xc0\x0c", 1, knobs.ttl_seconds, address_of(hosts_[name]));
    message.answer_count = 1;
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
