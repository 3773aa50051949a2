#include "core/machine/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/machine/machine_fields.h"

namespace tilewright {

namespace {

constexpr int kMachineSchema = 1;
constexpr size_t kMaxLinks = 4096;
constexpr int64_t kMaxNodes = 8192;
constexpr std::string_view kDatasheetSuffix = ":datasheet";

double value_of(FieldPointer pointer) {
  if (const auto* whole = std::get_if<int64_t*>(&pointer)) return static_cast<double>(**whole);
  return *std::get<double*>(pointer);
}

void read_value(const JsonReader& reader, const MachineField& field, FieldPointer pointer) {
  if (auto* whole = std::get_if<int64_t*>(&pointer)) {
    **whole = reader.integer(static_cast<int64_t>(field.min), static_cast<int64_t>(field.max));
  } else {
    *std::get<double*>(pointer) = reader.number(field.min, field.max);
  }
}

/// Refuses keys that no field has, at every level of the nested objects under `reader`.
void check_keys(const JsonReader& reader, const std::string& prefix) {
  std::set<std::string> known;
  for (const FieldEntry& entry : field_entries()) {
    if (entry.field.path.compare(0, prefix.size(), prefix) != 0) continue;
    const std::string rest = entry.field.path.substr(prefix.size());
    known.insert(rest.substr(0, rest.find('.')));
  }
  // What says how links run is no number: read_topology() reads it.
  if (prefix == "fabric.") known.insert({"topology", "links"});
  reader.only(known);
  for (const std::string& key : reader.keys()) {
    if (reader.at(key).is_object()) check_keys(reader.at(key), prefix + key + ".");
  }
}

/// Reads the fields that `section` has into the machine; `required`: all of them must be there.
void read_fields(const JsonReader& section, bool required, Machine& machine) {
  check_keys(section, "");
  for (const FieldEntry& entry : field_entries()) {
    JsonReader at = section;
    bool found = true;
    for (std::string_view key : split(entry.field.path, '.')) {
      found = found && at.has(key);
      const bool optional =
          entry.half || (entry.optional_group && (key == "fabric" || key == "host"));
      if (!found && (!required || optional)) break;
      at = at.at(key);
    }
    if (found) read_value(at, entry.field, pointer_to(machine, entry));
  }
}

/// Reads how the links of a fabric run, where the section says it.
void read_topology(const JsonReader& section, Machine& machine) {
  if (!section.has("fabric")) return;
  const JsonReader at = section.at("fabric");
  Fabric& fabric = machine.fabric;
  if (at.has("topology")) {
    try {
      fabric.topology = parse_topology(at.at("topology").string());
    } catch (const Error& error) {
      at.at("topology").fail(error.what());
    }
  }
  const bool listed = fabric.topology == Topology::kLinks;
  if (at.has("links") && !listed) at.at("links").fail("needs the topology \"links\"");
  if (!listed) return;
  fabric.links.clear();
  for (const JsonReader& item : at.at("links").items()) {
    item.only({"a", "b", "gb_per_s", "latency_us"});
    if (fabric.links.size() >= kMaxLinks) item.fail(fmt::format("is beyond {} links", kMaxLinks));
    const auto number = [&](const char* key, double least, double fallback) {
      return item.has(key) ? item.at(key).number(least, 1e5) : fallback;
    };
    fabric.links.push_back({item.at("a").integer(0, kMaxNodes), item.at("b").integer(0, kMaxNodes),
                            number("gb_per_s", 0.01, fabric.link_gb_per_s),
                            number("latency_us", 0, fabric.latency_us)});
  }
}

/// Marks the costs of two-byte types as not given, before a file is read.
void forget_half_costs(Machine& machine) {
  const double none = std::nan("");
  machine.vector.half_cost.fill({none, none, none});
}

/// Costs of two-byte types that the file did not give are those of the others.
void fill_half_costs(Machine& machine) {
  for (size_t op = 0; op < machine.vector.cost.size(); ++op) {
    const VectorCost& cost = machine.vector.cost[op];
    VectorCost& half = machine.vector.half_cost[op];
    if (std::isnan(half.head)) half.head = cost.head;
    if (std::isnan(half.slope)) half.slope = cost.slope;
    if (std::isnan(half.tail)) half.tail = cost.tail;
  }
}

MeasuredAs read_measured_as(const JsonReader& reader) {
  MeasuredAs as;
  if (reader.is_string()) {  // the short form
    as.hardware = reader.string();
    return as;
  }
  reader.only({"hardware", "cores", "boundary_us", "boundary"});
  as.hardware = reader.at("hardware").string();
  if (reader.has("cores")) {
    const JsonReader cores = reader.at("cores");
    as.row_cores = cores.is_string() && cores.string() == "row";
    if (!as.row_cores && !cores.is_number()) cores.fail("expected a whole number or \"row\"");
    if (!as.row_cores) as.cores = cores.integer(1, 4096);
  }
  if (reader.has("boundary_us")) as.boundary_us = reader.at("boundary_us").number(0, 1e6);
  if (reader.has("boundary")) as.boundary = reader.at("boundary").string();
  return as;
}

Json to_json(const MeasuredAs& as) {
  Json json = {{"hardware", as.hardware}};
  if (as.row_cores) json["cores"] = "row";
  if (as.cores > 0) json["cores"] = as.cores;
  json["boundary_us"] = as.boundary_us;
  if (!as.boundary.empty()) json["boundary"] = as.boundary;
  return json;
}

/// Reads names, measured_as and sources: what is not a parameter.
void read_texts(const JsonReader& root, Machine& machine) {
  machine.name = root.at("name").string();
  if (machine.name.empty() || machine.name.size() > 100)
    root.at("name").fail("must have 1 to 100 characters");
  if (root.has("description")) machine.description = root.at("description").string();
  if (root.has("measured_as")) {
    for (const JsonReader& item : root.at("measured_as").items()) {
      machine.measured_as.push_back(read_measured_as(item));
      for (size_t i = 0; i + 1 < machine.measured_as.size(); ++i) {
        if (machine.measured_as[i].hardware == machine.measured_as.back().hardware) {
          item.fail(fmt::format("'{}' stands twice", printable(machine.measured_as[i].hardware)));
        }
      }
    }
  }
  if (!root.has("sources")) return;
  const JsonReader sources = root.at("sources");
  std::set<std::string> paths;
  for (const FieldEntry& entry : field_entries()) paths.insert(entry.field.path);
  sources.only(paths);
  for (const std::string& path : sources.keys())
    machine.sources.emplace_back(path, sources.at(path).string());
}

/// What the fields' own ranges cannot say.
void check_consistency(const Machine& machine, const JsonReader& where) {
  const auto refuse = [&](const char* path, const std::string& why) {
    where.fail(fmt::format("{} {}", path, why));
  };
  const int64_t fractal = machine.cube.fractal_m * machine.cube.fractal_k_bytes;
  const int64_t sums = machine.cube.fractal_m * machine.cube.fractal_n * 4;
  const auto& buffers = machine.buffers;
  if (buffers.l0a_bytes < fractal) {
    refuse("buffers.l0a_bytes", fmt::format("is less than one fractal of {} B", fractal));
  }
  if (buffers.l0b_bytes < machine.cube.fractal_n * machine.cube.fractal_k_bytes) {
    refuse("buffers.l0b_bytes", "is less than one fractal");
  }
  if (buffers.l0c_bytes < sums) {
    refuse("buffers.l0c_bytes", fmt::format("is less than one tile of sums of {} B", sums));
  }
  if (buffers.l1_bytes < buffers.l0a_bytes || buffers.l1_bytes < buffers.l0b_bytes) {
    refuse("buffers.l1_bytes", "is less than the L0 buffers that it feeds");
  }
  for (const auto& [path, align] : {std::pair("buffers.l1_align", buffers.l1_align),
                                    std::pair("buffers.l0a_align", buffers.l0a_align),
                                    std::pair("buffers.l0b_align", buffers.l0b_align),
                                    std::pair("buffers.l0c_align", buffers.l0c_align),
                                    std::pair("buffers.ub_align", buffers.ub_align),
                                    std::pair("buffers.bt_align", buffers.bt_align),
                                    std::pair("buffers.fb_align", buffers.fb_align)}) {
    if (align < 32 || align > 4096 || (align & (align - 1)) != 0) {
      refuse(path, fmt::format("is {}, not a power of two from 32 to 4096", align));
    }
  }
  for (const auto& [path, value] :
       {std::pair("l2.align_bytes", machine.l2.align_bytes),
        std::pair("vector.repeat_bytes", machine.vector.repeat_bytes),
        std::pair("vector.bank_groups", machine.vector.bank_groups),
        std::pair("vector.bank_bytes", machine.vector.bank_bytes),
        std::pair("vector.bank_row_bytes", machine.vector.bank_row_bytes)}) {
    if ((value & (value - 1)) != 0) refuse(path, fmt::format("is {}, not a power of two", value));
  }
  if (machine.vector.bank_row_bytes > machine.vector.repeat_bytes) {
    refuse("vector.bank_row_bytes", "is more than vector.repeat_bytes");
  }
  if (machine.l2.capacity_bytes >= machine.hbm.capacity_bytes) {
    refuse("l2.capacity_bytes", "is not less than hbm.capacity_bytes");
  }
  if (const std::string fault = fault_of(machine.fabric); !fault.empty()) {
    refuse("fabric.links", ": " + fault);
  }
}

}  // namespace

const std::vector<MachineField>& machine_fields() {
  static const std::vector<MachineField> fields = [] {
    std::vector<MachineField> list;
    for (const FieldEntry& entry : field_entries()) list.push_back(entry.field);
    return list;
  }();
  return fields;
}

double get_field(const Machine& machine, std::string_view path) {
  for (const FieldEntry& entry : field_entries()) {
    // The pointer is only read through, so the machine stays as it is.
    if (entry.field.path == path) {
      Machine copy = machine;
      return value_of(pointer_to(copy, entry));
    }
  }
  TW_CHECK(false, "a machine field of that path exists");
  return 0;
}

void set_field(Machine& machine, std::string_view path, double value) {
  for (const FieldEntry& entry : field_entries()) {
    if (entry.field.path != path) continue;
    const FieldPointer pointer = pointer_to(machine, entry);
    if (auto* const* whole = std::get_if<int64_t*>(&pointer)) {
      **whole = std::llround(value);
    } else {
      *std::get<double*>(pointer) = value;
    }
    return;
  }
  TW_CHECK(false, "a machine field of that path exists");
}

std::string Machine::fingerprint() const {
  Hasher hasher;
  Machine copy = *this;
  for (const FieldEntry& entry : field_entries()) {
    hasher.add(fmt::format("{}={}\n", entry.field.path, value_of(pointer_to(copy, entry))));
  }
  hasher.add(topology_text(fabric));
  return hasher.hex();
}

int64_t Machine::ns_of_ticks(int64_t ticks) const {
  return static_cast<int64_t>(std::llround(us_of_ticks(ticks) * 1000.0));
}

double Machine::peak_flops(DType type) const {
  const double k = static_cast<double>(cube.fractal_k_bytes) / bytes_of(type);
  const double step = 2.0 * static_cast<double>(cube.fractal_m * cube.fractal_n) * k;
  const double slow = type == DType::kF32 ? cube.f32_factor : 1.0;
  return static_cast<double>(cores.aic) * step / (cube.cycles_per_fractal * slow) *
         cores.clock_mhz * 1e6;
}

Machine parse_machine(std::string_view text, const std::string& where, bool calibrated) {
  const Json document = parse_json(text, where);
  const JsonReader root(document, where);
  root.only({"schema", "name", "description", "measured_as", "datasheet", "calibrated", "sources"});
  const int64_t schema = root.at("schema").integer(1, INT32_MAX);
  if (schema > kMachineSchema) {
    root.fail(fmt::format("schema {} is newer than this program knows ({}); update tilewright",
                          schema, kMachineSchema));
  }
  Machine machine;
  read_texts(root, machine);
  forget_half_costs(machine);
  read_fields(root.at("datasheet"), true, machine);
  read_topology(root.at("datasheet"), machine);
  if (calibrated && root.has("calibrated")) read_fields(root.at("calibrated"), false, machine);
  fill_half_costs(machine);
  if (!calibrated) machine.sources.clear();
  check_consistency(machine, root);
  return machine;
}

Machine load_machine(const std::string& name_or_path) {
  std::string name = name_or_path;
  const bool datasheet = name.ends_with(kDatasheetSuffix);
  if (datasheet) name.resize(name.size() - kDatasheetSuffix.size());
  for (const EmbeddedFile& file : machine_presets()) {
    if (file.name != name) continue;
    Machine machine = parse_machine(file.text, std::string(file.name) + ".json", !datasheet);
    if (datasheet) machine.name += kDatasheetSuffix;
    return machine;
  }
  const bool looks_like_path = name.find('/') != std::string::npos || name.ends_with(".json");
  if (looks_like_path) return parse_machine(read_file(name), name, !datasheet);
  const std::vector<std::string> names = machine_names();
  throw Error(ErrorKind::kNotFound,
              fmt::format("unknown machine '{}'{} (known: {}; or the path of a machine file)",
                          printable(name), did_you_mean(name, names), join(names, ", ")));
}

std::vector<std::string> machine_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : machine_presets()) names.emplace_back(file.name);
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

