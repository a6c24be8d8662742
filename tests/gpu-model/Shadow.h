// Shadow memory: who accessed each word last, and what no order of events excuses.
#pragma once

#include "tests/gpu-model/Report.h"
#include "tests/gpu-model/VectorClock.h"

#include <array>
#include <cstddef>
#include <optional>

namespace ein::gpumodel {

enum class Access : uint8_t { Read, Write, Atomic };

/// Who accesses, and what it knows to have happened.
struct Actor {
  const VectorClock &clock;
  Epoch now;
  uint32_t cluster = 0;
};

/// Why an access is a fault.
struct Trouble {
  Fault kind;
  const char *what; ///< "is written by", behind the access and in front of who `other` is; or a whole reason
  Epoch other;      ///< time 0: nobody in particular
  uint32_t cluster = 0;
};

/// The last accesses of each 4-byte word, each with the bytes that it touched, and which bytes were ever written.
class WordShadow {
public:
  explicit WordShadow(size_t bytes = 0, bool initialised = false) { reset(bytes, initialised); }
  void reset(size_t bytes, bool initialised);

  /// Checks the access against those before and remembers it.
  std::optional<Trouble> access(size_t offset, size_t bytes, Access kind, const Actor &actor);
  /// Whether what was written in [offset, offset + bytes) by threads is ordered before `actor` and fenced for the
  /// asynchronous proxy; remembers nothing.
  std::optional<Trouble> asyncRead(size_t offset, size_t bytes, const Actor &actor) const;
  /// The same for overwriting it.
  std::optional<Trouble> asyncWrite(size_t offset, size_t bytes, const Actor &actor) const;
  /// Forgets accesses; bytes stay initialised.
  void forget(size_t offset, size_t bytes);

  void initialise(size_t offset, size_t bytes);
  bool initialised(size_t offset, size_t bytes) const;

private:
  /// An access in 64 bits; 0 is none.
  struct Entry {
    uint64_t bits = 0;
    static Entry make(const Actor &actor, Access kind, unsigned mask);
    explicit operator bool() const { return bits != 0; }
    Epoch epoch() const { return {uint32_t(bits >> 27 & 0x1fff), uint32_t(bits & 0x7ffffff)}; }
    uint32_t cluster() const { return uint32_t(bits >> 40 & 0xffff); }
    unsigned mask() const { return unsigned(bits >> 56 & 0xf); }
    Access kind() const { return Access(bits >> 60 & 3); }
    bool before(const Actor &actor) const;
  };
  using Word = std::array<Entry, 4>;
  std::optional<Trouble> accessWord(Word &word, unsigned mask, Access kind, const Actor &actor);
  template <class Refuses>
  std::optional<Trouble> look(size_t offset, size_t bytes, const char *what, Refuses refuses) const;

  std::vector<Word> words;
  std::vector<uint8_t> written; ///< one for each byte
  unsigned victim = 0;          ///< where the next entry goes if all are taken
};

/// Shared memory of a block: words for its threads, pieces of 16 bytes for what works asynchronously.
class SharedShadow {
public:
  void reset(size_t bytes);

  /// An access of a thread.
  std::optional<Trouble> access(size_t offset, size_t bytes, Access kind, const Actor &actor);
  /// A transfer into the 16 bytes at `offset` begins, which will be complete at `done`.
  std::optional<Trouble> beginWrite(size_t offset, const Actor &actor, Epoch done);
  void endWrite(size_t offset);
  /// An asynchronous read of the 16 bytes at `offset` begins, which will be complete at `done`.
  std::optional<Trouble> beginRead(size_t offset, const Actor &actor, Epoch done);
  /// The 8 bytes at `offset` are an mbarrier from here on: nothing but its own operations may touch them.
  void makeBarrier(size_t offset) { pieces[offset / kPiece].barriers |= 1 << offset / 8 % 2; }
  /// They are plain memory again.
  void freeBarrier(size_t offset) { pieces[offset / kPiece].barriers &= ~(1 << offset / 8 % 2); }

  static constexpr size_t kPiece = 16;

private:
  struct Piece {
    Epoch written;              ///< by the last transfer
    std::array<Epoch, 3> reads; ///< of different agents
    uint8_t landing = 0;        ///< transfers under way
    bool touched = false;       ///< by threads, since the last transfer
    uint8_t barriers = 0;       ///< bit 0: the lower half is an mbarrier
  };

  std::vector<Piece> pieces;
  WordShadow words;
};

} // namespace ein::gpumodel
