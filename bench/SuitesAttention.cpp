// Attention as Programs, beside its two products alone.
#include "bench/Case.h"
#include "ein/Attention.h"

using namespace ein;

namespace bench {

std::vector<Case> attentionSuite() {
  struct Size {
    const char *name;
    int64_t heads, sequence, size;
    bool causal = false;
    HeadLayout layout = HeadLayout::HeadsFirst;
  };
  const Size sizes[] = {{"h4 s512 d64", 4, 512, 64},
                        {"h4 s1024 d64", 4, 1024, 64},
                        {"h4 s2048 d64", 4, 2048, 64},
                        {"h2 s4096 d64", 2, 4096, 64},
                        {"h4 s512 d128", 4, 512, 128},
                        {"h4 s1024 d128", 4, 1024, 128},
                        {"h4 s2048 d128", 4, 2048, 128},
                        {"h4 s512 d64 causal", 4, 512, 64, true},
                        {"h4 s1024 d64 causal", 4, 1024, 64, true},
                        {"h4 s2048 d64 causal", 4, 2048, 64, true},
                        {"h12 s1024 d64 causal (gpt2)", 12, 1024, 64, true},
                        {"h12 s197 d64 (vit-b)", 12, 197, 64},
                        {"h16 s577 d64 (vit-l)", 16, 577, 64},
                        {"h20 s1500 d64 (whisper)", 20, 1500, 64},
                        {"h8 s1024 d40", 8, 1024, 40},
                        {"h4 s1024 d64 sequence first", 4, 1024, 64, false, HeadLayout::SequenceFirst}};
  std::vector<Case> cases;
  for (const Size &s : sizes) {
    AttentionOptions options;
    options.layout = s.layout;
    options.causal = s.causal;
    const bool headsFirst = s.layout == HeadLayout::HeadsFirst;
    const TensorType type(DType::F32, headsFirst ? std::vector{int64_t(1), s.heads, s.sequence, s.size}
                                                 : std::vector{int64_t(1), s.sequence, s.heads, s.size});
    const std::vector<TensorType> operands{type, type, type};
    cases.push_back({"attention", s.name, attentionProgram(operands, options).value(), operands, Comparison::Pair});
  }
  return cases;
}

} // namespace bench
