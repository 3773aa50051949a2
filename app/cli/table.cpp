#include "app/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"

namespace tilewright {

namespace {

constexpr size_t kWidestCell = 400;

/// Columns that a UTF-8 text takes, one for each code point.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Json json_of(const Cell& cell) {
  if (const auto* whole = std::get_if<int64_t>(&cell)) return *whole;
  if (const auto* number = std::get_if<double>(&cell)) return *number;
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return nullptr;
}

bool is_number(const Cell& cell) {
  return std::holds_alternative<int64_t>(cell) || std::holds_alternative<double>(cell);
}

}  // namespace

namespace {

size_t widest_line(std::string_view text) {
  size_t widest = 0;
  for (const std::string_view line : split(text, '\n')) {
    widest = std::max(widest, width_of(std::string(line)));
  }
  return widest;
}

/// The text in lines of at most `width` columns where its words allow that.
std::vector<std::string> wrapped(std::string_view text, size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string_view word : split(text, ' ')) {
    std::string& line = lines.back();
    if (!line.empty() && width_of(line) + 1 + width_of(std::string(word)) > width) {
      lines.emplace_back(word);
    } else {
      line += (line.empty() ? "" : " ") + std::string(word);
    }
  }
  return lines;
}

}  // namespace

std::string shown_text(const Cell& cell) {
  if (const auto* number = std::get_if<double>(&cell)) return fmt::format("{:.6g}", *number);
  return printable(to_text(cell), kWidestCell);
}

std::string to_wrapped_table(QueryResult table, int columns) {
  const auto most = static_cast<size_t>(std::max(columns, 40));
  std::string text = to_table(table);
  if (widest_line(text) <= most || table.columns.size() < 2) return text;
  const auto drop = [](auto& list) { list.erase(list.end() - 2); };
  drop(table.columns);
  for (auto& row : table.rows) drop(row);
  QueryResult head = table;
  for (auto& row : head.rows) row.back() = std::string();
  const size_t left = widest_line(to_table(head)) - width_of(table.columns.back());
  QueryResult broken{table.columns, {}};
  for (const auto& row : table.rows) {
    std::vector<Cell> cells = row;
    for (std::string& line : wrapped(to_text(row.back()), most - left)) {
      cells.back() = std::move(line);
      broken.rows.push_back(cells);
      cells.assign(cells.size(), Cell(std::string()));
    }
  }
  return to_table(broken);
}

std::string to_table(const QueryResult& table) {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    widths.push_back(width_of(table.columns[c]));
    bool has_number = false, has_text = false;
    for (const auto& row : table.rows) {
      widths[c] = std::max(widths[c], width_of(shown_text(row[c])));
      has_number = has_number || is_number(row[c]);
      has_text = has_text || std::holds_alternative<std::string>(row[c]);
    }
    right.push_back(has_number && !has_text);
  }
  std::string text;
  const auto add_line = [&](const auto& cell_text) {
    std::string line;
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = cell_text(c);
      const std::string pad(widths[c] - width_of(cell), ' ');
      line += (c > 0 ? "  " : "") + (right[c] ? pad + cell : cell + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line([&](size_t c) { return table.columns[c]; });
  for (const auto& row : table.rows) add_line([&](size_t c) { return shown_text(row[c]); });
  return text;
}

Json to_json(const QueryResult& table) {
  std::vector<std::string> names;
  for (const std::string& column : table.columns) {
    std::string name = column;
    for (int n = 2; std::ranges::find(names, name) != names.end(); ++n) {
      name = fmt::format("{}_{}", column, n);
    }
    names.push_back(name);
  }
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json object = Json::object();
    for (size_t c = 0; c < names.size(); ++c) object[names[c]] = json_of(row[c]);
    rows.push_back(std::move(object));
  }
  Json json;
  json["columns"] = names;
  json["rows"] = std::move(rows);
  return json;
}

}  // namespace tilewright
