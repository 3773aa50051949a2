#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace tilewright {
namespace {

namespace fs = std::filesystem;

/// What each folder of the house may include besides itself.
const std::map<std::string, std::set<std::string>> kAllowed = {
    {"core", {}},
    {"simulator", {"core"}},
    {"db", {"core"}},
    {"kernels", {"core", "simulator"}},
    {"tuner", {"core", "simulator", "kernels", "db"}},
    {"app", {"core", "simulator", "kernels", "db", "tuner"}},
};

struct SourceFile {
  std::string path;  ///< from the source root
  std::vector<std::string> quoted;
  std::vector<std::string> angled;
};

SourceFile read_source(const fs::path& path) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
  SourceFile source;
  source.path = fs::relative(path, TILEWRIGHT_SOURCE_DIR).generic_string();
  std::ifstream file(path);
  std::smatch match;
  for (std::string line; std::getline(file, line);) {
    if (!std::regex_search(line, match, kInclude)) continue;
    (match[1] == "\"" ? source.quoted : source.angled).push_back(match[2]);
  }
  return source;
}

const std::vector<SourceFile>& sources() {
  static const std::vector<SourceFile> kSources = [] {
    std::vector<SourceFile> list;
    for (const auto& [folder, allowed] : kAllowed) {
      for (const auto& entry :
           fs::recursive_directory_iterator(fs::path(TILEWRIGHT_SOURCE_DIR) / folder)) {
        const std::string extension = entry.path().extension().string();
        if (extension == ".h" || extension == ".cpp") list.push_back(read_source(entry.path()));
      }
    }
    std::ranges::sort(list, {}, &SourceFile::path);
    return list;
  }();
  return kSources;
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

TEST(Layering, EveryFolderHasSources) {
  std::set<std::string> folders;
  for (const SourceFile& source : sources()) folders.insert(folder_of(source.path));
  EXPECT_EQ(folders.size(), kAllowed.size());
}

TEST(Layering, FoldersIncludeOnlyWhatIsBelowThem) {
  for (const SourceFile& source : sources()) {
    const std::string from = folder_of(source.path);
    for (const std::string& include : source.quoted) {
      const std::string to = folder_of(include);
      EXPECT_TRUE(to == from || kAllowed.at(from).contains(to))
          << source.path << " includes " << include;
      EXPECT_TRUE(fs::exists(fs::path(TILEWRIGHT_SOURCE_DIR) / include))
          << source.path << " includes " << include << ", which is not a path from the root";
    }
  }
}

TEST(Layering, NoFileIncludesItselfThroughOthers) {
  std::map<std::string, std::vector<std::string>> graph;
  for (const SourceFile& source : sources()) graph[source.path] = source.quoted;
  enum class Mark { kNew, kOpen, kDone };
  std::map<std::string, Mark> marks;
  const std::function<void(const std::string&)> visit = [&](const std::string& path) {
    marks[path] = Mark::kOpen;
    for (const std::string& next : graph[path]) {
      EXPECT_NE(marks[next], Mark::kOpen) << "circle: " << path << " includes " << next;
      if (marks[next] == Mark::kNew) visit(next);
    }
    marks[path] = Mark::kDone;
  };
  for (const SourceFile& source : sources()) {
    if (marks[source.path] == Mark::kNew) visit(source.path);
  }
}

TEST(Layering, HeavyLibrariesStayOutOfHeaders) {
  for (const SourceFile& source : sources()) {
    const bool is_header = source.path.ends_with(".h");
    for (const std::string& include : source.angled) {
      const bool is_heavy = include == "nlohmann/json.hpp" || include == "sqlite3.h" ||
                            include == "ncurses.h" || include.starts_with("Eigen/") ||
                            include.starts_with("boost/");
      EXPECT_FALSE(is_header && is_heavy) << source.path << " includes " << include;
    }
  }
}

TEST(Layering, SqliteIsUsedInDbAlone) {
  for (const SourceFile& source : sources()) {
    const bool uses_it = std::ranges::find(source.angled, "sqlite3.h") != source.angled.end();
    EXPECT_FALSE(uses_it && folder_of(source.path) != "db") << source.path;
  }
}

TEST(Layering, OneFileParsesTheCommandLine) {
  const auto parsers = std::ranges::count_if(sources(), [](const SourceFile& source) {
    return std::ranges::find(source.angled, "boost/program_options.hpp") != source.angled.end();
  });
  EXPECT_EQ(parsers, 1);
}

TEST(Layering, OneFileKnowsNcurses) {
  for (const SourceFile& source : sources()) {
    const bool uses_it = std::ranges::any_of(source.angled, [](const std::string& include) {
      return include.find("curses") != std::string::npos || include == "term.h";
    });
    EXPECT_EQ(uses_it, source.path == "app/tui/terminal_curses.cpp") << source.path;
  }
}

/// Libraries print nothing, end nothing and read neither environment nor clock.
TEST(Layering, LibrariesLeaveTheProcessAlone) {
  static const std::regex kForbidden(
      R"((^|[^\w.])(std::)?(getenv|printf|fprintf|puts|exit|_exit|quick_exit|system)\s*\(|std::c(out|err)\b|system_clock|steady_clock)");
  for (const SourceFile& source : sources()) {
    if (folder_of(source.path) == "app" || source.path == "core/base/error.cpp") continue;
    if (source.path == "tuner/evaluate/child_process.cpp")
      continue;  // a forked child may only _exit
    std::ifstream file(fs::path(TILEWRIGHT_SOURCE_DIR) / source.path);
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      ++number;
      const std::string code = line.substr(0, line.find("//"));
      EXPECT_FALSE(std::regex_search(code, kForbidden))
          << source.path << ":" << number << ": " << line;
    }
  }
}

/// Types of one name in one namespace are one type to the linker, whatever they hold: inline code
/// of the one would be used for the other.
TEST(Layering, NoTwoFilesDefineATypeOfTheSameName) {
  static const std::regex kType(
      R"(^(?:struct|class|enum class) (\w+)(?: final)?(?: :[^;]*)? \{.*)");
  std::map<std::string, std::string> home;
  for (const SourceFile& source : sources()) {
    std::ifstream file(fs::path(TILEWRIGHT_SOURCE_DIR) / source.path);
    bool is_unnamed = false;
    std::smatch match;
    for (std::string line; std::getline(file, line);) {
      if (line == "namespace {") is_unnamed = true;
      if (line == "}  // namespace") is_unnamed = false;
      if (is_unnamed || !std::regex_match(line, match, kType)) continue;
      const auto [found, is_new] = home.emplace(match[1], source.path);
      EXPECT_TRUE(is_new) << match[1] << " is a type of " << found->second << " and of "
                          << source.path;
    }
  }
  EXPECT_GT(home.size(), 300u);
}

}  // namespace
}  // namespace tilewright
