// Operations of the NVVM dialect but for tensor cores.
#include "tests/gpu-model/ModelCalls.h"
#include "tests/gpu-model/Runtime.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace ein::gpumodel {
namespace {

/// Number of the register that an operation reads; see SpecialRegister.
std::optional<uint32_t> specialRegister(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (!name.consume_front("nvvm.read.ptx.sreg.")) return std::nullopt;
  static const llvm::StringMap<SpecialRegister> kGroups = {{"tid", SpecialRegister::Thread},
                                                           {"ntid", SpecialRegister::Threads},
                                                           {"ctaid", SpecialRegister::Block},
                                                           {"nctaid", SpecialRegister::Blocks},
                                                           {"clusterid", SpecialRegister::Cluster},
                                                           {"nclusterid", SpecialRegister::Clusters},
                                                           {"cluster.ctaid", SpecialRegister::BlockOfCluster},
                                                           {"cluster.nctaid", SpecialRegister::BlocksOfCluster}};
  static const llvm::StringMap<uint32_t> kSingle = {{"cluster.ctarank", uint32_t(SpecialRegister::Rank)},
                                                    {"cluster.nctarank", uint32_t(SpecialRegister::Rank) + 1},
                                                    {"laneid", uint32_t(SpecialRegister::Lane)},
                                                    {"warpid", uint32_t(SpecialRegister::Lane) + 1},
                                                    {"nwarpid", uint32_t(SpecialRegister::Lane) + 2}};
  if (auto single = kSingle.find(name); single != kSingle.end()) return single->second;
  auto group = kGroups.find(name.drop_back(2));
  size_t axis = StringRef("xyz").find(name.back());
  if (group == kGroups.end() || axis == StringRef::npos) return std::nullopt;
  return uint32_t(group->second) + uint32_t(axis);
}

/// Coordinates of a box: their number, then five.
void addCoordinates(ModelCalls &b, ValueRange coordinates, SmallVector<Value> &arguments) {
  arguments.push_back(b.i32(int64_t(coordinates.size())));
  for (size_t i = 0; i < 5; ++i) arguments.push_back(i < coordinates.size() ? coordinates[i] : b.i32(0));
}

Lowered store(Operation *op, Value map, Value source, ValueRange coordinates, bool add) {
  ModelCalls b(op);
  SmallVector<Value> arguments = {map, source};
  addCoordinates(b, coordinates, arguments);
  arguments.push_back(b.i32(add));
  b.replace("tma_store", arguments);
  return Lowered::Done;
}

/// What arriving returns is the phase, of which waits look at the parity.
Lowered arrive(Operation *op, Value barrier, Value count, Value bytes) {
  ModelCalls b(op);
  Value state = b.call("mbarrier_arrive", b.getI64Type(), {barrier, count, bytes});
  if (op->getNumResults()) op->getResult(0).replaceAllUsesWith(state);
  op->erase();
  return Lowered::Done;
}

Lowered lowerMBarrier(Operation *op) {
  ModelCalls b(op);
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([&](NVVM::MBarrierInitOp init) {
        if (init.getPredicate()) return Lowered::Unknown;
        b.replace("mbarrier_init", {init.getAddr(), init.getCount()});
        return Lowered::Done;
      })
      .Case([&](NVVM::MBarrierInvalOp inval) {
        b.replace("mbarrier_inval", inval.getAddr());
        return Lowered::Done;
      })
      .Case([&](NVVM::MBarrierArriveOp a) {
        if (a.getRelaxed()) return Lowered::Unknown;
        return arrive(op, a.getAddr(), b.toI32(a.getCount(), 1), b.i32(0));
      })
      .Case([&](NVVM::MBarrierArriveExpectTxOp a) {
        if (a.getRelaxed() || a.getPredicate()) return Lowered::Unknown;
        return arrive(op, a.getAddr(), b.i32(1), a.getTxcount());
      })
      .Case([&](NVVM::MBarrierExpectTxOp e) { return arrive(op, e.getAddr(), b.i32(0), e.getTxcount()); })
      .Case([&](NVVM::MBarrierTryWaitParityOp wait) {
        b.call("mbarrier_wait", b.getI32Type(), {wait.getAddr(), wait.getPhase(), b.i32(1)});
        op->erase();
        return Lowered::Done;
      })
      .Case<NVVM::MBarrierTestWaitOp, NVVM::MBarrierTryWaitOp>([&](auto wait) {
        if (wait.getRelaxed()) return Lowered::Unknown;
        b.replaceInteger("mbarrier_wait", {wait.getAddr(), b.toI32(wait.getStateOrPhase()), b.i32(0)});
        return Lowered::Done;
      })
      .Default(Lowered::Unknown);
}

Lowered lowerBarrier(Operation *op) {
  ModelCalls b(op);
  auto done = [&](StringRef name, ValueRange arguments) {
    b.replace(name, arguments);
    return Lowered::Done;
  };
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([&](NVVM::Barrier0Op) { return done("barrier", {b.i32(0), b.i32(0)}); })
      .Case([&](NVVM::BarrierOp barrier) {
        if (barrier.getReductionOp()) return Lowered::Unknown;
        return done("barrier", {b.toI32(barrier.getBarrierId()), b.toI32(barrier.getNumberOfThreads())});
      })
      .Case([&](NVVM::BarrierArriveOp a) {
        return done("barrier_arrive", {b.toI32(a.getBarrierId()), a.getNumberOfThreads()});
      })
      .Case([&](NVVM::ClusterArriveOp) { return done("cluster_arrive", b.i32(0)); })
      .Case([&](NVVM::ClusterArriveRelaxedOp) { return done("cluster_arrive", b.i32(1)); })
      .Case([&](NVVM::ClusterWaitOp) { return done("cluster_wait", {}); })
      .Case([&](NVVM::FenceMbarrierInitOp) { return done("fence_mbarrier_init", {}); })
      .Case([&](NVVM::FenceProxyOp fence) {
        if (fence.getKind() != NVVM::ProxyKind::async && fence.getKind() != NVVM::ProxyKind::async_shared)
          return Lowered::Unknown;
        return done("fence_proxy_async", {});
      })
      .Case([&](NVVM::MembarOp) { return done("fence", {}); })
      .Default(Lowered::Unknown);
}

Lowered lowerCopy(Operation *op) {
  ModelCalls b(op);
  auto done = [&](StringRef name, ValueRange arguments) {
    b.replace(name, arguments);
    return Lowered::Done;
  };
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([&](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp load) {
        if (load.getMode() != NVVM::TMALoadMode::TILE || load.getPredicate() || load.getGroup())
          return Lowered::Unknown;
        SmallVector<Value> arguments = {load.getDstMem(), load.getTmaDescriptor(), load.getMbar()};
        addCoordinates(b, load.getCoordinates(), arguments);
        arguments.push_back(b.toI32(load.getMulticastMask()));
        return done("tma_load", arguments);
      })
      .Case([&](NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp s) {
        if (s.getMode() != NVVM::TMAStoreMode::TILE || s.getPredicate()) return Lowered::Unknown;
        return store(op, s.getTmaDescriptor(), s.getSrcMem(), s.getCoordinates(), false);
      })
      .Case([&](NVVM::CpAsyncBulkTensorReduceOp s) {
        if (s.getMode() != NVVM::TMAStoreMode::TILE || s.getRedKind() != NVVM::TMAReduxKind::ADD)
          return Lowered::Unknown;
        return store(op, s.getTmaDescriptor(), s.getSrcMem(), s.getCoordinates(), true);
      })
      .Case([&](NVVM::CpAsyncBulkCommitGroupOp) { return done("bulk_commit", {}); })
      .Case([&](NVVM::CpAsyncBulkWaitGroupOp wait) {
        return done("bulk_wait", {b.i32(wait.getGroup()), b.i32(wait.getRead().value_or(false))});
      })
      .Case([&](NVVM::CpAsyncOp copy) {
        Value bytes = b.toI32(copy.getCpSize(), copy.getSize());
        return done("cp_async", {copy.getDst(), copy.getSrc(), b.i32(copy.getSize()), bytes});
      })
      .Case([&](NVVM::CpAsyncCommitGroupOp) { return done("cp_async_commit", {}); })
      .Case([&](NVVM::CpAsyncWaitGroupOp wait) { return done("cp_async_wait", b.i32(wait.getN())); })
      .Default(Lowered::Unknown);
}

/// f32 goes through the same functions as its bits.
Lowered lowerShuffle(NVVM::ShflOp shuffle) {
  if (shuffle.getReturnValueAndIsValid()) return Lowered::Unknown;
  static constexpr ShuffleKind kKinds[] = {ShuffleKind::Butterfly, ShuffleKind::Up, ShuffleKind::Down,
                                           ShuffleKind::Index};
  ModelCalls b(shuffle);
  Value value = shuffle.getVal();
  if (value.getType().isF32()) value = LLVM::BitcastOp::create(b, b.getI32Type(), value);
  Value result = b.call("shuffle", b.getI32Type(),
                        {shuffle.getThreadMask(), value, shuffle.getOffset(), shuffle.getMaskAndClamp(),
                         b.i32(int64_t(kKinds[size_t(shuffle.getKind())]))});
  if (shuffle.getType().isF32()) result = LLVM::BitcastOp::create(b, b.getF32Type(), result);
  b.replaceWith(result);
  return Lowered::Done;
}

Lowered lowerWarp(Operation *op) {
  ModelCalls b(op);
  return llvm::TypeSwitch<Operation *, Lowered>(op)
      .Case([&](NVVM::ShflOp shuffle) { return lowerShuffle(shuffle); })
      .Case([&](NVVM::VoteSyncOp vote) {
        b.replaceInteger("vote", {vote.getMask(), b.toI32(vote.getPred()), b.i32(int64_t(vote.getKind()))});
        return Lowered::Done;
      })
      .Case([&](NVVM::ElectSyncOp elect) {
        b.replaceInteger("elect", b.toI32(elect.getMembermask(), -1));
        return Lowered::Done;
      })
      .Case([&](NVVM::SyncWarpOp sync) {
        b.replace("warp_sync", sync.getMask());
        return Lowered::Done;
      })
      .Case([&](NVVM::MapaOp mapa) {
        b.replaceWith(b.call("mapa", mapa.getType(), {mapa.getA(), mapa.getB()}));
        return Lowered::Done;
      })
      .Case([&](NVVM::RcpApproxFtzF32Op rcp) {
        Value one = LLVM::ConstantOp::create(b, b.getF32Type(), b.getF32FloatAttr(1));
        b.replaceWith(LLVM::FDivOp::create(b, one, rcp.getArg()).getResult());
        return Lowered::Done;
      })
      .Case<NVVM::SetMaxRegisterOp, NVVM::PrefetchOp, NVVM::GriddepcontrolOp>([&](auto) {
        op->erase(); // what they change, the model does not have
        return Lowered::Done;
      })
      .Default(Lowered::Unknown);
}

} // namespace

Lowered lowerNvvm(Operation *op) {
  if (std::optional<uint32_t> number = specialRegister(op)) {
    ModelCalls b(op);
    b.replaceWith(b.call("register", b.getI32Type(), b.i32(*number)));
    return Lowered::Done;
  }
  for (auto lower : {lowerMBarrier, lowerBarrier, lowerCopy, lowerWarp})
    if (Lowered result = lower(op); result != Lowered::Unknown) return result;
  return Lowered::Unknown;
}

} // namespace ein::gpumodel
