#include "sim/snapshot_transfers.hpp"

#include "sim/failure.hpp"

namespace whitewater::sim {
namespace {

constexpr std::size_t chunk_bytes = 2048;
constexpr std::uint64_t retry_us_max = 50'000;

}  // namespace

struct SnapshotTransfers::Transfer {
  std::uint64_t number = 0;  // a step that was planned for an earlier transfer does nothing
  std::uint64_t from_run = 0;
  std::uint64_t to_run = 0;
  std::unique_ptr<kv::SnapshotReader> reader;
  core::Term term;
  std::shared_ptr<kv::MemoryDisk> disk;  // of the receiver's new store
  std::unique_ptr<kv::SnapshotWriter> writer;
  bool is_finishing = false;
  bool is_interrupted = false;
  std::optional<core::Index> told;  // to the leader at the end
};

SnapshotTransfers::SnapshotTransfers(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng)
    : world_(world), members_(members), rng_(rng) {}

SnapshotTransfers::~SnapshotTransfers() = default;

void SnapshotTransfers::want(std::size_t from, std::size_t to) {
  const auto [found, is_new] = transfers_.try_emplace({from, to});
  if (!is_new) return;
  found->second.number = next_number_++;
  found->second.from_run = members_[from]->incarnation();
  step_later({from, to}, found->second);
}

void SnapshotTransfers::on_store_gone(std::size_t member) {
  std::erase_if(transfers_, [&](const auto& item) { return item.first.first == member; });
}

void SnapshotTransfers::step_later(Key key, const Transfer& transfer) {
  const std::uint64_t us_max = transfer.is_interrupted ? retry_us_max : world_.options.snapshot_chunk_us_max;
  world_.scheduler.after(base::microseconds(rng_.in_range(1, us_max)),
                         [this, key, number = transfer.number] { step(key, number); });
}

void SnapshotTransfers::step(Key key, std::uint64_t number) {
  const auto found = transfers_.find(key);
  if (found == transfers_.end() || found->second.number != number) return;
  if (advance(key, found->second)) {
    step_later(key, found->second);
    return;
  }
  // Gone before its leader hears of it: what the leader does then may ask for the next one.
  const auto told = found->second.told;
  transfers_.erase(found);
  if (told) members_[key.first]->snapshot_sent(key.second, *told);
}

bool SnapshotTransfers::advance(Key key, Transfer& transfer) {
  const auto [from, to] = key;
  if (!members_[from]->is_up() || members_[from]->incarnation() != transfer.from_run) return false;
  const auto& progress = members_[from]->replica().node().progress();
  const auto follower = progress.find(SimMember::id_of(to));
  if (follower == progress.end() || follower->second.state() != core::Progress::State::snapshot) return false;
  const bool is_cut = world_.network.is_blocked(from, to) || world_.network.is_blocked(to, from);
  transfer.is_interrupted =
      !members_[to]->is_up() || members_[to]->is_paused() || members_[from]->is_paused() || is_cut;
  if (transfer.is_interrupted) return true;
  if (!transfer.reader && !open(key, transfer)) return true;
  if (!transfer.writer || transfer.to_run != members_[to]->incarnation()) return offer(key, transfer);
  if (transfer.is_finishing) return finish(key, transfer);
  if (auto chunk = transfer.reader->next_chunk(chunk_bytes)) {
    const auto taken = transfer.writer->add_chunk(chunk->bytes);
    require(taken.has_value(), [&] { return "a snapshot's chunk is refused: " + taken.error().message(); });
    return true;
  }
  const auto begun = transfer.writer->begin_finish(*transfer.reader->total());
  require(begun.has_value(), [&] { return "a snapshot's end is refused: " + begun.error().message(); });
  transfer.is_finishing = true;
  return true;
}

bool SnapshotTransfers::open(Key key, Transfer& transfer) {
  SimMember& leader = *members_[key.first];
  auto reader = leader.replica().store().open_snapshot();
  const core::Index index = reader->header().meta.applied;
  const auto term = leader.replica().node().log().term_at(index);
  if (!term || reader->header().meta.configuration.empty()) return false;
  transfer.reader = std::move(reader);
  transfer.term = *term;
  leader.snapshot_started(key.second, index);
  return true;
}

bool SnapshotTransfers::offer(Key key, Transfer& transfer) {
  SimMember& leader = *members_[key.first];
  const core::Node& receiver = members_[key.second]->replica().node();
  const core::Index index = transfer.reader->header().meta.applied;
  if (leader.replica().node().term() < receiver.term() || receiver.role() == core::Role::leader) return true;
  if (!receiver.needs_snapshot(index, transfer.term)) {
    transfer.told = core::Index(0);
    return false;
  }
  require(transfer.reader->seek(kv::RecordId{}).has_value(), [] { return "a reader does not begin again"; });
  transfer.to_run = members_[key.second]->incarnation();
  transfer.disk = std::make_shared<kv::MemoryDisk>();
  transfer.writer = std::make_unique<kv::SnapshotWriter>(std::make_unique<kv::MemoryBackend>(transfer.disk),
                                                         transfer.reader->header());
  transfer.is_finishing = false;
  return true;
}

bool SnapshotTransfers::finish(Key key, Transfer& transfer) {
  if (!transfer.writer->is_durable()) return true;
  SimMember& receiver = *members_[key.second];
  const core::Node& node = receiver.replica().node();
  const core::Index index = transfer.reader->header().meta.applied;
  const bool is_of_use =
      node.role() != core::Role::leader && node.term() >= transfer.term && node.needs_snapshot(index, transfer.term);
  if (is_of_use) {
    auto configuration = core::decode_configuration(transfer.reader->header().meta.configuration.view());
    require(configuration.has_value(), [] { return "a snapshot's configuration does not decode"; });
    auto store = transfer.writer->take_store();
    transfer.writer.reset();
    on_store_gone(key.second);
    ++installed_;
    receiver.install_snapshot({index, transfer.term, *configuration}, std::move(store), transfer.disk);
  }
  transfer.told = is_of_use ? index : core::Index(0);
  return false;
}

}  // namespace whitewater::sim
