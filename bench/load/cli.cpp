#include "load/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <ostream>
#include <stdexcept>

#include "load/addresses.hpp"
#include "load/check.hpp"
#include "load/put_load.hpp"
#include "load/range_client.hpp"
#include "load/record.hpp"
#include "load/report.hpp"

namespace whitewater::bench {
namespace {

constexpr base::Duration read_patience = base::seconds(30);
constexpr std::uint64_t progress_every = 100'000;  // keys

constexpr const char* about =
    "Puts a load on Whitewater or etcd through etcd's HTTP/JSON gateway, measures it, and checks that nothing is lost.";
constexpr const char* examples = R"(Examples:
  whitewater-load put --endpoints 10.0.0.1:8090 --connections 64 --seconds 30
      as fast as 64 connections can (closed loop): for the highest throughput
  whitewater-load put --endpoints whitewater-headless:8090 --rate 2000 --seconds 60 --json -
      2,000 puts/s whatever the servers do (open loop): for latency
  whitewater-load put --endpoints whitewater-headless:8090 --rate 500 --seconds 300 --record acks
  whitewater-load check --endpoints whitewater-headless:8090 --record acks
      break what you like during the first; the second finds every acknowledged write that is lost
"whitewater-load put --help" and "whitewater-load check --help" explain the options.)";
constexpr const char* put_footer =
    R"(A name is resolved again whenever a connection is made anew; connections go to all of its addresses in turn.
Every put ends as one of:
  completed  acknowledged
  failed     refused: it certainly did not happen
  unknown    it may have happened: no answer within --timeout-ms, a lost connection, an error that does not exclude it
  dropped    open loop: not sent, because it was 10 s behind or still waiting at the end
No error ends a load, only time or SIGTERM does. The latency of an open loop counts from the time at which a put was meant to
be sent, so that a stall shows in all the puts that it delayed.
Exit code: 0 something completed, 1 nothing did, 2 usage.)";
constexpr const char* check_footer =
    R"(Reads back all that `put --record FILE` was told to be written, by linearizable reads, at any time after it.
Prints {"acknowledged":N,"found":N,"lost":[the first 20 keys],"lost_count":N,"other_revision_count":N}. The last counts
writes that are there, but not at the revision that was acknowledged: they were applied twice.
Exit code: 0 none lost, 1 some lost, 2 usage, 3 could not read (or the record holds nothing to check).)";

struct PutLine {
  LoadOptions options;
  std::uint64_t timeout_ms = 3000;
  std::string json;
  bool is_quiet = false;
};
struct CheckLine {
  std::vector<std::string> endpoints;
  std::string record;
  std::uint64_t timeout_ms = 5000;
  std::string json;
  bool is_quiet = false;
};

void add_endpoints(CLI::App& app, std::vector<std::string>& endpoints) {
  app.add_option("--endpoints", endpoints, "servers: names or addresses, with ports")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("HOST:PORT,...");
}

