// rand(seed, counter...): a hash of integers, the same number wherever and in whatever order it is computed.
#pragma once

#include <cstdint>

namespace ein {

/// One integer into the state, in 32-bit arithmetic: `Word` has + * ^ and >> as uint32_t does. Multiply and shift
/// mixing rounds whose constants are odd numbers without structure; each output bit depends on each input bit.
template <class Word, class Constant> Word mixRandom(Word state, Word next, Constant k) {
  state = state ^ next * k(0x9E3779B1u);
  state = (state ^ (state >> k(16u))) * k(0x85EBCA6Bu);
  state = (state ^ (state >> k(13u))) * k(0xC2B2AE35u);
  return (state ^ (state >> k(16u))) + k(0x27D4EB2Fu);
}

/// Where the state begins, and how many of its upper bits are the number, as a multiple of 2^-24.
inline constexpr uint32_t kRandomStart = 0x165667B1u, kRandomBits = 24;

} // namespace ein
