#include "server/snapshots.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>

#include "base/codec.hpp"

namespace whitewater::server {
namespace {

constexpr base::Duration retry_min = base::milliseconds(200);
constexpr base::Duration retry_max = base::seconds(5);
// A busy disk is asked again after this, and given up after that.
constexpr base::Duration busy_pause = base::milliseconds(5);
constexpr base::Duration busy_limit = base::seconds(60);
constexpr base::Duration retire_interval = base::milliseconds(200);

// The place after which a transfer goes on: a record's id. The trailer: how many records there are, and their checksum.
std::string encode_position(kv::RecordId id) {
  if (id == kv::RecordId{}) return {};  // nothing has arrived yet; no record has that name
  const auto name = kv::encode_name(id);
  return {name.data(), name.size()};
}

base::Result<kv::RecordId> decode_position(std::string_view bytes) {
  if (bytes.empty()) return kv::RecordId{};
  if (bytes.size() != kv::record_name_bytes) return base::make_error_code(base::Errc::malformed);
  return kv::decode_name(bytes);
}

std::string encode_total(const kv::SnapshotTotal& total) {
  std::string bytes;
  base::ByteWriter writer(bytes);
  writer.u64(total.record_count);
  writer.u32(total.checksum);
  return bytes;
}

base::Result<kv::SnapshotTotal> decode_total(std::string_view bytes) {
  base::ByteReader reader(bytes);
  kv::SnapshotTotal total;
  total.record_count = reader.u64();
  total.checksum = reader.u32();
  if (!reader.ok() || !reader.at_end()) return base::make_error_code(base::Errc::malformed);
  return total;
}

class ReaderSource final : public net::SnapshotSource {
 public:
  explicit ReaderSource(kv::SnapshotReader& reader) : reader_(reader) {}

  base::Result<void> seek(std::string_view resume_position) override {
    const auto position = decode_position(resume_position);
    if (!position) return position.error();
    return reader_.seek(*position);
  }
  base::Result<std::string> next_chunk(std::size_t bytes_max) override {
    auto chunk = reader_.next_chunk(bytes_max);
    return chunk ? std::move(chunk->bytes) : std::string();
  }
  std::string trailer() override {
    const auto total = reader_.total();
    WW_ASSERT(total.has_value());
    return encode_total(*total);
  }

