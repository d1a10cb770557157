// Debian 13's c-ares calls ares_query and ares_set_servers_ports_csv deprecated; Debian 12's has nothing else.
#define CARES_NO_DEPRECATED
#include "discovery/dns_query.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "discovery/candidate.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;
namespace asio = boost::asio;

namespace {

constexpr int dns_class_in = 1;
constexpr int dns_type_srv = 33;
constexpr int edns_payload_bytes = 1232;  // what passes every path without fragments (DNS flag day 2020)

Errc errc_of(int status) {
  switch (status) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
      return Errc::not_found;
    case ARES_ETIMEOUT:
      return Errc::timed_out;
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADRESP:
    case ARES_EBADSTR:
    case ARES_EFORMERR:
      return Errc::malformed;
    default:
      return Errc::connection_lost;  // refused, SERVFAIL, no server
  }
}

// A c-ares channel and its one question. The coroutine that waits owns it through `Closer`; handlers of the reactor
// hold a reference of their own, so that none ever runs on freed memory, and do nothing once it is closed.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(net::Executor executor, ResolverOptions options)
      : executor_(executor), options_(std::move(options)), done_(executor), retry_(executor) {}
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() { WW_ASSERT(channel_ == nullptr); }

  void start_srv(const std::string& name, DnsTransport transport) {
    if (!open(transport)) return;
    ares_query(channel_, name.c_str(), dns_class_in, dns_type_srv, &Lookup::on_message, this);
    pump();
  }
  void start_addresses(const std::string& host, AddressFamily family) {
    if (!open(DnsTransport::udp)) return;
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = family == AddressFamily::v4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &Lookup::on_addresses, this);
    pump();
  }

  // Waits until the question is answered or `limit` is over. Throws operation_aborted when cancelled.
  static net::Awaitable<void> wait(std::shared_ptr<Lookup> lookup, base::Duration limit) {
    if (lookup->is_done_) co_return;
    lookup->done_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit));
    co_await lookup->done_.async_wait(net::as_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }

  // Order: 1. no handler acts any more; 2. the timers; 3. every socket is taken out of the reactor while it is still
  // open;
  // 4. c-ares, which closes its sockets. Never called from within c-ares.
  void close() {
    if (std::exchange(is_closed_, true)) return;
    done_.cancel();
    retry_.cancel();
    for (auto& [fd, socket] : sockets_) socket->descriptor.release();
    sockets_.clear();
    if (channel_ != nullptr) ares_destroy(channel_);
    channel_ = nullptr;
  }

  [[nodiscard]] Errc error() const { return is_done_ ? error_ : Errc::timed_out; }
  [[nodiscard]] bool is_good() const { return is_done_ && error_ == Errc{}; }
  [[nodiscard]] std::string take_message() { return std::move(message_); }
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<net::Executor>;
  struct Socket {
    explicit Socket(net::Executor executor) : descriptor(executor) {}
    Descriptor descriptor;
    bool wants_read = false;
    bool wants_write = false;
    bool is_read_waiting = false;
    bool is_write_waiting = false;
  };

  bool open(DnsTransport transport) {
    // For the process's life; on Linux it only initializes tables.
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS | (transport == DnsTransport::tcp ? ARES_FLAG_USEVC : 0);
    options.timeout = static_cast<int>(std::chrono::duration_cast<base::milliseconds>(options_.try_timeout).count());
    options.tries = static_cast<int>(options_.tries);
    options.ednspsz = edns_payload_bytes;
    options.sock_state_cb = &Lookup::on_socket_state;
    options.sock_state_cb_data = this;
    // An empty list of domains: no search list, whatever resolv.conf says.
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_DOMAINS;
    if (!options_.resolv_conf_path.empty()) {
      options.resolvconf_path = options_.resolv_conf_path.data();
      mask |= ARES_OPT_RESOLVCONF;
    }
#ifdef ARES_OPT_QUERY_CACHE
    options.qcache_max_ttl = 0;  // versions from 1.31 on cache by TTL, which would hide a pod's new address
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    if (library != ARES_SUCCESS || ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
      channel_ = nullptr;
      finish(Errc::connection_lost);
      return false;
    }
    if (options_.servers.empty()) return true;
    std::string csv;
    for (const auto& server : options_.servers) csv += (csv.empty() ? "" : ",") + server;
    if (ares_set_servers_ports_csv(channel_, csv.c_str()) == ARES_SUCCESS) return true;
    finish(Errc::malformed);
    return false;
  }

  // Arms what c-ares wants to know next, after every call into it.
  void pump() {
    if (is_closed_) return;
    if (is_done_) {
      done_.cancel();
      return;
    }
    for (auto& [fd, socket] : sockets_) arm(fd, socket);
    timeval next{};
    if (ares_timeout(channel_, nullptr, &next) == nullptr) return;
    retry_.expires_after(std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec));
    retry_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->is_closed_) return;
      ares_process_fd(self->channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      self->pump();
    });
  }

  void arm(ares_socket_t fd, const std::shared_ptr<Socket>& socket) {
    if (socket->wants_read && !std::exchange(socket->is_read_waiting, true)) {
      socket->descriptor.async_wait(Descriptor::wait_read, [self = shared_from_this(), fd, socket](const auto& error) {
        socket->is_read_waiting = false;
        if (!error && self->is_current(fd, socket)) self->process(fd, ARES_SOCKET_BAD);
      });
    }
    if (socket->wants_write && !std::exchange(socket->is_write_waiting, true)) {
      socket->descriptor.async_wait(Descriptor::wait_write, [self = shared_from_this(), fd, socket](const auto& error) {
        socket->is_write_waiting = false;
        if (!error && self->is_current(fd, socket)) self->process(ARES_SOCKET_BAD, fd);
      });
    }
  }

  // c-ares may have closed the socket and opened another one under the same number since the wait began.
  [[nodiscard]] bool is_current(ares_socket_t fd, const std::shared_ptr<Socket>& socket) const {
    const auto it = sockets_.find(fd);
    return !is_closed_ && it != sockets_.end() && it->second == socket;
  }

  void process(ares_socket_t read_fd, ares_socket_t write_fd) {
    ares_process_fd(channel_, read_fd, write_fd);
    pump();
  }

  void finish(Errc error) {
    if (std::exchange(is_done_, true)) return;
    error_ = error;
    done_.cancel();
  }

  static void on_socket_state(void* data, ares_socket_t fd, int readable, int writable) {
    auto& self = *static_cast<Lookup*>(data);
    if (self.is_closed_) return;
    auto it = self.sockets_.find(fd);
    if (readable == 0 && writable == 0) {
      if (it == self.sockets_.end()) return;
      // c-ares closes it next; release() takes it out of the reactor without closing it.
      it->second->descriptor.release();
      self.sockets_.erase(it);
      return;
    }
    if (it == self.sockets_.end()) {
      auto socket = std::make_shared<Socket>(self.executor_);
      boost::system::error_code error;
      socket->descriptor.assign(fd, error);
      if (error) return;  // the question runs into its time-out
      it = self.sockets_.emplace(fd, std::move(socket)).first;
    }
    it->second->wants_read = readable != 0;
    it->second->wants_write = writable != 0;
  }

  static void on_message(void* data, int status, int, unsigned char* bytes, int size) {
    auto& self = *static_cast<Lookup*>(data);
    if (self.is_closed_) return;  // ares_destroy answers what is open
    const bool is_answer = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    if (!is_answer || bytes == nullptr || size <= 0) return self.finish(errc_of(status));
    self.message_.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    self.finish({});
  }

  static void on_addresses(void* data, int status, int, ares_addrinfo* result) {
    auto& self = *static_cast<Lookup*>(data);
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(result, &ares_freeaddrinfo);
    if (self.is_closed_) return;
    if (status != ARES_SUCCESS || result == nullptr)
      return self.finish(errc_of(status == ARES_SUCCESS ? ARES_ENODATA : status));
    for (const auto* node = result->nodes; node != nullptr; node = node->ai_next) {
      if (self.addresses_.size() == addresses_per_candidate_max) break;
      char text[INET6_ADDRSTRLEN] = {};
      const void* address =
          node->ai_family == AF_INET6
              ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr)
              : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr);
      if (inet_ntop(node->ai_family, address, text, sizeof text) != nullptr) self.addresses_.emplace_back(text);
    }
    self.finish(self.addresses_.empty() ? Errc::not_found : Errc{});
  }

  net::Executor executor_;
  ResolverOptions options_;
  ares_channel channel_ = nullptr;
  net::Timer done_;   // expires with the waiter's patience; cancelled when the answer is there
  net::Timer retry_;  // c-ares' own next time-out
  std::map<ares_socket_t, std::shared_ptr<Socket>> sockets_;
  bool is_done_ = false;
  bool is_closed_ = false;
  Errc error_{};
  std::string message_;
  std::vector<std::string> addresses_;
};

