#pragma once

#include <string>
#include <vector>

#include "app/cli/context.h"
#include "app/cli/options.h"
#include "tuner/session/session.h"

namespace tilewright {

/// A part of a tuning, for machines that MPI does not join: the problems of a command dealt round
/// to `count` shards. It depends on the command alone, so the shards of one command have every
/// problem exactly once.
struct Shard {
  int index = 1;  ///< from 1
  int count = 1;
  int first = 0;  ///< problems dealt before, by earlier jobs of a batch

  bool is_whole() const { return count == 1; }
  /// "2/4".
  std::string text() const;
  /// Drops the problems of other shards.
  void keep_own(std::vector<TuneProblem>& problems) const;
};

/// --shard I/N, or the whole without it. Error (usage).
Shard read_shard(const Arguments& arguments);

/// Where a shard keeps its results: beside --db, "results.db" becomes "results.shard-2-of-4.db".
std::string shard_path(const std::string& db, const Shard& shard);

/// The database of a shard, that of --db for the whole; created when it does not exist.
Store open_shard(const Context& context, const Shard& shard);

}  // namespace tilewright
