#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/dtype.h"
#include "core/machine/fabric.h"
#include "core/machine/vector_op.h"

namespace tilewright {

/// Simulated time is counted in ticks of 1/1024 core cycle: an integer, so that no compiler flag
/// can change it.
constexpr int64_t kTicksPerCycle = 1024;

/// Cost of one vector instruction: `head` when the pipe was empty, `slope` for each repeat of 256
/// bytes, `tail` until a waiting instruction may see the result. Cycles.
struct VectorCost {
  double head = 0;
  double slope = 0;
  double tail = 0;
};

/// A name that published measurements give hardware, and how their figures are to be read.
struct MeasuredAs {
  std::string hardware;       ///< exactly as the table of measurements writes it
  int64_t cores = 0;          ///< cube cores that its kernels had; 0: those of the machine
  bool row_cores = false;     ///< each row of the table names its cores
  double boundary_us = 0;     ///< what a measured time holds beyond the simulated kernel time
  std::string boundary = {};  ///< what that is, and where the value comes from

  friend bool operator==(const MeasuredAs&, const MeasuredAs&) = default;
};

/// A description of an NPU chip (split architecture: AIC cube cores, each with its AIV vector
/// cores, which meet only in L2 and HBM) and of the fabric that joins several. Every number is a
/// parameter of the machine file, with unit, range and meaning in machine_fields(); docs/model.md
/// says which formula uses it.
struct Machine {
  std::string name;
  std::string description;
  /// Hardware names of measured data that this file stands for.
  std::vector<MeasuredAs> measured_as;
  /// Where calibrated values come from, by path of the parameter: "fitted to ...".
  std::vector<std::pair<std::string, std::string>> sources;

  struct {
    int64_t aic = 0;
    int64_t aiv_per_aic = 0;
    double clock_mhz = 0;
  } cores;
  struct {
    int64_t l1_bytes = 0;
    int64_t l0a_bytes = 0;
    int64_t l0b_bytes = 0;
    int64_t l0c_bytes = 0;
    int64_t ub_bytes = 0;
    int64_t bt_bytes = 0;
    int64_t fb_scale_bytes = 0;
    int64_t l1_align = 0;
    int64_t l0a_align = 0;
    int64_t l0b_align = 0;
    int64_t l0c_align = 0;
    int64_t ub_align = 0;
    int64_t bt_align = 0;
    int64_t fb_align = 0;
  } buffers;
  struct {
    int64_t fractal_m = 0;
    int64_t fractal_n = 0;
    int64_t fractal_k_bytes = 0;
    double head_cycles = 0;
    double cycles_per_fractal = 0;
    double f32_factor = 0;
  } cube;
  struct {
    double l0a_bytes_per_cycle = 0;
    double l0b_bytes_per_cycle = 0;
    double fixed_cycles = 0;
  } mte1;
  struct {
    double l1_bytes_per_cycle = 0;
    double ub_bytes_per_cycle = 0;
    double fixed_cycles = 0;
    int64_t lookahead_burst_bytes = 0;
    int64_t outstanding_bytes = 0;
  } mte2;
  struct {
    double bytes_per_cycle = 0;
    double fixed_cycles = 0;
  } mte3;
  struct {
    double head_cycles = 0;
    double row_cycles = 0;
    double bytes_per_cycle = 0;
    double odd_row_cycles = 0;
  } fixpipe;
  struct {
    int64_t capacity_bytes = 0;
    double read_bytes_per_cycle = 0;
    double write_bytes_per_cycle = 0;
    int64_t piece_bytes = 0;
    int64_t align_bytes = 0;
    double misaligned_rate = 0;
    double same_address_cycles = 0;
  } l2;
  struct {
    int64_t capacity_bytes = 0;
    double gb_per_s = 0;
    double read_latency_cycles = 0;
    double burst_overhead_bytes = 0;
  } hbm;
  struct {
    int64_t repeat_bytes = 0;
    int64_t bank_groups = 0;
    int64_t bank_bytes = 0;
    int64_t bank_row_bytes = 0;
    double bank_conflict_cycles = 0;
    std::array<VectorCost, kVectorOpCount> cost;
    std::array<VectorCost, kVectorOpCount> half_cost;  ///< of types of two bytes and less

    const VectorCost& cost_of(VectorOp op, bool half) const {
      if (op >= VectorOp::kAnd) op = VectorOp::kAdd;
      if (op == VectorOp::kLessEqual || op == VectorOp::kEqual) op = VectorOp::kLess;
      if (op == VectorOp::kSelect) op = VectorOp::kMask;
      return (half ? half_cost : cost)[static_cast<size_t>(op)];
    }
  } vector;
  struct {
    double issue_cycles = 0;
    int64_t queue_depth = 0;
  } scalar;
  struct {
    double flag_cycles = 0;
    double handover_cycles = 0;
    double barrier_cycles = 0;
  } sync;
  struct {
    double launch_us = 0;
    double dispatch_cycles = 0;
    double host_step_us = 0;
  } launch;
  /// What the host does for a step that it sends to the chip; serving steps only, kernels on their
  /// own are not affected.
  struct {
    double op_us = 0;       ///< to send one op, eager mode
    double graph_us = 0;    ///< to replay a captured graph
    int64_t graphs = 1920;  ///< captured graphs, of one layer each, that the chip's streams allow
  } host;
  Fabric fabric;

  /// Hash of the values that matter to timing; names, descriptions and comments do not change it.
  std::string fingerprint() const;

  double us_of_ticks(int64_t ticks) const {
    return static_cast<double>(ticks) / (static_cast<double>(kTicksPerCycle) * cores.clock_mhz);
  }
  int64_t ns_of_ticks(int64_t ticks) const;
  /// Cube operations of all cores per second for operands of `type` (a multiply-add counts as two).
  double peak_flops(DType type) const;
};

/// One parameter of a machine: where it stands in the file, its unit and legal range.
struct MachineField {
  std::string path;  ///< "cube.head_cycles"
  std::string unit;
  std::string meaning;
  bool whole = false;  ///< whole numbers only
  double min = 0;
  double max = 0;
};

/// Every parameter, in the order of the file.
const std::vector<MachineField>& machine_fields();

/// Value of a parameter by path; the path must exist.
double get_field(const Machine& machine, std::string_view path);

/// Changes a parameter by path, which must exist; whole parameters are rounded. The caller keeps to
/// the field's range.
void set_field(Machine& machine, std::string_view path, double value);

/// Reads a machine file (JSON with comments). `calibrated` applies its "calibrated" section over
/// the datasheet values. Errors give file and key path.
Machine parse_machine(std::string_view text, const std::string& where, bool calibrated);

/// A preset name ("ascend-910b2": calibrated where measurements exist; "ascend-910b2:datasheet":
/// not) or the path of a machine file. Error (not found) suggests the nearest name.
Machine load_machine(const std::string& name_or_path);

/// Names of the presets, sorted.
std::vector<std::string> machine_names();

/// The machine as canonical JSON text: datasheet form with every parameter.
std::string machine_json(const Machine& machine);

/// The file of a calibrated machine: every parameter as `datasheet` has it, and those of `machine`
/// that differ or that have a source as its "calibrated" section.
std::string calibrated_machine_json(const Machine& datasheet, const Machine& machine);

}  // namespace tilewright
