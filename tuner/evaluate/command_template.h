#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/space/problem.h"
#include "core/space/space.h"

namespace tilewright {

/// Whether the text has a "{" that opens a placeholder.
bool has_placeholder(std::string_view text);

/// A command line with places for the values of a config, such as `bench --m {m} --tile {tile_m}`.
///
/// It is split into words as a shell would: white space separates, single quotes keep everything,
/// double quotes everything but \" and \\, a backslash outside quotes the next character. No shell
/// runs it: nothing else is special, and what a placeholder gives always stays in its word.
///
/// Placeholders: every parameter of the config, every size of the problem (a parameter of the same
/// name wins), {kernel}, {problem} and {config} (their canonical texts). {{ and }} are braces.
class CommandTemplate {
 public:
  /// Error (usage) for an empty command, a quote or brace that is not closed, an empty placeholder.
  explicit CommandTemplate(std::string_view text);

  /// Error (usage), with the nearest name, for a placeholder that the problem and the parameters
  /// do not give.
  void check(const Problem& problem, std::span<const Parameter> parameters) const;

  /// The words of the command; Error (usage) as check().
  /// `space` has the labels that values stand for.
  std::vector<std::string> words(const Problem& problem, const Config& config,
                                 const Space& space = Space()) const;

  /// The first word, the program, where it has no placeholder; empty otherwise.
  std::string fixed_program() const;

  /// What makes two templates the same command, however they were quoted.
  std::string canonical() const;

 private:
  struct Piece {
    std::string text;  ///< literal, or the name of a placeholder
    bool is_placeholder = false;
  };
  using Word = std::vector<Piece>;
  static Word pieces_of(std::string_view word);

  std::vector<Word> words_;
};

}  // namespace tilewright
