#include "app/cli/shard.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace tilewright {

std::string Shard::text() const {
  return fmt::format("{}/{}", index, count);
}

void Shard::keep_own(std::vector<TuneProblem>& problems) const {
  if (is_whole()) return;
  // A problem that stands twice, for other ops of a model, is one; and a fused problem goes with
  // the one that it is instead of, whose winner decides over its own.
  std::map<std::string, int> places;
  std::erase_if(problems, [&](const TuneProblem& each) {
    const auto next = first + static_cast<int>(places.size());
    const std::string text = each.apart ? each.apart->problem : each.problem.text();
    const int place = places.try_emplace(text, next).first->second;
    return place % count != index - 1;
  });
}

Shard read_shard(const Arguments& arguments) {
  if (!arguments.has("shard")) return {};
  const std::string text = arguments.text("shard");
  constexpr int64_t kMost = 100'000;
  const size_t slash = text.find('/');
  int64_t index = 0;
  int64_t count = 0;
  if (slash != std::string::npos) {
    index = parse_int(std::string_view(text).substr(0, slash), "--shard");
    count = parse_int(std::string_view(text).substr(slash + 1), "--shard");
  }
  if (index < 1 || index > count || count > kMost) {
    throw Error(ErrorKind::kUsage,
                fmt::format("--shard '{}' is no part I/N such as 2/4", printable(text)));
  }
  return {static_cast<int>(index), static_cast<int>(count), 0};
}

std::string shard_path(const std::string& db, const Shard& shard) {
  if (shard.is_whole()) return db;
  const std::filesystem::path path(db);
  const std::string name = fmt::format("{}.shard-{}-of-{}{}", path.stem().string(), shard.index,
                                       shard.count, path.extension().string());
  return (path.parent_path() / name).string();
}

Store open_shard(const Context& context, const Shard& shard) {
  return context.open_store(shard_path(context.globals().db, shard));
}

}  // namespace tilewright
