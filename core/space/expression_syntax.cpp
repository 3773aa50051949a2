#include "core/space/expression_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "core/base/text.h"

namespace tilewright {

namespace {

using Kind = SyntaxNode::Kind;

constexpr int kMaxNesting = 100;
constexpr int kMaxDepth = 500;

struct Token {
  enum class Kind { kEnd, kNumber, kText, kName, kSymbol };
  Kind kind = Kind::kEnd;
  std::string_view text = {};
  size_t offset = 0;
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct OperatorSymbol {
  std::string_view symbol;
  Operator op;
};
constexpr OperatorSymbol kSums[] = {{"+", Operator::kAdd}, {"-", Operator::kSubtract}};
constexpr OperatorSymbol kProducts[] = {{"*", Operator::kMultiply},
                                        {"/", Operator::kDivide},
                                        {"//", Operator::kFloorDivide},
                                        {"%", Operator::kModulo}};
constexpr OperatorSymbol kComparisons[] = {
    {"<", Operator::kLess},    {"<=", Operator::kLessEqual},
    {">", Operator::kGreater}, {">=", Operator::kGreaterEqual},
    {"==", Operator::kEqual},  {"!=", Operator::kNotEqual},
    {"in", Operator::kIn}};
/// Longest first.
constexpr std::string_view kSymbols[] = {"**", "//", "<=", ">=", "==", "!=", "&&", "||", "+", "-",
                                         "*",  "/",  "%",  "<",  ">",  "(",  ")",  "[",  "]", ","};
constexpr std::string_view kWords[] = {"and", "or", "not", "if", "else", "for", "in", "is"};

class Parser {
 public:
  explicit Parser(std::string_view text) { syntax_.source = text; }

  ExpressionSyntax parse() {
    read();
    syntax_.root = expression();
    if (now_.kind != Token::Kind::kEnd) throw unexpected("an operator or the end");
    return std::move(syntax_);
  }

 private:
  // Tokens.

  void read() {
    const std::string_view source = syntax_.source;
    while (at_ < source.size() && std::string_view(" \t\r\n").find(source[at_]) != source.npos) {
      ++at_;
    }
    now_ = {Token::Kind::kEnd, {}, at_};
    if (at_ == source.size()) return;
    const char first = source[at_];
    const bool number =
        is_digit(first) || (first == '.' && at_ + 1 < source.size() && is_digit(source[at_ + 1]));
    if (number) return take(Token::Kind::kNumber, number_length());
    if (is_letter(first)) {
      size_t length = 1;
      while (at_ + length < source.size() &&
             (is_letter(source[at_ + length]) || is_digit(source[at_ + length]))) {
        ++length;
      }
      return take(Token::Kind::kName, length);
    }
    if (first == '\'' || first == '"') {
      const size_t close = source.find(first, at_ + 1);
      if (close == source.npos) throw syntax_.error(at_, "this text has no end");
      return take(Token::Kind::kText, close + 1 - at_);
    }
    for (const std::string_view symbol : kSymbols) {
      if (source.substr(at_).starts_with(symbol)) return take(Token::Kind::kSymbol, symbol.size());
    }
    // The whole letter, where it has several bytes (UTF-8).
    size_t length = 1;
    while (at_ + length < source.size() && (source[at_ + length] & 0xc0) == 0x80) ++length;
    throw syntax_.error(at_, fmt::format("'{}' is no part of an expression",
                                         printable(source.substr(at_, length))));
  }

  void take(Token::Kind kind, size_t length) {
    now_ = {kind, std::string_view(syntax_.source).substr(at_, length), at_};
    at_ += length;
  }

  size_t number_length() const {
    const std::string_view source = syntax_.source;
    size_t end = at_;
    const auto digits = [&] {
      while (end < source.size() && is_digit(source[end])) ++end;
    };
    digits();
    if (end < source.size() && source[end] == '.') {
      ++end;
      digits();
    }
    if (end < source.size() && (source[end] == 'e' || source[end] == 'E')) {
      const size_t sign =
          end + 1 < source.size() && (source[end + 1] == '+' || source[end + 1] == '-');
      if (end + 1 + sign < source.size() && is_digit(source[end + 1 + sign])) {
        end += 1 + sign;
        digits();
      }
    }
    return end - at_;
  }

  Error unexpected(std::string_view expected) const {
    if (now_.kind == Token::Kind::kEnd) {
      return syntax_.error(now_.offset, fmt::format("it ends where {} is expected", expected));
    }
    std::string_view hint;
    if (now_.text == "&&") hint = "; write 'and'";
    if (now_.text == "||") hint = "; write 'or'";
    if (now_.text == "is") hint = "; write '=='";
    return syntax_.error(now_.offset, fmt::format("expected {}, found '{}'{}", expected,
                                                  printable(now_.text), hint));
  }

  bool is(std::string_view word) const {
    return (now_.kind == Token::Kind::kSymbol || now_.kind == Token::Kind::kName) &&
           now_.text == word;
  }