 private:
  kv::SnapshotReader& reader_;
};

std::uint64_t as_mib(std::uint64_t bytes) { return bytes >> 20; }

}  // namespace

// One snapshot and the attempts to bring it over; the reader stays between them, so that the next goes on where the
// last one ended.
struct SnapshotSender::Attempt {
  std::unique_ptr<kv::SnapshotReader> reader;
  core::Term index_term;
};

SnapshotSender::SnapshotSender(net::Executor executor, Member& member, Peers& peers, std::uint64_t rate_bytes_per_s,
                               base::Rng rng, base::LogSink& sink, SnapshotCounters& counters)
    : executor_(executor),
      member_(member),
      peers_(peers),
      rate_bytes_per_s_(rate_bytes_per_s),
      rng_(rng),
      sink_(sink),
      counters_(counters),
      tasks_(executor) {}

net::Awaitable<void> SnapshotSender::run() {
  net::Event never(executor_);
  tasks_.spawn([](net::Event* event) -> net::Awaitable<void> { co_await event->wait(); }(&never));
  co_await tasks_.join();
}

void SnapshotSender::send(base::NodeId peer) {
  if (sending_.emplace(peer, true).second) tasks_.spawn(send_until_followed(peer));
}

bool SnapshotSender::is_wanted(base::NodeId peer) const {
  const auto progress = member_.node().progress().find(peer);
  return progress != member_.node().progress().end() && progress->second.state() == core::Progress::State::snapshot;
}

net::Awaitable<void> SnapshotSender::send_until_followed(base::NodeId peer) {
  // Leaves the map however this ends.
  struct Leave {
    std::map<base::NodeId, bool>& sending;
    base::NodeId peer;
    ~Leave() { sending.erase(peer); }
  } leave{sending_, peer};
  Attempt attempt;
  base::Duration pause = retry_min;
  while (is_wanted(peer)) {
    const auto outcome = co_await send_once(peer, &attempt);
    if (outcome) {
      ++counters_.sent;
      pause = retry_min;
      attempt = {};
      sink_.info("snapshot", "the follower has the snapshot",
                 {{"peer_id", base::to_hex(peer)}, {"index", outcome->value}});
      member_.on_snapshot_sent(peer, *outcome);
      continue;
    }
    ++counters_.failed;
    sink_.warn("snapshot", "not sent: " + outcome.error().message() + "; trying again",
               {{"peer_id", base::to_hex(peer)}});
    // What the follower refuses as unneeded, or cannot go on with, a probe of its log sorts out.
    if (outcome.error() == base::Errc::not_needed) member_.on_snapshot_sent(peer, base::Index(0));
    if (outcome.error() != base::Errc::too_many_requests && outcome.error() != base::Errc::connection_lost)
      attempt = {};
    co_await net::sleep_for(pause + base::Duration(rng_.in_range(0, static_cast<std::uint64_t>(pause.count()))));
    pause = std::min(2 * pause, retry_max);
  }
}

net::Awaitable<base::Result<base::Index>> SnapshotSender::send_once(base::NodeId peer, Attempt* attempt) {
  const core::Node& node = member_.node();
  const core::Member* member = node.configuration().find(peer);
  if (member == nullptr) co_return base::make_error_code(base::Errc::member_not_found);
  const std::string name = member->name;
  if (!attempt->reader) {
    attempt->reader = member_.store().open_snapshot();
    const auto term = node.log().term_at(attempt->reader->header().meta.applied);
    if (!term) {
      attempt->reader.reset();
      co_return base::make_error_code(base::Errc::change_in_progress);
    }
    attempt->index_term = *term;
  }
  const base::Index index = attempt->reader->header().meta.applied;
  // While it is under way the log keeps what follows it.
  member_.on_snapshot_started(peer, index);
  const auto endpoints = co_await peers_.resolve(name);
  if (!endpoints) co_return endpoints.error();
  net::SnapshotOffer offer;
  offer.term = node.term();
  offer.index = index;
  offer.index_term = attempt->index_term;
  offer.total_bytes = member_.store().size().backend.in_use_bytes;
  offer.header = kv::encode_snapshot_header(attempt->reader->header());
  sink_.info("snapshot", "sending to " + name,
             {{"peer_id", base::to_hex(peer)}, {"index", index.value}, {"about_mib", as_mib(offer.total_bytes)}});
  net::SnapshotSendOptions options;
  options.rate_bytes_per_s = rate_bytes_per_s_;
  ReaderSource source(*attempt->reader);
  net::SnapshotProgress progress;
  auto result =
      co_await net::send_snapshot(*endpoints, net::make_hello(peers_.identity(), net::Channel::snapshot, peer),
                                  std::move(offer), &source, &progress, options);
  counters_.sent_bytes += progress.sent_bytes;
  co_return result;
}

// What has arrived of the one snapshot that is on its way.
struct SnapshotInstaller::Incoming {
  net::SnapshotOffer offer;
  core::Configuration configuration;
  std::string folder;
  std::unique_ptr<kv::SnapshotWriter> writer;
};

SnapshotInstaller::SnapshotInstaller(net::Executor executor, StoreSlots& slots, kv::RocksdbOptions store_options,
                                     std::function<Member*()> member, std::function<bool()> is_reading,
                                     base::LogSink& sink, SnapshotCounters& counters)
    : executor_(executor),
      slots_(slots),
      store_options_(std::move(store_options)),
      member_(std::move(member)),
      is_reading_(std::move(is_reading)),
      sink_(sink),
      counters_(counters) {}

SnapshotInstaller::~SnapshotInstaller() {
  if (opener_.joinable()) opener_.join();
  if (closer_.joinable()) closer_.join();
}

net::Awaitable<base::Result<std::string>> SnapshotInstaller::on_offer(net::PeerInfo from, net::SnapshotOffer offer) {
  const Member* member = member_();
  if (member == nullptr) co_return base::make_error_code(base::Errc::stopped);
  const core::Node& node = member->node();
  if (offer.term < node.term() || node.role() == core::Role::leader || offer.index_term > offer.term) {
    co_return base::make_error_code(base::Errc::not_leader);
  }
  if (!node.needs_snapshot(offer.index, offer.index_term)) co_return base::make_error_code(base::Errc::not_needed);
  const bool is_same = incoming_ && incoming_->offer.index == offer.index &&
                       incoming_->offer.index_term == offer.index_term && incoming_->offer.header == offer.header;
  if (is_same) {
    incoming_->offer = std::move(offer);
    co_return encode_position(incoming_->writer->position());
  }
  if (const auto begun = co_await begin(from, std::move(offer)); !begun) co_return begun.error();
  co_return std::string();
}

net::Awaitable<base::Result<void>> SnapshotInstaller::begin(net::PeerInfo from, net::SnapshotOffer offer) {
  give_up();
  const auto header = kv::decode_snapshot_header(offer.header);
  if (!header) co_return header.error();
  auto configuration = core::decode_configuration(header->meta.configuration.view());
  if (!configuration) co_return configuration.error();
  if (header->meta.applied != offer.index) co_return base::make_error_code(base::Errc::malformed);
  sink_.info(
      "snapshot", "receiving, because the entries that this member lacks are in no log any more",
      {{"peer_id", base::to_hex(from.node)}, {"index", offer.index.value}, {"about_mib", as_mib(offer.total_bytes)}});
  auto incoming = std::make_unique<Incoming>();
  incoming->offer = std::move(offer);
  incoming->configuration = std::move(*configuration);
  incoming->folder = slots_.fresh();
  const auto backend = std::make_shared<std::unique_ptr<kv::Backend>>();
  kv::RocksdbOptions options = store_options_;
  options.directory = incoming->folder;
  co_await run_blocking(&opener_, [backend, options] { *backend = std::make_unique<kv::RocksdbBackend>(options); });
  incoming->writer = std::make_unique<kv::SnapshotWriter>(std::move(*backend), *header);
  incoming_ = std::move(incoming);
  co_return base::Result<void>{};
}

net::Awaitable<void> SnapshotInstaller::run_blocking(std::thread* thread, std::function<void()> work) {
  if (thread->joinable()) thread->join();
  // Shared, because the waiting coroutine may be cancelled while the work goes on.
  struct Finished {
    explicit Finished(const net::Executor& executor) : event(executor) {}
    net::Event event;
    std::exception_ptr failure;
  };
  const auto finished = std::make_shared<Finished>(executor_);
  *thread = std::thread([executor = executor_, finished, work = std::move(work)] {
    try {
      work();
    } catch (...) {
      finished->failure = std::current_exception();
    }
    boost::asio::post(executor, [finished] { finished->event.notify(); });
  });
  co_await finished->event.wait();
  if (finished->failure) std::rethrow_exception(finished->failure);
}

void SnapshotInstaller::give_up() {
  if (!incoming_) return;
  const std::string folder = incoming_->folder;
  incoming_.reset();
  StoreSlots::remove(folder);
}

net::Awaitable<base::Result<void>> SnapshotInstaller::on_chunk(net::PeerInfo, std::string_view bytes) {
  const base::Instant give_up_at = net::now() + busy_limit;
  while (incoming_) {
    const auto taken = incoming_->writer->add_chunk(bytes);
    if (taken) counters_.received_bytes += bytes.size();
    if (taken || taken.error() != base::Errc::too_many_requests) co_return taken;
    if (net::now() > give_up_at) co_return base::make_error_code(base::Errc::timed_out);
    co_await net::sleep_for(busy_pause);
  }
  co_return base::make_error_code(base::Errc::cancelled);
}

net::Awaitable<base::Result<base::Index>> SnapshotInstaller::on_end(net::PeerInfo, std::string_view trailer) {
  const auto total = decode_total(trailer);
  if (!total) co_return total.error();
  const base::Instant give_up_at = net::now() + busy_limit;
  bool is_finishing = false;
  while (incoming_ && net::now() < give_up_at) {
    if (!is_finishing) {
      const auto begun = incoming_->writer->begin_finish(*total);
      if (!begun && begun.error() != base::Errc::too_many_requests) {
        give_up();
        co_return begun.error();
      }
      is_finishing = begun.has_value();
    } else if (incoming_->writer->is_durable()) {
      co_return install();
    }
    co_await net::sleep_for(busy_pause);
  }
  give_up();
  co_return base::make_error_code(base::Errc::timed_out);
}

// In one turn of the reactor: nothing happens between the exchange of the folders and that of the stores.
base::Result<base::Index> SnapshotInstaller::install() {
  Member* member = member_();
  const core::SnapshotPoint point{incoming_->offer.index, incoming_->offer.index_term, incoming_->configuration};
  const core::Node& node = member->node();
  const bool is_of_use =
      node.role() != core::Role::leader && node.term() >= point.term && node.needs_snapshot(point.index, point.term);
  if (!is_of_use) {
    give_up();
    return base::make_error_code(base::Errc::not_needed);
  }
  std::unique_ptr<kv::Store> store = incoming_->writer->take_store();
  const std::string old_folder = slots_.active();
  slots_.activate(incoming_->folder, {point.index, point.term});
  incoming_.reset();
  retired_.push_back({member->install_snapshot(point, std::move(store)), old_folder});
  ++counters_.installed;
  sink_.info("snapshot", "installed", {{"index", point.index.value}, {"term", point.term.value}});
  return point.index;
}

void SnapshotInstaller::on_abort(net::PeerInfo from) {
  if (!incoming_) return;
  sink_.warn("snapshot", "the transfer was interrupted; it goes on from here when it is offered again",
             {{"peer_id", base::to_hex(from.node)}});
}

net::Awaitable<void> SnapshotInstaller::run() {
  while (true) {
    co_await net::sleep_for(retire_interval);
    if (retired_.empty() || is_reading_()) continue;
    const auto retired = std::make_shared<std::vector<Retired>>(std::exchange(retired_, {}));
    co_await run_blocking(&closer_, [retired] {
      for (Retired& one : *retired) {
        one.store.reset();
        StoreSlots::remove(one.folder);
      }
    });
  }
}

}  // namespace whitewater::server
