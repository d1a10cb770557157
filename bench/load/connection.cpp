#include "load/connection.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::bench {
namespace {

constexpr std::size_t put_answer_bytes_max = 1UL << 20;
constexpr std::uint32_t always = EPOLLIN | EPOLLRDHUP;

}  // namespace

Connection::Connection(int epoll, std::uint64_t event_data)
    : epoll_(epoll), event_data_(event_data), answer_(put_answer_bytes_max) {}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);  // takes it out of epoll too
  fd_ = -1;
  state_ = State::closed;
}

Connection::Event Connection::break_off(Event event, std::string cause) {
  cause_ = std::move(cause);
  close();
  return event;
}

Connection::Event Connection::give_up(const std::string& cause) {
  return break_off(state_ == State::connecting ? Event::refused : Event::broken, cause);
}

std::string Connection::describe_error() const { return peer_ + ": " + cause_; }

void Connection::watch(std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = event_data_;
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event) != 0) ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event);
}

Connection::Event Connection::connect(const Address& address) {
  WW_ASSERT(state_ == State::closed);
  host_ = address.host;
  peer_ = describe(address);
  is_ending_ = awaits_room_ = false;
  sent_ = 0;
  fd_ = ::socket(address.bytes.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return break_off(Event::refused, std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  state_ = State::connecting;
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return on_connected();
  if (errno != EINPROGRESS) return break_off(Event::refused, std::strerror(errno));
  watch(EPOLLOUT);
  return Event::none;
}

Connection::Event Connection::on_connected() {
  watch(always);
  state_ = State::idle;
  return Event::connected;
}

Connection::Event Connection::send(std::string request) {
  WW_ASSERT(state_ == State::idle);
  state_ = State::busy;
  request_ = std::move(request);
  sent_ = 0;
  answer_.clear();
  return flush();
}

Connection::Event Connection::flush() {
  while (sent_ < request_.size()) {
    const ssize_t n = ::send(fd_, request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      if (!std::exchange(awaits_room_, true)) watch(always | EPOLLOUT);
      return Event::none;
    }
    if (n < 0) return break_off(Event::broken, std::strerror(errno));
    sent_ += static_cast<std::size_t>(n);
  }
  if (std::exchange(awaits_room_, false)) watch(always);
  return Event::none;
}

Connection::Event Connection::on_event(std::uint32_t events) {
  if (state_ == State::closed) return Event::none;  // an event of the socket that was closed in this turn
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0 ? on_connected() : break_off(Event::refused, std::strerror(error));
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) is_ending_ = true;
  if (state_ == State::busy && (events & EPOLLOUT) != 0 && flush() == Event::broken) return Event::broken;
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return Event::none;
  return receive();
}

Connection::Event Connection::receive() {
  char buffer[16384];
  while (true) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Event::none;
    if (n < 0) return break_off(Event::broken, std::strerror(errno));
    if (n == 0) return break_off(Event::broken, "connection closed by the server");
    if (state_ != State::busy) return break_off(Event::broken, "an answer that nobody asked for");
    switch (answer_.append({buffer, static_cast<std::size_t>(n)})) {
      case HttpAnswer::State::malformed:
        return break_off(Event::broken,
                         "no HTTP answer, or one that is too long: " + answer_.received().substr(0, 200));
      case HttpAnswer::State::complete:
        is_ending_ = is_ending_ || answer_.is_last();
        return Event::answered;
      case HttpAnswer::State::incomplete:
        // A short read has emptied the socket. More of it will be an event of its own.
        if (static_cast<std::size_t>(n) < sizeof buffer && !is_ending_) return Event::none;
    }
  }
}

}  // namespace whitewater::bench
