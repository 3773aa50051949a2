#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// One point of a space: named whole numbers, in the order of the space's parameters.
struct Config {
  std::vector<std::pair<std::string, int64_t>> values;

  /// "tile_m=128,tile_n=256": the form of command line, database and plans.
  std::string text() const;
  /// The value of that name; the name must exist (a programming error otherwise).
  int64_t at(std::string_view name) const;
  bool has(std::string_view name) const;

  friend bool operator==(const Config&, const Config&) = default;
};

/// Reads "a=1,b=2"; an empty text is the config without values. Error (usage) for anything else,
/// for a name twice, for a missing number.
Config parse_config(std::string_view text);

/// A label as it stands in a config's text, as it was before it was written there (Space::text).
std::string unescaped_label(std::string_view text);

class LegalSet;
class SpaceExpression;

/// A named axis of a space with its legal values, in ascending order.
struct Parameter {
  std::string name;
  std::string meaning;  ///< one line for help and documents, with the unit
  std::vector<int64_t> values;
  /// Of a parameter that is no whole number: what its values 0, 1, ... stand for, one text each,
  /// all different. Of ordered parameters these are numbers.
  std::vector<std::string> labels = {};
  bool ordered = true;  ///< false: its values are names, none of them closer to another
};

/// What a config takes of something that there is only so much of: bytes of a buffer.
struct Resource {
  /// Gets the values of its constraint's parameters.
  std::function<int64_t(std::span<const int64_t>)> needed;
  int64_t capacity = 0;
};

/// A rule between parameters. `violation` gets the values of `parameters`, in that order, and
/// returns an empty text when the rule holds, or what is wrong and by how much ("L0C holds 128 KiB,
/// the tile needs 256 KiB, 128 KiB too many; tile_n=128 would fit"). It may be asked about every
/// combination of the listed values, whatever other rules say of it.
struct Constraint {
  std::string name;
  std::vector<std::string> parameters;
  std::function<std::string(std::span<const int64_t>)> violation;
  /// Where the rule is that something suffices: it holds just when no more is needed than there is.
  std::optional<Resource> resource = std::nullopt;
  /// Where the rule is an expression (core/space/space_expression.h): the same, faster.
  std::shared_ptr<const SpaceExpression> expression = nullptr;
  /// Where the rule is a list of all that is legal: rows of values of all parameters of the space,
  /// ascending and distinct (core/space/listed_space.h).
  std::shared_ptr<const std::vector<std::vector<int64_t>>> rows = nullptr;

  /// Whether `violation` would be empty, without making its text where that can be avoided.
  bool holds(std::span<const int64_t> values) const;
};

/// What a config takes of the resource of one constraint.
struct ResourceUse {
  std::string name;  ///< of the constraint
  int64_t needed = 0;
  int64_t capacity = 0;

  bool fits() const { return needed <= capacity; }
  friend bool operator==(const ResourceUse&, const ResourceUse&) = default;
};

/// The legal configurations of a problem on a machine: parameters and constraints. An illegal
/// config is never built, and the product is never walked (core/space/legal_set.h).
class Space {
 public:
  /// The space with one config, which has no values.
  Space() : Space({}, {}) {}
  Space(std::vector<Parameter> parameters, std::vector<Constraint> constraints);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Constraint>& constraints() const { return constraints_; }

  /// Number of combinations before constraints; saturates at INT64_MAX.
  int64_t product_size() const;

  /// Its legal configs (core/space/legal_set.h), found when they are first asked for. Copies of a
  /// space share them while somebody holds them; where the product is so large that finding them
  /// may take long, as long as there are copies. Errors, and `stop`, as of a LegalSet.
  std::shared_ptr<const LegalSet> legal(const std::function<bool()>& stop = {}) const;

  static constexpr int64_t kMostEnumerated = int64_t{1} << 22;
  /// Every legal config, the last parameter changing fastest. Error (usage) for more than
  /// kMostEnumerated: a SpaceIndex holds those.
  std::vector<Config> enumerate() const;

  /// Puts `config` into the order of the parameters; values that are not named come from
  /// `defaults`. Error (usage) for an unknown name (suggesting the nearest) or a value outside its
  /// list, Error (infeasible) with the violation for a broken constraint.
  Config complete(const Config& config, const Config& defaults) const;

  /// "tile_m=128,precision=f32": Config::text() with the labels of values that have them, in which
  /// ',' '=' '%', control characters and spaces are written as %2C and so on.
  std::string text(const Config& config) const;
  /// What one value is called: its label as it is, or the number.
  std::string value_text(std::string_view name, int64_t value) const;
  /// Reads what text() writes, for some or all of the parameters, in any order. Error (usage) for
  /// an unknown name or label (suggesting the nearest), a missing or malformed value, a name twice.
  Config parse(std::string_view text) const;
  /// The same; nothing where that throws, as texts of a database may come from another version.
  std::optional<Config> try_parse(std::string_view text) const;

  /// Empty when the config is legal, otherwise what is wrong (first violation in order; other
  /// parameters than the space's, or in another order, are one). The config
  /// has exactly the space's parameters, in their order.
  std::string violation(const Config& config) const;

  /// What a config takes of each resource, in the order of the constraints; it need not be legal.
  /// Without those that depend on a value which is missing or not in its list.
  std::vector<ResourceUse> uses(const Config& config) const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Constraint> constraints_;
  /// Of each constraint: the positions of its parameters.
  std::vector<std::vector<size_t>> inputs_;
  struct Found;
  std::shared_ptr<Found> found_;  // of all copies: a space does not change
};

}  // namespace tilewright
