#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright {

/// How units of work are cut along their keys, so that a few long sequences keep all cores busy.
struct KvSplitRule {
  int64_t cores = 1;
  int64_t granule = 1;  ///< keys: parts but for the last hold a multiple (a KV tile)
  int64_t limit = 1;    ///< parts of a unit at most, but for `longest`; 1: nothing else is cut
  int64_t longest = INT64_MAX;  ///< keys of a part at most
  int64_t part_overhead = 0;    ///< cost of each part of a cut unit, in keys
  int64_t merge_overhead = 0;   ///< cost of cutting at all (a barrier, the reduction), in keys
  /// Whether units may be cut unlike their equals: only those that are left over when every core
  /// has had as many.
  bool cuts_rest = false;
  /// A makespan that needs no shortening: what all cores share takes as long.
  int64_t enough = 0;
};

/// Parts of each unit, given the keys (> 0) that it needs; all units have rows of one height. The
/// plan is the one with the least
///
///   max(makespan by greedy assignment, enough) + longest part + merge overhead
///
/// since nothing hides the first part's scores behind its values. Tried are plans that cut every
/// unit, or (`cuts_rest`) the shortest ones that are left over alone, into parts of at most 1/p of
/// the longest unit, for rising p, until there are eight parts for each core or little is left to
/// gain.
std::vector<int64_t> plan_kv_split(std::span<const int64_t> keys, const KvSplitRule& rule);

/// A run of keys.
struct KeyRange {
  int64_t first = 0;
  int64_t count = 0;
};

/// Part `part` of `parts`: whole granules, as even as they go, the longer ones first; the last part
/// ends with the keys. parts <= ceil(keys / granule).
KeyRange kv_part(int64_t keys, int64_t parts, int64_t part, int64_t granule);

}  // namespace tilewright