  bool accept(std::string_view word) {
    if (!is(word)) return false;
    read();
    return true;
  }

  void expect(std::string_view word) {
    if (!accept(word)) throw unexpected(fmt::format("'{}'", word));
  }

  std::optional<Operator> operator_of(std::span<const OperatorSymbol> symbols) const {
    for (const auto& [symbol, op] : symbols) {
      if (is(symbol)) return op;
    }
    return std::nullopt;
  }

  // Nodes.

  size_t add(SyntaxNode node) {
    for (const size_t child : node.children) {
      node.depth = std::max(node.depth, 1 + syntax_.nodes[child].depth);
    }
    for (const SyntaxNode::Clause& clause : node.clauses) {
      node.depth = std::max(node.depth, 1 + syntax_.nodes[clause.list].depth);
      for (const size_t condition : clause.conditions) {
        node.depth = std::max(node.depth, 1 + syntax_.nodes[condition].depth);
      }
    }
    if (node.depth > kMaxDepth) {
      throw syntax_.error(node.offset,
                          fmt::format("more than {} operations inside each other", kMaxDepth));
    }
    syntax_.nodes.push_back(std::move(node));
    return syntax_.nodes.size() - 1;
  }

  size_t add(Kind kind, size_t offset, Operator op, std::vector<size_t> children) {
    SyntaxNode node;
    node.kind = kind;
    node.offset = offset;
    node.op = op;
    node.children = std::move(children);
    return add(std::move(node));
  }

  size_t add_constant(size_t offset, ExpressionValue value) {
    SyntaxNode node;
    node.offset = offset;
    node.constant = value;
    return add(std::move(node));
  }

  // Grammar, loosest first.

  size_t expression() {
    if (++nesting_ > kMaxNesting) {
      throw syntax_.error(now_.offset, fmt::format("nested deeper than {} levels", kMaxNesting));
    }
    size_t value = disjunction();
    const size_t offset = now_.offset;
    // Inside a comprehension "if" belongs to the clause when no else follows; there the caller
    // reads conditions by disjunction(), as Python does.
    if (accept("if")) {
      const size_t condition = disjunction();
      expect("else");
      value = add(Kind::kConditional, offset, Operator::kSelect, {condition, value, expression()});
    }
    --nesting_;
    return value;
  }

  size_t joined(std::string_view word, Operator op, size_t (Parser::*part)()) {
    const size_t offset = now_.offset;
    std::vector<size_t> parts = {(this->*part)()};
    while (accept(word)) parts.push_back((this->*part)());
    return parts.size() == 1 ? parts.front() : add(Kind::kBinary, offset, op, std::move(parts));
  }

  size_t disjunction() { return joined("or", Operator::kOr, &Parser::conjunction); }
  size_t conjunction() { return joined("and", Operator::kAnd, &Parser::inversion); }

  size_t inversion() {
    std::vector<size_t> nots;
    for (; is("not"); read()) nots.push_back(now_.offset);
    size_t value = comparison();
    for (; !nots.empty(); nots.pop_back()) {
      value = add(Kind::kUnary, nots.back(), Operator::kNot, {value});
    }
    return value;
  }

  size_t comparison() {
    SyntaxNode chain;
    chain.kind = Kind::kChain;
    chain.offset = now_.offset;
    chain.children.push_back(sum());
    for (;;) {
      const size_t offset = now_.offset;
      if (is("not")) {
        read();
        expect("in");
        // A chain with `not in` inside it does not occur: what stands before is its left side.
        if (chain.children.size() > 1) {
          throw syntax_.error(offset, "'not in' cannot stand in a chain of comparisons");
        }
        const size_t in =
            add(Kind::kBinary, offset, Operator::kIn, {chain.children.front(), sum()});
        if (operator_of(kComparisons)) throw unexpected("no further comparison");
        return add(Kind::kUnary, offset, Operator::kNot, {in});
      }
      const auto op = operator_of(kComparisons);
      if (!op) break;
      read();
      chain.operators.push_back(*op);
      chain.children.push_back(sum());
    }
    if (chain.operators.empty()) return chain.children.front();
    return add(std::move(chain));
  }

  size_t left_joined(std::span<const OperatorSymbol> symbols, size_t (Parser::*part)()) {
    size_t value = (this->*part)();
    while (const auto op = operator_of(symbols)) {
      const size_t offset = now_.offset;
      read();
      const size_t right = (this->*part)();
      value = add(Kind::kBinary, offset, *op, {value, right});
    }
    return value;
  }

  size_t sum() { return left_joined(kSums, &Parser::product); }
  size_t product() { return left_joined(kProducts, &Parser::signed_power); }

  /// Signs bind looser than a power on their right: -2 ** 2 is -4.
  size_t signed_power() {
    std::vector<std::pair<size_t, Operator>> signs;
    for (; is("-") || is("+"); read()) {
      signs.emplace_back(now_.offset, is("-") ? Operator::kNegate : Operator::kPlus);
    }
    size_t value = power();
    for (; !signs.empty(); signs.pop_back()) {
      value = add(Kind::kUnary, signs.back().first, signs.back().second, {value});
    }
    return value;
  }

