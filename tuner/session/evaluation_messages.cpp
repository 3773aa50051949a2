#include "tuner/session/evaluation_messages.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "core/base/json.h"

namespace tilewright {

namespace {

using Kind = EvaluationMessage::Kind;

Json to_json(const Evaluated& evaluated) {
  const Measurement& measurement = evaluated.measurement;
  Json counters = Json::array();
  for (const auto& [name, value] : measurement.counters) counters.push_back({name, value});
  return Json::array({std::string(name_of(measurement.status)), measurement.reason,
                      measurement.time_us, measurement.time_ticks, std::move(counters),
                      measurement.times_us, measurement.spread_us, evaluated.wall_us});
}

Evaluated read_evaluated(const Json& json) {
  Evaluated evaluated;
  Measurement& measurement = evaluated.measurement;
  measurement.status = parse_attempt_status(json.at(0).get<std::string>());
  measurement.reason = json.at(1).get<std::string>();
  measurement.time_us = json.at(2).get<double>();
  measurement.time_ticks = json.at(3).get<int64_t>();
  for (const Json& counter : json.at(4)) {
    measurement.counters.emplace_back(counter.at(0).get<std::string>(),
                                      counter.at(1).get<double>());
  }
  measurement.times_us = json.at(5).get<std::vector<double>>();
  measurement.spread_us = json.at(6).get<double>();
  evaluated.wall_us = json.at(7).get<double>();
  return evaluated;
}

}  // namespace

std::string encode(const EvaluationMessage& message) {
  Json json = Json::array({static_cast<int>(message.kind), message.number, message.task, message.id,
                           message.text, message.problem, message.config});
  if (message.kind == Kind::kAnswer) json.push_back(to_json(message.evaluated));
  std::string bytes;
  Json::to_cbor(json, bytes);
  return bytes;
}

EvaluationMessage decode_evaluation_message(std::string_view bytes) {
  EvaluationMessage message;
  try {
    const Json json = Json::from_cbor(bytes.begin(), bytes.end());
    const int kind = json.at(0).get<int>();
    if (kind < 0 || kind > static_cast<int>(Kind::kRefused)) {
      throw Error(ErrorKind::kFailed,
                  "another process of the job sent a message of another version");
    }
    message.kind = static_cast<Kind>(kind);
    message.number = json.at(1).get<int64_t>();
    message.task = json.at(2).get<int64_t>();
    message.id = json.at(3).get<std::string>();
    message.text = json.at(4).get<std::string>();
    message.problem = json.at(5).get<std::string>();
    message.config = json.at(6).get<std::string>();
    if (message.kind == Kind::kAnswer) message.evaluated = read_evaluated(json.at(7));
  } catch (const Json::exception& error) {
    throw Error(
        ErrorKind::kFailed,
        std::string("another process of the job sent no message of this version: ") + error.what());
  }
  return message;
}

}  // namespace tilewright
