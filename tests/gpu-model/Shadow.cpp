// The rules by which two accesses are a race.
#include "tests/gpu-model/Shadow.h"

namespace ein::gpumodel {

WordShadow::Entry WordShadow::Entry::make(const Actor &actor, Access kind, unsigned mask) {
  return {uint64_t(actor.now.time & 0x7ffffff) | uint64_t(actor.now.agent & 0x1fff) << 27 |
          uint64_t(actor.cluster & 0xffff) << 40 | uint64_t(mask) << 56 | uint64_t(kind) << 60};
}

bool WordShadow::Entry::before(const Actor &actor) const {
  if (cluster() != actor.cluster) return actor.clock.coversForeign(cluster(), epoch());
  return actor.clock.covers(epoch());
}

void WordShadow::reset(size_t bytes, bool initialised) {
  words.assign((bytes + 3) / 4, Word{});
  written.assign(bytes, initialised);
}

/// Remembers the fewest accesses that still show every race to come: what is ordered before this one and lies within
/// its bytes is implied by it, unless this only reads.
std::optional<Trouble> WordShadow::accessWord(Word &word, unsigned mask, Access kind, const Actor &actor) {
  std::optional<Trouble> trouble;
  Entry *place = nullptr;
  for (Entry &entry : word) {
    if (entry) {
      bool before = entry.before(actor);
      bool harmless = (entry.kind() == Access::Read && kind == Access::Read) ||
                      (entry.kind() == Access::Atomic && kind == Access::Atomic);
      if ((entry.mask() & mask) != 0 && !harmless && !before)
        trouble = {Fault::Race, entry.kind() == Access::Read ? "is read by" : "is written by", entry.epoch(),
                   entry.cluster()};
      bool implied = before && (entry.mask() & ~mask) == 0 && (kind != Access::Read || entry.kind() == Access::Read);
      if (implied) entry = {};
    }
    if (!entry && !place) place = &entry;
  }
  if (!place) place = &word[victim++ % word.size()];
  *place = Entry::make(actor, kind, mask);
  return trouble;
}

std::optional<Trouble> WordShadow::access(size_t offset, size_t bytes, Access kind, const Actor &actor) {
  std::optional<Trouble> trouble;
  size_t end = offset + bytes;
  for (size_t at = offset; at < end;) {
    size_t stop = std::min(end, at / 4 * 4 + 4);
    unsigned mask = ((1u << (stop - at)) - 1) << at % 4;
    if (std::optional<Trouble> found = accessWord(words[at / 4], mask, kind, actor)) trouble = found;
    at = stop;
  }
  if (kind != Access::Write && !initialised(offset, bytes))
    return Trouble{Fault::Uninitialised, "was never written", {}};
  if (kind != Access::Read) initialise(offset, bytes);
  return trouble;
}

template <class Refuses>
std::optional<Trouble> WordShadow::look(size_t offset, size_t bytes, const char *what, Refuses refuses) const {
  for (size_t i = offset / 4; i < (offset + bytes + 3) / 4; ++i)
    for (const Entry &entry : words[i])
      if (entry && refuses(entry)) return Trouble{Fault::Race, what, entry.epoch(), entry.cluster()};
  return std::nullopt;
}

std::optional<Trouble> WordShadow::asyncRead(size_t offset, size_t bytes, const Actor &actor) const {
  auto unordered = [&](const Entry &e) { return e.kind() != Access::Read && !e.before(actor); };
  if (auto trouble = look(offset, bytes, "is written by", unordered)) return trouble;
  auto unfenced = [&](const Entry &e) { return e.kind() != Access::Read && !actor.clock.coversFenced(e.epoch()); };
  if (auto trouble = look(offset, bytes, "is written, without a fence.proxy.async behind it, by", unfenced))
    return trouble;
  if (!initialised(offset, bytes)) return Trouble{Fault::Uninitialised, "was never written", {}};
  return std::nullopt;
}

std::optional<Trouble> WordShadow::asyncWrite(size_t offset, size_t bytes, const Actor &actor) const {
  return look(offset, bytes, "is accessed by", [&](const Entry &e) { return !e.before(actor); });
}

void WordShadow::forget(size_t offset, size_t bytes) {
  std::fill(words.begin() + offset / 4, words.begin() + (offset + bytes + 3) / 4, Word{});
}

void WordShadow::initialise(size_t offset, size_t bytes) { std::fill_n(written.begin() + offset, bytes, 1); }

bool WordShadow::initialised(size_t offset, size_t bytes) const {
  return std::find(written.begin() + offset, written.begin() + offset + bytes, 0) == written.begin() + offset + bytes;
}

void SharedShadow::reset(size_t bytes) {
  pieces.assign((bytes + kPiece - 1) / kPiece, Piece{});
  words.reset(bytes, false);
}

std::optional<Trouble> SharedShadow::access(size_t offset, size_t bytes, Access kind, const Actor &actor) {
  std::optional<Trouble> trouble;
  for (size_t i = offset / kPiece; i <= (offset + bytes - 1) / kPiece; ++i) {
    Piece &piece = pieces[i];
    piece.touched = true;
    size_t begin = std::max(offset, i * kPiece), end = std::min(offset + bytes, (i + 1) * kPiece);
    unsigned halves = (begin % kPiece < 8 ? 1 : 0) | ((end - 1) % kPiece >= 8 ? 2 : 0);
    if (piece.barriers & halves) trouble = {Fault::Protocol, "belongs to an mbarrier", {}};
    if (piece.landing) trouble = {Fault::Race, "is still being written by", piece.written};
    if (!actor.clock.covers(piece.written)) trouble = {Fault::Race, "is written by", piece.written};
    if (kind == Access::Read) continue;
    for (Epoch read : piece.reads)
      if (!actor.clock.covers(read)) trouble = {Fault::Race, "is still read by", read};
  }
  std::optional<Trouble> found = words.access(offset, bytes, kind, actor);
  return trouble ? trouble : found;
}

std::optional<Trouble> SharedShadow::beginWrite(size_t offset, const Actor &actor, Epoch done) {
  Piece &piece = pieces[offset / kPiece];
  std::optional<Trouble> trouble;
  if (piece.barriers) trouble = {Fault::Protocol, "belongs to an mbarrier", {}};
  if (piece.landing || !actor.clock.covers(piece.written)) trouble = {Fault::Race, "is written by", piece.written};
  for (Epoch &read : piece.reads) {
    if (!actor.clock.covers(read)) trouble = {Fault::Race, "is still read by", read};
    read = {};
  }
  if (piece.touched) {
    if (auto found = words.asyncWrite(offset, kPiece, actor)) trouble = found;
    words.forget(offset, kPiece);
    piece.touched = false;
  }
  ++piece.landing;
  piece.written = done;
  return trouble;
}

void SharedShadow::endWrite(size_t offset) {
  --pieces[offset / kPiece].landing;
  words.initialise(offset, kPiece);
}

std::optional<Trouble> SharedShadow::beginRead(size_t offset, const Actor &actor, Epoch done) {
  Piece &piece = pieces[offset / kPiece];
  Epoch *place = nullptr;
  for (Epoch &read : piece.reads)
    if (read.agent == done.agent || read.time == 0 || actor.clock.covers(read)) place = &read;
  *(place ? place : &piece.reads[0]) = done;
  if (piece.landing) return Trouble{Fault::Race, "is still being written by", piece.written};
  if (!actor.clock.covers(piece.written)) return Trouble{Fault::Race, "is written by", piece.written};
  if (piece.touched) return words.asyncRead(offset, kPiece, actor);
  if (!words.initialised(offset, kPiece)) return Trouble{Fault::Uninitialised, "was never written", {}};
  return std::nullopt;
}

} // namespace ein::gpumodel
