// The executable: client commands, or one member. Every failure of the environment ends in one line on stderr and the
// exit code of base/error.hpp.
#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <exception>
#include <iostream>

#include "server/cli.hpp"
#include "server/config.hpp"
#include "server/discover.hpp"
#include "server/launcher.hpp"
#include "server/log_sink.hpp"
#include "server/server.hpp"

namespace whitewater::server {
namespace {

constexpr const char* version = WHITEWATER_VERSION;

base::LogLevel to_level(LogLevelChoice choice) {
  switch (choice) {
    case LogLevelChoice::debug:
      return base::LogLevel::debug;
    case LogLevelChoice::info:
      return base::LogLevel::info;
    case LogLevelChoice::warn:
      return base::LogLevel::warn;
    case LogLevelChoice::error:
      return base::LogLevel::error;
  }
  return base::LogLevel::info;
}

int run_server(const Options& options, Reactor reactor, StderrLogSink& sink) {
  net::IoContext& context = *reactor.context;
  Server server(context.get_executor(), options, version, std::move(reactor.reason), sink);
  sink.set_member_fields({{"member", options.name}});
  std::exception_ptr failure;
  boost::asio::co_spawn(context.get_executor(), server.run(),
                        [&](const std::exception_ptr& error) { failure = error; });
  context.run();
  if (failure) std::rethrow_exception(failure);
  sink.info("server", "stopped");
  return 0;
}

int serve(int argc, char** argv) {
  const LoadedOptions loaded = load_process_options(argc, argv);
  if (!loaded.errors.empty()) {
    for (const std::string& error : loaded.errors) std::cerr << "whitewater: " << error << "\n";
    std::cerr << "whitewater: see `whitewater serve --help`\n";
    return static_cast<int>(base::ExitCode::usage);
  }
  const bool is_json = loaded.options.log_format == LogFormatChoice::json;
  StderrLogSink sink(is_json ? LogLineFormat::json : LogLineFormat::text, to_level(loaded.options.log_level));
  try {
    Reactor reactor = choose_reactor(loaded.options, argv);
    for (const std::string& warning : loaded.warnings) sink.warn("options", warning);
    return run_server(loaded.options, std::move(reactor), sink);
  } catch (const base::FatalError& error) {
    sink.error("server", error.what(), {{"exit_code", static_cast<std::uint64_t>(error.code())}});
    sink.flush();
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    sink.error("server", std::string("unexpected failure: ") + error.what());
    sink.flush();
    return static_cast<int>(base::ExitCode::failure);
  }
}

}  // namespace
}  // namespace whitewater::server

int main(int argc, char** argv) {
  using namespace whitewater;
  if (const auto exit_code = server::run_discover_command(argc, argv)) return *exit_code;
  if (const auto exit_code = server::run_client_command(argc, argv)) return *exit_code;
  return server::serve(argc, argv);
}
