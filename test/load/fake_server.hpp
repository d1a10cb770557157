// FakeServer: a store behind etcd's /v3/kv/put and /v3/kv/range on loopback, in a thread of its own, that misbehaves as
// it is told: it stalls, refuses, hangs up, forgets a write. One request at a time, so a stall is everybody's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace whitewater::bench {

// Shared by the servers of one cluster.
struct FakeStore {
  struct Entry {
    std::string value;
    std::int64_t revision = 0;
  };
  std::mutex mutex;
  std::map<std::string, Entry> entries;
  std::int64_t revision = 1;
};

// What is done with the next put.
enum class Deed : std::uint8_t {
  write,
  forget,     // acknowledged, not written
  hang_up,    // the connection is closed without an answer
  no_answer,  // silence, the connection stays
  no_leader,  // 503, nothing was proposed
  timed_out,  // 503, it may have been applied
  too_many,   // 429
  good_bye,   // written, and the connection is closed after the answer
};

class FakeServer {
 public:
  explicit FakeServer(std::shared_ptr<FakeStore> store = std::make_shared<FakeStore>(), std::uint16_t port = 0);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] FakeStore& store() { return *store_; }
  [[nodiscard]] std::uint64_t puts() const { return puts_; }
  [[nodiscard]] std::uint64_t connections() const { return connections_; }

  // Called with the number of the put, from 0, on the server's thread.
  std::function<Deed(std::uint64_t)> on_put;
  // Before the first request that comes so long after the start, everything stands still.
  void stall(std::chrono::milliseconds after, std::chrono::milliseconds duration);
  std::atomic<bool> sends_chunks = false;
  void start();

 private:
  void run();
  bool serve(int fd, std::string& buffer);  // false: close
  bool answer(int fd, const std::string& target, const std::string& body);
  std::string put(const std::string& body, bool is_kept);
  std::string range(const std::string& body);
  bool reply(int fd, int status, const std::string& body, bool is_last = false);

  std::shared_ptr<FakeStore> store_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_stopped_ = false;
  std::atomic<std::uint64_t> puts_ = 0;
  std::atomic<std::uint64_t> connections_ = 0;
  std::chrono::steady_clock::time_point stall_at_ = std::chrono::steady_clock::time_point::max();
  std::chrono::milliseconds stall_{0};
  std::thread thread_;
};

}  // namespace whitewater::bench