// Closes the lookup with the coroutine that waits for it, however that ends.
class Closer {
 public:
  explicit Closer(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}
  ~Closer() { lookup_->close(); }
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;

 private:
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace

net::Awaitable<Result<std::string>> query_srv(net::Executor executor, ResolverOptions options, std::string name,
                                              DnsTransport transport) {
  const auto limit = options.total_timeout;
  const auto lookup = std::make_shared<Lookup>(executor, std::move(options));
  const Closer closer(lookup);
  lookup->start_srv(name, transport);
  co_await Lookup::wait(lookup, limit);
  if (!lookup->is_good()) co_return lookup->error();
  co_return lookup->take_message();
}

net::Awaitable<Result<std::vector<std::string>>> query_addresses(net::Executor executor, ResolverOptions options,
                                                                 std::string host) {
  const auto limit = options.total_timeout;
  const auto grace = options.second_family_grace;
  // Two channels are two sockets: one family's packets never race the other's through conntrack.
  const auto v4 = std::make_shared<Lookup>(executor, options);
  const Closer v4_closer(v4);
  const auto v6 = std::make_shared<Lookup>(executor, options);
  const Closer v6_closer(v6);
  v4->start_addresses(host, AddressFamily::v4);
  v6->start_addresses(host, AddressFamily::v6);
  co_await Lookup::wait(v4, limit);
  co_await Lookup::wait(v6, v4->is_good() ? grace : limit);
  std::vector<std::string> addresses = v4->addresses();
  addresses.insert(addresses.end(), v6->addresses().begin(), v6->addresses().end());
  if (!addresses.empty()) co_return addresses;
  // "No such name" from one family and silence from the other: the name may exist.
  co_return v4->error() == Errc::not_found ? v6->error() : v4->error();
}

}  // namespace whitewater::discovery