/// Whether a file must state the value: costs of two-byte types only where they differ.
bool is_stated(const Machine& machine, const FieldEntry& entry) {
  if (!entry.half) return true;
  Machine copy = machine;
  FieldEntry of_others = entry;
  of_others.half = false;
  return value_of(pointer_to(copy, entry)) != value_of(pointer_to(copy, of_others));
}

void put_value(const Machine& machine, const FieldEntry& entry, Json& values) {
  Machine copy = machine;
  Json* at = &values;
  for (std::string_view key : split(entry.field.path, '.')) at = &(*at)[std::string(key)];
  const FieldPointer pointer = pointer_to(copy, entry);
  if (std::holds_alternative<int64_t*>(pointer)) {
    *at = *std::get<int64_t*>(pointer);
  } else {
    *at = *std::get<double*>(pointer);
  }
}

void put_topology(const Fabric& fabric, Json& json) {
  json["topology"] = std::string(name_of(fabric.topology));
  if (fabric.topology != Topology::kLinks) return;
  Json& links = json["links"] = Json::array();
  for (const FabricLink& link : fabric.links) {
    links.push_back({{"a", link.a},
                     {"b", link.b},
                     {"gb_per_s", link.gb_per_s},
                     {"latency_us", link.latency_us}});
  }
}

