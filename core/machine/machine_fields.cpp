#include "core/machine/machine_fields.h"

#include <fmt/format.h>

#include <utility>

namespace tilewright {

std::string_view name_of(VectorOp op) {
  constexpr std::string_view kNames[] = {
      "add",       "sub",       "mul",     "max",        "min",   "div",     "adds",
      "muls",      "exp",       "ln",      "sqrt",       "rsqrt", "convert", "copy",
      "dup",       "row_sum",   "row_max", "row_argmax", "mask",  "less",    "block_sum",
      "block_max", "block_min", "index",   "gather",     "sort",  "merge",   "select",
      "less_equal", "equal",    "and",     "or",         "shift_lefts", "shift_rights"};
  return kNames[static_cast<int>(op)];
}

namespace {

constexpr double kMaxBytes = 1e13;
constexpr double kMaxCycles = 1e7;
constexpr double kMaxRate = 1e6;

#define TW_FIELD(path, unit, whole, min, max, meaning)               \
  FieldEntry {                                                       \
    {#path, unit, meaning, whole, min, max},                         \
        [](Machine& machine) { return FieldPointer(&machine.path); } \
  }
#define TW_COUNT(path, max, meaning) TW_FIELD(path, "", true, 1, max, meaning)
#define TW_BYTES(path, min, meaning) TW_FIELD(path, "B", true, min, kMaxBytes, meaning)
#define TW_RATE(path, meaning) TW_FIELD(path, "B/cycle", false, 0.01, kMaxRate, meaning)
#define TW_CYCLES(path, meaning) TW_FIELD(path, "cycles", false, 0, kMaxCycles, meaning)

std::vector<FieldEntry> make_entries() {
  std::vector<FieldEntry> entries = {
      TW_COUNT(cores.aic, 4096, "cube cores"),
      TW_COUNT(cores.aiv_per_aic, 16, "vector cores beside each cube core"),
      TW_FIELD(cores.clock_mhz, "MHz", false, 1, 100000, "clock of all cores and of the L2"),
      TW_BYTES(buffers.l1_bytes, 1024, "L1 of a cube core"),
      TW_BYTES(buffers.l0a_bytes, 512, "left operand buffer of a cube core"),
      TW_BYTES(buffers.l0b_bytes, 512, "right operand buffer of a cube core"),
      TW_BYTES(buffers.l0c_bytes, 1024, "accumulator buffer of a cube core"),
      TW_BYTES(buffers.ub_bytes, 1024, "unified buffer of a vector core"),
      TW_BYTES(buffers.bt_bytes, 64, "bias table of a cube core"),
      TW_BYTES(buffers.fb_scale_bytes, 128,
               "scales in the fixpipe buffer of a cube core, 8 B each"),
      TW_BYTES(buffers.l1_align, 1, "alignment of tiles in L1"),
      TW_BYTES(buffers.l0a_align, 1, "alignment of tiles in L0A"),
      TW_BYTES(buffers.l0b_align, 1, "alignment of tiles in L0B"),
      TW_BYTES(buffers.l0c_align, 1, "alignment of tiles in L0C"),
      TW_BYTES(buffers.ub_align, 1, "alignment of tiles in UB"),
      TW_BYTES(buffers.bt_align, 1, "alignment of biases in the bias table"),
      TW_BYTES(buffers.fb_align, 1, "alignment of scales in the fixpipe buffer"),
      TW_FIELD(cube.fractal_m, "", true, 16, 16, "rows of one cube step; layouts know 16 only"),
      TW_FIELD(cube.fractal_n, "", true, 16, 16, "columns of one cube step; layouts know 16 only"),
      TW_FIELD(cube.fractal_k_bytes, "B", true, 32, 32,
               "depth of one cube step; layouts know 32 only"),
      TW_CYCLES(cube.head_cycles, "fixed cost of a matrix instruction"),
      TW_FIELD(cube.cycles_per_fractal, "cycles", false, 0.01, 1000, "time of one cube step"),
      TW_FIELD(cube.f32_factor, "", false, 0.1, 100, "slow-down of f32 steps of equal bytes"),
      TW_RATE(mte1.l0a_bytes_per_cycle, "L1 to L0A"),
      TW_RATE(mte1.l0b_bytes_per_cycle, "L1 to L0B"),
      TW_CYCLES(mte1.fixed_cycles, "fixed cost of an L1 to L0 transfer"),
      TW_RATE(mte2.l1_bytes_per_cycle, "GM to L1, one core alone, data in L2"),
      TW_RATE(mte2.ub_bytes_per_cycle, "GM to UB, one core alone, data in L2"),
      TW_CYCLES(mte2.fixed_cycles, "fixed cost of a load from GM"),
      TW_BYTES(mte2.lookahead_burst_bytes, 1,
               "loads with bursts of at least this size are requested while the one before runs"),
      TW_BYTES(mte2.outstanding_bytes, 32, "requests that a core can have under way to HBM"),
      TW_RATE(mte3.bytes_per_cycle, "UB to GM, one core alone"),
      TW_CYCLES(mte3.fixed_cycles, "fixed cost of a store from UB"),
      TW_CYCLES(fixpipe.head_cycles, "fixed cost of draining an L0C tile"),
      TW_CYCLES(fixpipe.row_cycles, "least cost of a drained row"),
      TW_RATE(fixpipe.bytes_per_cycle, "L0C to GM"),
      TW_CYCLES(fixpipe.odd_row_cycles, "extra cost a row by the odd part of its 8-column groups"),
      TW_BYTES(l2.capacity_bytes, 1024, "L2 cache shared by all cores"),
      TW_RATE(l2.read_bytes_per_cycle, "L2 reads, all cores together"),
      TW_RATE(l2.write_bytes_per_cycle, "L2 writes, all cores together"),
      TW_FIELD(l2.piece_bytes, "B", true, 1, 4096,
               "least piece of a transfer: shorter rows cost as much"),
      TW_FIELD(l2.align_bytes, "B", true, 1, 4096, "alignment in GM that reaches the full rate"),
      TW_FIELD(l2.misaligned_rate, "", false, 0.01, 1, "share of the rate at an alignment of 32 B"),
      TW_CYCLES(l2.same_address_cycles,
                "that a load waits for each other core reading the same sector"),
      TW_BYTES(hbm.capacity_bytes, 1024, "device memory"),
      TW_FIELD(hbm.gb_per_s, "GB/s", false, 0.1, 1e6, "sustained HBM bandwidth, long bursts"),
      TW_CYCLES(hbm.read_latency_cycles, "added to a load that misses L2"),
      TW_FIELD(hbm.burst_overhead_bytes, "B", false, 0, 1e6,
               "bytes of HBM time lost at the start of each burst"),
      TW_BYTES(vector.repeat_bytes, 1, "bytes that one repeat of a vector instruction handles"),
      TW_COUNT(vector.bank_groups, 1024, "groups of UB banks; rows go round them"),
      TW_BYTES(vector.bank_bytes, 32, "size of a UB bank"),
      TW_BYTES(vector.bank_row_bytes, 1, "row of a UB bank: one a group and cycle"),
      TW_CYCLES(vector.bank_conflict_cycles, "that a repeat loses to operands in one bank"),
      TW_FIELD(scalar.issue_cycles, "cycles", false, 0, kMaxCycles,
               "scalar time to issue one instruction"),
      TW_COUNT(scalar.queue_depth, 1024, "instructions that a pipe's queue holds"),
      TW_CYCLES(sync.flag_cycles,
                "from the end of an instruction to a waiting one of the same core"),
      TW_CYCLES(sync.handover_cycles, "the same between cube and vector cores, through L2"),
      TW_CYCLES(sync.barrier_cycles, "the same for a barrier over all cores"),
      TW_FIELD(launch.launch_us, "us", false, 0, 1e6, "start of a kernel"),
      TW_CYCLES(launch.dispatch_cycles, "dispatch of its blocks to the cores"),
      TW_FIELD(launch.host_step_us, "us", false, 0, 1e7, "host work between two serving steps"),
  };
  std::vector<FieldEntry> optional = {
      TW_FIELD(host.op_us, "us", false, 0, 1e6, "host time to send one op, eager mode"),
      TW_FIELD(host.graph_us, "us", false, 0, 1e6, "host time to replay a captured graph"),
      TW_COUNT(host.graphs, 1e9, "graphs of a layer that can be captured"),
      TW_COUNT(fabric.chips, 64, "chips that the fabric joins; 1: there is none"),
      TW_FIELD(fabric.link_gb_per_s, "GB/s", false, 0.01, 1e5,
               "nominal bandwidth of a link between chips, one way"),
      TW_FIELD(fabric.latency_us, "us", false, 0, 1e5, "latency of a link, one way"),
      TW_FIELD(fabric.efficiency, "", false, 0.01, 1,
               "share of a link's bandwidth that transfers reach"),
  };
  for (FieldEntry& entry : optional) {
    entry.optional_group = true;
    entries.push_back(std::move(entry));
  }
  constexpr const char* kParts[] = {"head", "slope", "tail"};
  constexpr const char* kMeanings[] = {"cycles when the pipe was empty", "cycles a repeat",
                                       "cycles until the result can be used"};
  for (bool half : {false, true}) {
    for (int op = 0; op < kVectorOpCount; ++op) {
      for (int part = 0; part < 3; ++part) {
        entries.push_back({{fmt::format("vector.{}.{}.{}", half ? "half_cost" : "cost",
                                        name_of(static_cast<VectorOp>(op)), kParts[part]),
                            "cycles", kMeanings[part], false, part == 1 ? 0.001 : 0, kMaxCycles},
                           nullptr,
                           op,
                           part,
                           half});
      }
    }
  }
  return entries;
}

}  // namespace

const std::vector<FieldEntry>& field_entries() {
  static const std::vector<FieldEntry> entries = make_entries();
  return entries;
}

FieldPointer pointer_to(Machine& machine, const FieldEntry& entry) {
  if (entry.access) return entry.access(machine);
  auto& table = entry.half ? machine.vector.half_cost : machine.vector.cost;
  VectorCost& cost = table[static_cast<size_t>(entry.vector_op)];
  double* const parts[] = {&cost.head, &cost.slope, &cost.tail};
  return parts[entry.vector_part];
}

}  // namespace tilewright
