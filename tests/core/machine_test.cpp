#include "core/machine/machine.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"

namespace tilewright {
namespace {

std::string message_of(const std::string& text) {
  try {
    parse_machine(text, "m.json", true);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

/// The text of the 910B2's machine file with one datasheet value changed.
std::string with(const std::string& section, const std::string& key, const Json& value) {
  Json document = parse_json(machine_json(load_machine("ascend-910b2")), "preset");
  document["datasheet"][section][key] = value;
  return document.dump();
}

TEST(MachinePresets, StateTheirDatasheets) {
  struct Fact {
    const char* name;
    int64_t aic;
    double mhz, tflops, hbm_gb_per_s;
    int64_t l2_mib, hbm_gib;
  };
  // Cores, clock and f16 peak = cores x 8192 x clock; L2, HBM size and bandwidth.
  const Fact facts[] = {{"ascend-910b1", 24, 1850, 363.7, 1760, 192, 64},
                        {"ascend-910b2", 24, 1800, 353.9, 1760, 192, 64},
                        {"ascend-910b3", 20, 1800, 294.9, 1760, 192, 64},
                        {"ascend-910b4", 20, 1500, 245.8, 800, 96, 32}};
  for (const Fact& fact : facts) {
    const Machine machine = load_machine(std::string(fact.name) + ":datasheet");
    EXPECT_EQ(machine.cores.aic, fact.aic);
    EXPECT_EQ(machine.cores.aiv_per_aic, 2);
    EXPECT_EQ(machine.cores.clock_mhz, fact.mhz);
    EXPECT_NEAR(machine.peak_flops(DType::kF16) / 1e12, fact.tflops, 0.06);
    EXPECT_NEAR(machine.peak_flops(DType::kI8) / 1e12, 2 * fact.tflops, 0.15);
    EXPECT_NEAR(machine.peak_flops(DType::kF32) / 1e12, fact.tflops / 4, 0.06);
    EXPECT_EQ(machine.hbm.gb_per_s, fact.hbm_gb_per_s);
    EXPECT_EQ(machine.l2.capacity_bytes, fact.l2_mib << 20);
    EXPECT_EQ(machine.hbm.capacity_bytes, fact.hbm_gib << 30);
  }
}

TEST(MachinePresets, CalibratedValuesReplaceTheDatasheetsOnlyWhereTheyStand) {
  const Machine calibrated = load_machine("ascend-910b2");
  const Machine datasheet = load_machine("ascend-910b2:datasheet");
  EXPECT_EQ(calibrated.hbm.gb_per_s, 1600);
  EXPECT_EQ(datasheet.hbm.gb_per_s, 1760);
  EXPECT_EQ(calibrated.fixpipe.head_cycles, datasheet.fixpipe.head_cycles);
  EXPECT_FALSE(calibrated.sources.empty()) << "every calibrated value says where it comes from";
  EXPECT_TRUE(datasheet.sources.empty());
  EXPECT_NE(calibrated.fingerprint(), datasheet.fingerprint());
}

TEST(MachineFingerprint, FollowsValuesAndNothingElse) {
  const Machine machine = load_machine("ascend-910b2");
  Machine renamed = machine;
  renamed.name = "mine";
  renamed.description = "x";
  renamed.measured_as = {{.hardware = "something", .boundary_us = 5}};
  renamed.sources = {{"hbm.gb_per_s", "fitted"}};
  EXPECT_EQ(renamed.fingerprint(), machine.fingerprint());
  for (const MachineField& field : machine_fields()) {
    Json document = parse_json(machine_json(machine), "preset");
    Json* at = &document["datasheet"];
    size_t from = 0;
    for (size_t dot = field.path.find('.'); dot != std::string::npos;
         dot = field.path.find('.', from)) {
      at = &(*at)[field.path.substr(from, dot - from)];
      from = dot + 1;
    }
    Json& value = (*at)[field.path.substr(from)];
    // Costs of two-byte types are not in the file where they equal the others.
    const double before = get_field(machine, field.path);
    value = before + (before < field.max ? 1 : -1);
    std::string text = document.dump();
    // Values that other fields forbid (L1 less than L0A, say) cannot be tried alone.
    try {
      EXPECT_NE(parse_machine(text, "m.json", true).fingerprint(), machine.fingerprint())
          << field.path;
    } catch (const Error&) {
    }
  }
}

TEST(MachineFile, RoundTrips) {
  for (const std::string& name : machine_names()) {
    const Machine machine = load_machine(name);
    EXPECT_EQ(parse_machine(machine_json(machine), "m.json", true).fingerprint(),
              machine.fingerprint());
  }
}

TEST(MachineFile, SaysWhichMeasuredHardwareItStandsFor) {
  Json document = parse_json(machine_json(load_machine("ascend-910b2")), "preset");
  document["measured_as"] = parse_json(
      R"(["a", {"hardware": "b", "cores": 20, "boundary_us": 3.5, "boundary": "host"},
          {"hardware": "c", "cores": "row"}])",
      "m");
  document["sources"] = {{"hbm.gb_per_s", "fitted to points.csv"}};
  const Machine machine = parse_machine(document.dump(), "m.json", true);
  const std::vector<MeasuredAs> expected = {
      {.hardware = "a"},
      {.hardware = "b", .cores = 20, .boundary_us = 3.5, .boundary = "host"},
      {.hardware = "c", .row_cores = true}};
  EXPECT_EQ(machine.measured_as, expected);
  const Machine again = parse_machine(machine_json(machine), "m.json", true);
  EXPECT_EQ(again.measured_as, expected);
  EXPECT_EQ(again.sources, machine.sources);

  document["measured_as"] = {"a", "a"};
  EXPECT_NE(message_of(document.dump()).find("measured_as[1]: 'a' stands twice"),
            std::string::npos);
  document["measured_as"] = parse_json(R"([{"hardware": "b", "cores": "many"}])", "m");
  EXPECT_NE(message_of(document.dump()).find("measured_as[0].cores"), std::string::npos);
  document.erase("measured_as");
  document["sources"] = {{"hbm.gb_per_sec", "x"}};
  EXPECT_NE(message_of(document.dump()).find("did you mean 'hbm.gb_per_s'?"), std::string::npos);
}

TEST(MachineFile, KeepsTheDatasheetBesideFittedValues) {
  const Machine datasheet = load_machine("ascend-910b2:datasheet");
  Machine fitted = datasheet;
  set_field(fitted, "hbm.gb_per_s", 1500);
  set_field(fitted, "vector.cost.exp.slope", 3);
  const std::string text = calibrated_machine_json(datasheet, fitted);
  EXPECT_EQ(parse_machine(text, "m.json", true).fingerprint(), fitted.fingerprint());
  EXPECT_EQ(parse_machine(text, "m.json", false).fingerprint(), datasheet.fingerprint());
}

TEST(MachineFile, RefusesImpossibleValuesWithTheirPath) {
  EXPECT_NE(message_of(with("hbm", "gb_per_s", 0)).find("m.json: datasheet.hbm.gb_per_s: 0"),
            std::string::npos)
      << message_of(with("hbm", "gb_per_s", 0));
  EXPECT_NE(message_of(with("cores", "aic", 2.5)).find("cores.aic: expected a whole number"),
            std::string::npos);
  EXPECT_NE(message_of(with("cores", "aic", -1)).find("cores.aic"), std::string::npos);
  EXPECT_NE(message_of(with("buffers", "l1_bytes", 2048)).find("buffers.l1_bytes is less than"),
            std::string::npos);
  EXPECT_NE(message_of(with("l2", "capacity_bytes", 1e12)).find("l2.capacity_bytes"),
            std::string::npos);
  EXPECT_NE(message_of(with("l2", "capacity_byte", 1)).find("did you mean 'capacity_bytes'?"),
            std::string::npos);
  EXPECT_NE(message_of(with("vector", "bank_row_bytes", 31))
                .find("vector.bank_row_bytes is 31, not a power of two"),
            std::string::npos);
  EXPECT_NE(message_of(with("l2", "misaligned_rate", 0)).find("l2.misaligned_rate: 0"),
            std::string::npos);
  EXPECT_NE(message_of("{\"schema\": 99}").find("newer than this program knows"),
            std::string::npos);
  EXPECT_NE(message_of("{ // c\n \"schema\": 1,,}").find("m.json:2:14"), std::string::npos)
      << message_of("{ // c\n \"schema\": 1,,}");
}

TEST(MachineNames, SuggestTheNearest) {
  try {
    load_machine("ascend-910b22");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("did you mean 'ascend-910b2'?"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewright
