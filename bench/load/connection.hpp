// Connection: one keep-alive HTTP connection on a non-blocking socket in the caller's epoll, with one request at a
// time. It moves bytes and says what happened; when to connect, what to send and what an answer means is the caller's.
#pragma once

#include <cstdint>
#include <string>

#include "load/addresses.hpp"
#include "load/http_answer.hpp"

namespace whitewater::bench {

class Connection {
 public:
  enum class State : std::uint8_t { closed, connecting, idle, busy };
  // What an event or a send led to. `refused`: no connection came about. `broken`: it ended, or what came is no HTTP.
  enum class Event : std::uint8_t { none, connected, refused, answered, broken };

  Connection(int epoll, std::uint64_t event_data);
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Event connect(const Address& address);  // from closed
  Event send(std::string request);        // from idle; broken or none
  Event on_event(std::uint32_t events);
  void take_answer() { state_ = State::idle; }  // after `answered`, when it has been read
  void close();
  // For whoever keeps the time: `refused` while connecting, else `broken`.
  Event give_up(const std::string& cause);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const HttpAnswer& answer() const { return answer_; }
  [[nodiscard]] bool has_sent() const { return sent_ > 0; }        // any byte of the request under way
  [[nodiscard]] bool is_ending() const { return is_ending_; }      // the server ends it after this answer, or has
  [[nodiscard]] const std::string& host() const { return host_; }  // for the request's Host field
  [[nodiscard]] std::string describe_error() const;                // after refused and broken: "ADDRESS: cause"

 private:
  Event on_connected();
  Event flush();
  Event receive();
  Event break_off(Event event, std::string cause);
  void watch(std::uint32_t events);

  int epoll_;
  std::uint64_t event_data_;
  int fd_ = -1;
  State state_ = State::closed;
  std::string host_;
  std::string peer_;
  std::string cause_;
  std::string request_;
  std::size_t sent_ = 0;
  bool is_ending_ = false;
  bool awaits_room_ = false;  // the socket's buffer was full
  HttpAnswer answer_;
};

}  // namespace whitewater::bench
