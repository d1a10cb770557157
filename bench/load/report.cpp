#include "load/report.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <iterator>

namespace whitewater::bench {
namespace {

double millis_of(base::Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

std::string quoted(const std::string& text) { return boost::json::serialize(boost::json::string(text)); }
std::string list_of(const std::vector<std::string>& texts) {
  return boost::json::serialize(boost::json::array(texts.begin(), texts.end()));
}

// "[a,b,c]"
template <class Items, class Format>
std::string joined(const Items& items, Format format) {
  std::string text = "[";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += format(item);
  }
  return text + "]";
}

std::string latency_json(const LoadResult& result) {
  return fmt::format(R"({{"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f},"mean":{:.1f}}})",
                     result.quantile_us(0.5), result.quantile_us(0.9), result.quantile_us(0.99),
                     result.quantile_us(0.999), micros_of(result.latency.max()), micros_of(result.latency.mean()));
}

std::string series_json(const LoadResult& result) {
  return fmt::format(R"({{"interval_ms":{},"completed":{},"failed":{},"max_us":{}}})",
                     series_interval / base::milliseconds(1),
                     joined(result.series, [](const Interval& i) { return std::to_string(i.completed); }),
                     joined(result.series, [](const Interval& i) { return std::to_string(i.failed); }),
                     joined(result.series, [](const Interval& i) { return fmt::format("{:.1f}", micros_of(i.max)); }));
}

}  // namespace

std::string to_json(const LoadOptions& options, const LoadResult& result) {
  std::string json = R"({"tool":"whitewater-load",)";
  const auto out = std::back_inserter(json);
  fmt::format_to(out, R"("mode":"{}","endpoints":{},"connections":{},"rate":{},"value_bytes":{},"started_unix_ms":{},)",
                 options.rate > 0 ? "open" : "closed", list_of(options.endpoints), options.connections, options.rate,
                 options.value_bytes, result.started_unix_ms);
  fmt::format_to(out, R"("seconds":{:.3f},"completed":{},"failed":{},"unknown":{},"dropped":{},"connect_failures":{},)",
                 result.seconds, result.completed, result.failed, result.unknown, result.dropped,
                 result.connect_failures);
  fmt::format_to(out, R"("per_second":{:.1f},"cpu_seconds":{:.3f},"latency_us":{},"histogram_us":{},"series":{},)",
                 result.per_second(), result.cpu_seconds, latency_json(result),
                 joined(result.latency.buckets(),
                        [](const auto& b) { return fmt::format("[{:.3f},{}]", micros_of(b.upper), b.count); }),
                 series_json(result));
  fmt::format_to(out, R"("gaps":{},"first_error":{}}})",
                 joined(result.gaps,
                        [](const Gap& gap) {
                          return fmt::format(R"({{"start_s":{:.3f},"ms":{:.2f}}})", millis_of(gap.start) / 1e3,
                                             millis_of(gap.length));
                        }),
                 quoted(result.first_error));
  return json + "\n";
}

std::string to_json(const CheckResult& result) {
  return fmt::format(R"({{"acknowledged":{},"found":{},"lost":{},"lost_count":{},"other_revision_count":{}}})"
                     "\n",
                     result.acknowledged, result.found, list_of(result.lost), result.lost_count,
                     result.other_revision_count);
}

std::string to_text(const LoadResult& result) {
  std::string text = fmt::format("{} puts in {:.1f} s: {:.0f}/s; {} failed, {} unknown, {} dropped\n", result.completed,
                                 result.seconds, result.per_second(), result.failed, result.unknown, result.dropped);
  text += fmt::format("latency, us: p50 {:.0f}, p90 {:.0f}, p99 {:.0f}, p99.9 {:.0f}, max {:.0f}\n",
                      result.quantile_us(0.5), result.quantile_us(0.9), result.quantile_us(0.99),
                      result.quantile_us(0.999), micros_of(result.latency.max()));
  if (!result.gaps.empty()) {
    text += fmt::format("longest time without an acknowledgement: {:.1f} ms, {:.1f} s after the start\n",
                        millis_of(result.gaps[0].length), millis_of(result.gaps[0].start) / 1e3);
  }
  if (!result.first_error.empty()) text += "first error: " + result.first_error + "\n";
  return text;
}

std::string to_line(const Progress& progress) {
  return fmt::format("{:7.1f} s {:9.0f} puts/s  p50 {:8.0f} us  p99 {:8.0f} us  {} failed  {} unknown\n",
                     progress.elapsed_seconds, progress.per_second, progress.p50_us, progress.p99_us, progress.failed,
                     progress.unknown);
}

}  // namespace whitewater::bench