  size_t power() {
    const size_t base = atom();
    const size_t offset = now_.offset;
    if (!accept("**")) return base;
    if (++nesting_ > kMaxNesting) {
      throw syntax_.error(offset, fmt::format("nested deeper than {} levels", kMaxNesting));
    }
    const size_t exponent = signed_power();
    --nesting_;
    return add(Kind::kBinary, offset, Operator::kPower, {base, exponent});
  }

  size_t atom() {
    const Token token = now_;
    if (token.kind == Token::Kind::kNumber) return number(token);
    if (token.kind == Token::Kind::kText) {
      if (token.text.find('\\') != token.text.npos) {
        throw syntax_.error(token.offset, "a text with a backslash has no meaning here");
      }
      read();
      syntax_.texts.emplace_back(token.text.substr(1, token.text.size() - 2));
      return add_constant(token.offset, text_value(&syntax_.texts.back()));
    }
    if (accept("(")) return bracket(token.offset, ")");
    if (accept("[")) return bracket(token.offset, "]");
    if (token.kind != Token::Kind::kName || std::ranges::count(kWords, token.text) > 0) {
      throw unexpected("a number, a name, a text or '('");
    }
    read();
    if (token.text == "True" || token.text == "False") {
      return add_constant(token.offset, bool_value(token.text == "True"));
    }
    return name_or_call(token);
  }

  size_t number(const Token& token) {
    const bool whole = std::ranges::all_of(token.text, is_digit);
    const char* const end = token.text.data() + token.text.size();
    ExpressionValue value;
    std::from_chars_result result{};
    if (whole) {
      int64_t integer = 0;
      result = std::from_chars(token.text.data(), end, integer);
      value = int_value(integer);
    } else {
      double decimal = 0;
      result = std::from_chars(token.text.data(), end, decimal);
      value = float_value(decimal);
    }
    if (result.ec != std::errc() || result.ptr != end) {
      throw syntax_.error(token.offset,
                          fmt::format("{} is not a number of 64 bits", printable(token.text)));
    }
    read();
    return add_constant(token.offset, value);
  }

  size_t name_or_call(const Token& token) {
    SyntaxNode node;
    node.kind = Kind::kName;
    node.offset = token.offset;
    node.name = token.text;
    if (!accept("(")) return add(std::move(node));
    node.kind = Kind::kCall;
    while (!is(")")) {
      node.children.push_back(expression());
      if (is("for")) node.children.back() = comprehension(token.offset, node.children.back());
      if (!is(")")) expect(",");
    }
    read();
    return add(std::move(node));
  }

  /// What follows "(" or "[": a value in parentheses, a list or a comprehension.
  size_t bracket(size_t offset, std::string_view close) {
    SyntaxNode list;
    list.kind = Kind::kList;
    list.offset = offset;
    bool comma = false;
    while (!is(close)) {
      list.children.push_back(expression());
      if (is("for") && list.children.size() == 1) {
        const size_t made = comprehension(offset, list.children.front());
        expect(close);
        return made;
      }
      if (is(close)) break;
      if (!is(",")) throw unexpected(fmt::format("',' or '{}'", close));
      comma = true;
      read();
    }
    read();
    if (close == ")" && list.children.size() == 1 && !comma) return list.children.front();
    return add(std::move(list));
  }

  size_t comprehension(size_t offset, size_t element) {
    SyntaxNode node;
    node.kind = Kind::kComprehension;
    node.offset = offset;
    node.children = {element};
    while (accept("for")) {
      const Token variable = now_;
      if (variable.kind != Token::Kind::kName || std::ranges::count(kWords, variable.text) > 0) {
        throw unexpected("the name of a variable");
      }
      read();
      expect("in");
      SyntaxNode::Clause clause{std::string(variable.text), disjunction(), {}};
      while (accept("if")) clause.conditions.push_back(disjunction());
      node.clauses.push_back(std::move(clause));
    }
    return add(std::move(node));
  }

  ExpressionSyntax syntax_;
  Token now_;
  size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace

Error ExpressionSyntax::error(size_t offset, std::string_view what) const {
  const std::string_view before = std::string_view(source).substr(0, offset);
  const size_t line_start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return {ErrorKind::kUsage,
          fmt::format("expression '{}', {}:{}: {}", printable(source),
                      1 + std::ranges::count(before, '\n'), offset - line_start + 1, what)};
}

ExpressionSyntax parse_expression(std::string_view text) {
  if (text.size() > kMaxExpressionBytes) {
    throw Error(ErrorKind::kUsage, fmt::format("expression '{}' is longer than {} bytes",
                                               printable(text), kMaxExpressionBytes));
  }
  return Parser(text).parse();
}

}  // namespace tilewright