CLI::App* add_put(CLI::App& app, PutLine& line) {
  CLI::App* put = app.add_subcommand("put", "Writes for a while.");
  LoadOptions& options = line.options;
  add_endpoints(*put, options.endpoints);
  const auto add = [put](const char* name, auto& value, const char* text) {
    return put->add_option(name, value, text)->capture_default_str();
  };
  add("--connections", options.connections, "puts under way at a time")->check(CLI::Range(1, 10'000))->type_name("N");
  put->add_option("--rate", options.rate, "puts/s over all connections (open loop); without it, a closed loop")
      ->check(CLI::Range(0.001, 1e6))
      ->type_name("R");
  add("--seconds", options.seconds, "measured time")->check(CLI::Range(0.1, 86'400.0))->type_name("S");
  add("--warmup", options.warmup_seconds, "time before it, not counted")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S");
  add("--value-bytes", options.value_bytes, "size of each value")->check(CLI::Range(0, 1'000'000))->type_name("N");
  add("--keys", options.keys, "keys to draw from")->check(CLI::Range(1, 1'000'000'000))->type_name("N");
  add("--key-prefix", options.key_prefix, "what all keys begin with")->type_name("TEXT");
  add("--timeout-ms", line.timeout_ms, "longest wait for one answer")->check(CLI::Range(1, 600'000))->type_name("MS");
  add("--seed", options.seed, "of the random keys and values")->type_name("N");
  put->add_option(
         "--record", options.record_path,
         "keep every acknowledged write in FILE, for `check`; each key is then written once, below a prefix of its own")
      ->type_name("FILE");
  put->add_option("--json", line.json, "write the result to FILE; - for standard output, and nothing else there")
      ->type_name("FILE");
  put->add_flag("--quiet", line.is_quiet, "no line per second on standard error");
  put->footer(put_footer);
  return put;
}

CLI::App* add_check(CLI::App& app, CheckLine& line) {
  CLI::App* check = app.add_subcommand("check", "Looks for every acknowledged write of a record.");
  add_endpoints(*check, line.endpoints);
  check->add_option("--record", line.record, "what `put --record` wrote")->required()->type_name("FILE");
  check->add_option("--timeout-ms", line.timeout_ms, "longest wait for one answer")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str()
      ->type_name("MS");
  check->add_option("--json", line.json, "write the result to FILE too; - changes nothing")->type_name("FILE");
  check->add_flag("--quiet", line.is_quiet, "no progress on standard error");
  check->footer(check_footer);
  return check;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  if (!file) throw std::runtime_error("--json " + path + ": cannot write");
}

int put(PutLine line, std::ostream& out, std::ostream& err, const std::atomic<bool>& is_stopped) {
  LoadOptions& options = line.options;
  options.timeout = base::milliseconds(line.timeout_ms);
  options.is_stopped = &is_stopped;
  if (!line.is_quiet) options.on_second = [&err](const Progress& progress) { err << to_line(progress) << std::flush; };
  const LoadResult result = run_puts(options);
  if (line.json != "-") out << to_text(result) << std::flush;
  const std::string json = line.json.empty() ? "" : to_json(options, result);
  if (line.json == "-") {
    out << json << std::flush;
  } else if (!line.json.empty()) {
    write_file(line.json, json);
  }
  if (result.completed > 0) return 0;
  err << "whitewater-load: nothing was acknowledged. First error: "
      << (result.first_error.empty() ? "none" : result.first_error) << "\n";
  return exit_failure;
}

int check(const CheckLine& line, std::ostream& out, std::ostream& err, const std::atomic<bool>& is_stopped) {
  const auto endpoints = parse_endpoints(line.endpoints);
  const Record record = read_record(line.record);
  if (record.acknowledged == 0)
    throw CannotRead("--record " + line.record + ": no acknowledged write in it, nothing to check");
  if (!record.is_finished) err << "whitewater-load: the load was cut short; what it recorded is checked\n";
  RangeClient client(endpoints, base::milliseconds(line.timeout_ms), read_patience);
  std::uint64_t next_line = progress_every;
  const CheckResult result = check_record(
      record, [&](const auto& from, const auto& to, std::size_t limit) { return client.read(from, to, limit); },
      [&](std::uint64_t checked) {
        if (is_stopped) throw CannotRead("stopped before all was checked");
        if (line.is_quiet || checked < next_line) return;
        next_line = checked + progress_every;
        err << "checked " << checked << " of " << record.acknowledged << " writes\n" << std::flush;
      });
  const std::string json = to_json(result);
  out << json << std::flush;
  if (!line.json.empty() && line.json != "-") write_file(line.json, json);
  if (result.other_revision_count > 0) {
    err << "whitewater-load: " << result.other_revision_count
        << " writes are at another revision than was acknowledged\n";
  }
  return result.lost_count == 0 ? 0 : exit_failure;
}

}  // namespace

int run_cli(std::vector<std::string> arguments, std::ostream& out, std::ostream& err,
            const std::atomic<bool>& is_stopped) {
  CLI::App app(about, "whitewater-load");
  app.require_subcommand(0, 1);
  app.footer(examples);
  PutLine put_line;
  CheckLine check_line;
  const CLI::App* put_command = add_put(app, put_line);
  add_check(app, check_line);
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    app.parse(std::move(arguments));
    if (app.get_subcommands().empty()) throw std::runtime_error("put or check? See whitewater-load --help");
    const auto& endpoints = put_command->parsed() ? put_line.options.endpoints : check_line.endpoints;
    [[maybe_unused]] const auto parsed = parse_endpoints(endpoints);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, out, err) == 0 ? 0 : exit_usage;
  } catch (const std::exception& error) {
    err << "whitewater-load: " << error.what() << "\n";
    return exit_usage;
  }
  try {
    return put_command->parsed() ? put(std::move(put_line), out, err, is_stopped)
                                 : check(check_line, out, err, is_stopped);
  } catch (const std::exception& error) {
    err << "whitewater-load: " << error.what() << "\n";
    return put_command->parsed() ? exit_failure : exit_cannot_read;
  }
}

}  // namespace whitewater::bench