Json document_of(const Machine& texts, const Machine& datasheet) {
  Json document;
  document["schema"] = kMachineSchema;
  document["name"] = texts.name;
  document["description"] = texts.description;
  document["measured_as"] = Json::array();
  for (const MeasuredAs& as : texts.measured_as) document["measured_as"].push_back(to_json(as));
  Json& values = document["datasheet"] = Json::object();
  for (const FieldEntry& entry : field_entries()) {
    if (is_stated(datasheet, entry)) put_value(datasheet, entry, values);
  }
  put_topology(datasheet.fabric, values["fabric"]);
  return document;
}

void put_sources(const Machine& machine, Json& document) {
  for (const auto& [path, source] : machine.sources) document["sources"][path] = source;
}

}  // namespace

std::string machine_json(const Machine& machine) {
  Json document = document_of(machine, machine);
  put_sources(machine, document);
  return document.dump(2) + "\n";
}

std::string calibrated_machine_json(const Machine& datasheet, const Machine& machine) {
  Json document = document_of(machine, datasheet);
  Json& calibrated = document["calibrated"] = Json::object();
  Machine before = datasheet;
  Machine after = machine;
  for (const FieldEntry& entry : field_entries()) {
    const bool has_source =
        std::any_of(machine.sources.begin(), machine.sources.end(),
                    [&](const auto& source) { return source.first == entry.field.path; });
    const bool unlike_others = entry.half && is_stated(machine, entry);
    if (has_source || unlike_others ||
        value_of(pointer_to(before, entry)) != value_of(pointer_to(after, entry)))
      put_value(machine, entry, calibrated);
  }
  put_sources(machine, document);
  return document.dump(2) + "\n";
}

}  // namespace tilewright
