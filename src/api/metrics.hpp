// Metrics: a registry of counters, gauges and histograms with Prometheus text exposition (format 0.0.4). Owned by the
// server, used on the reactor's thread only: an increment is a plain add, without atomics
// (docs/decisions/0006-metrics.md). Handles that the registry returns stay valid as long as it lives. Does not know any
// metric by name: server_metrics.hpp does.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace whitewater::api {

class Counter {
 public:
  void add() { value_ += 1; }
  template <class Number>
    requires std::is_arithmetic_v<Number>
  void add(Number amount) {
    value_ += static_cast<double>(amount);
  }
  // Of a counter that someone else keeps. One that begins again at 0 reads like a restart.
  void set(double value) { value_ = value; }
  [[nodiscard]] double value() const { return value_; }

 private:
  double value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_ = value; }
  void add(double amount) { value_ += amount; }
  [[nodiscard]] double value() const { return value_; }

 private:
  double value_ = 0;
};

// Upper bounds of a histogram's buckets, ascending, without +Inf.
using Buckets = std::vector<double>;
[[nodiscard]] Buckets exponential_buckets(double start, double factor, std::size_t count);
// 5 µs to 10 s, six to a decade: fine enough to read p50 and p99 of a stage from.
[[nodiscard]] const Buckets& latency_buckets_seconds();

// Counts values in fixed buckets. record() takes a few nanoseconds: the upper bits of the value (sign-free exponent and
// one bit of the mantissa) lead to the first bucket that can hold it, from where at most a few bounds are compared.
class Histogram {
 public:
  explicit Histogram(Buckets upper_bounds);
  void record(double value) {
    std::size_t bucket = first_[slot_of(value)];
    while (bucket < upper_bounds_.size() && value > upper_bounds_[bucket]) ++bucket;
    ++counts_[bucket];
    sum_ += value;
  }
  void record_ns(std::int64_t nanoseconds) { record(static_cast<double>(nanoseconds) * 1e-9); }

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] std::span<const double> upper_bounds() const { return upper_bounds_; }
  [[nodiscard]] std::span<const std::uint64_t> counts() const { return counts_; }  // per bucket; the last is +Inf's
  // Linear within the bucket, as Prometheus's histogram_quantile; NaN when empty. `fraction` in 0..1.
  [[nodiscard]] double quantile(double fraction) const;

 private:
  static constexpr std::uint64_t slot_shift = 51;                              // exponent and one mantissa bit
  static constexpr std::uint64_t slot_lowest = std::uint64_t{1023 - 40} << 1;  // 2^-40: below a nanosecond
  static constexpr std::size_t slot_count = 2 * 88;                            // up to 2^48
  static std::size_t slot_of(double value) {
    const std::uint64_t slot = std::bit_cast<std::uint64_t>(value) >> slot_shift;  // negative and NaN: past the end
    if (slot < slot_lowest || !(value > 0)) return 0;
    return slot - slot_lowest < slot_count ? slot - slot_lowest : slot_count - 1;
  }

  Buckets upper_bounds_;
  std::array<std::uint8_t, slot_count> first_{};
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

// Label names and values in the order in which they are printed. Values may hold any UTF-8.
using Labels = std::vector<std::pair<std::string, std::string>>;
// Children of one family. Past it every new set of labels shares one child whose values are all "other", so that labels
// that come from the network (client versions, peers) cannot grow memory without bound.
inline constexpr std::size_t family_children_max = 512;
inline constexpr std::size_t histogram_buckets_max = 200;

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The child of family `name` with these labels, made at the first call. The kind, help and label names of a family
  // are those of its first call; a later call that disagrees, or a name or label outside Prometheus's grammar, is a bug
  // and asserts.
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, const Buckets& upper_bounds, Labels labels = {});
  // Values that someone else keeps, read at each scrape.
  void counter_callback(std::string_view name, std::string_view help, std::function<double()> read, Labels labels = {});
  void gauge_callback(std::string_view name, std::string_view help, std::function<double()> read, Labels labels = {});
  // Runs before each exposition: for reading one snapshot and setting many gauges from it.
  void on_scrape(std::function<void()> prepare);

  // Families by name, children by label values.
  [[nodiscard]] std::string expose() const;

 private:
  struct Child;
  struct Family;
  enum class Kind : std::uint8_t { counter, gauge, histogram };
  Family& family(Kind kind, std::string_view name, std::string_view help, const Labels& labels);
  static Child& child(Family& family, Labels labels);

  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
  std::vector<std::function<void()>> prepare_;
};

}  // namespace whitewater::api
