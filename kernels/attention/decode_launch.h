#pragma once

#include <span>
#include <vector>

#include "kernels/attention/attention.h"

namespace tilewright {

/// Attention of steps in which every sequence has one new token. A task is one KV head of one
/// sequence, or a part of its keys, with an exact softmax over all of the task's scores at once, so
/// that nothing is rescaled. Each vector core has tasks of its own; the cube core serves both.
///
///   pipeline 2   the vector core streams K, multiplies it with q and adds up each row (once for
///                every query head that shares the keys), and makes softmax of the scores, a column
///                seen as a row; the cube core streams V and computes P V (XY-Serve's pipeline for
///                decodes)
///   pipeline 3   the cube core computes Q K^T, too, some tasks ahead; scores cross through L2
///
/// Probabilities are divided by their sum before they are rounded, and the cube core's result is
/// the output. Parts of a task's keys (kv_split.h) leave their results and sums in workspaces; once
/// all parts are done, vector cores merge them (kv_reduce.h). Sequences with more keys than a task
/// holds are always cut.
///
/// Tensors as in attention.h: 0 q, 1 k, 2 v; 3 is out; workspaces follow.
struct DecodeSequences {
  std::vector<int64_t> keys;      ///< of each sequence, with its new token
  std::vector<int64_t> block_of;  ///< physical block of each block; empty: consecutive
};

/// Legal configs. Parameters: pipeline; tile_kv, keys of a tile; max_keys, keys of a task at most;
/// buffers, tiles of K in UB (pipeline 2); lead, tasks that QK runs ahead; split_kv, parts of a
/// sequence's keys at most beyond what max_keys demands; assignment of tasks.
Space decode_space(const AttentionShape& shape, const Machine& machine);

/// Whether sequences are for build_decode_launch: each has one token, keys and values are apart,
/// and some config fits.
bool is_decode_launch(const AttentionShape& shape, std::span<const AttentionSequence> sequences,
                      const Machine& machine);

/// Keys of each sequence of a decode.
std::vector<int64_t> decode_keys(std::span<const AttentionSequence> sequences);

/// The rule of pipeline 0 and of the default: QK stays on the vector cores while they can keep up
/// with HBM:
///
///   cycles a key of all AIVs of a core <= bytes of its K and V / (HBM bytes a cycle / cores)
bool scores_on_vector_cores(const AttentionShape& shape, const Machine& machine);

/// The untuned default. Error (infeasible) when nothing fits.
Config decode_default(const AttentionShape& shape, std::span<const int64_t> keys,
                      const Machine& machine);

/// Cycles that a vector core needs for the scores of a key: conversion, and for each query head
/// that shares it product and sum.
double vector_cycles_a_key(const AttentionShape& shape, const Machine& machine);

/// The launch of a legal config.
Launch build_decode_launch(const AttentionShape& shape, const DecodeSequences& sequences,
                           const Config& config, const Machine& machine);

}  // namespace tilewright
