// Calls a C++ solution's function: reads a JSON list of arguments from standard input by the
// function's own parameter types, and writes its value as the code grader reads it.
//
// Compiled before the solution, which runs in this process and can do with it what it likes; all it
// can reach is its own reply. After the solution comes `ASSAY_CALL(its function)`.
#pragma once

#include <bits/stdc++.h>
#include <fcntl.h>
#include <unistd.h>

namespace assay_call {

struct Wrong : std::runtime_error {
  using runtime_error::runtime_error;
};

// ---- reading ----

struct In {
  std::string_view rest;
  char Peek() {
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0])))
      rest.remove_prefix(1);
    return rest.empty() ? '\0' : rest[0];
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void Want(char c) {
    if (!Take(c)) throw Wrong(std::string("an argument of another type: wanted '") + c + "'");
  }
  bool TakeWord(std::string_view word) {
    Peek();
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
};

inline void AppendUtf8(unsigned code, std::string* text) {
  if (code < 0x80) {
    *text += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
  *text += static_cast<char>(marks[more] | code >> 6 * more);
  for (int i = more - 1; i >= 0; --i) *text += static_cast<char>(0x80 | (code >> 6 * i & 0x3F));
}

inline unsigned Hex4(In& in) {
  const unsigned code =
      static_cast<unsigned>(std::stoul(std::string(in.rest.substr(0, 4)), nullptr, 16));
  in.rest.remove_prefix(4);
  return code;
}

inline std::string ReadText(In& in) {
  in.Want('"');
  std::string text;
  while (!in.rest.empty() && in.rest[0] != '"') {
    char c = in.rest[0];
    in.rest.remove_prefix(1);
    if (c == '\\') {
      c = in.rest.at(0);
      in.rest.remove_prefix(1);
      if (c == 'u') {
        unsigned code = Hex4(in);
        if (code >= 0xD800 && code < 0xDC00 && in.rest.starts_with("\\u")) {
          in.rest.remove_prefix(2);
          code = 0x10000 + ((code - 0xD800) << 10) + (Hex4(in) - 0xDC00);
        }
        AppendUtf8(code, &text);
        continue;
      }
      const std::string_view from = "bfnrt", to = "\b\f\n\r\t";
      if (const size_t at = from.find(c); at != from.npos) c = to[at];
    }
    text += c;
  }
  in.Want('"');
  return text;
}

inline std::string ReadNumber(In& in) {
  in.Peek();
  const size_t length = std::min(in.rest.find_first_not_of("+-.0123456789eE"), in.rest.size());
  if (length == 0) throw Wrong("an argument of another type: wanted a number");
  const std::string text(in.rest.substr(0, length));
  in.rest.remove_prefix(length);
  return text;
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};
template <class T>
concept MapLike = requires {
  typename T::mapped_type;
};
template <class T>
concept SetLike = requires {
  typename T::key_type;
}
&&!MapLike<T>;

template <class T>
T Read(In& in) {
  if constexpr (std::is_same_v<T, bool>) {
    if (in.TakeWord("true")) return true;
    if (in.TakeWord("false")) return false;
    throw Wrong("an argument of another type: wanted true or false");
  } else if constexpr (std::is_same_v<T, char>) {
    const std::string text = ReadText(in);
    if (text.size() != 1) throw Wrong("an argument of another type: wanted one character");
    return text[0];
  } else if constexpr (std::is_integral_v<T>) {
    const std::string text = ReadNumber(in);
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      throw Wrong("an argument of another type: " + text + " does not fit");
    return value;
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(std::strtold(ReadNumber(in).c_str(), nullptr));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return ReadText(in);
  } else if constexpr (IsOptional<T>::value) {
    if (in.TakeWord("null")) return std::nullopt;
    return Read<typename T::value_type>(in);
  } else if constexpr (TupleLike<T>) {
    T value;
    in.Want('[');
    [&]<size_t... i>(std::index_sequence<i...>) {
      ((i > 0 ? in.Want(',') : void(),
        std::get<i>(value) = Read<std::decay_t<decltype(std::get<i>(value))>>(in)),
       ...);
    }
    (std::make_index_sequence<std::tuple_size<T>::value>());
    in.Want(']');
    return value;
  } else if constexpr (MapLike<T>) {
    T value;
    in.Want('{');
    while (in.Peek() != '}') {
      const std::string key = ReadText(in);
      In number{key};
      in.Want(':');
      if constexpr (std::is_same_v<typename T::key_type, std::string>) {
        value[key] = Read<typename T::mapped_type>(in);
      } else {
        value[Read<typename T::key_type>(number)] = Read<typename T::mapped_type>(in);
      }
      if (!in.Take(',')) break;
    }
    in.Want('}');
    return value;
  } else {
    T value;
    in.Want('[');
    while (in.Peek() != ']') {
      value.insert(value.end(), Read<typename T::value_type>(in));
      if (!in.Take(',')) break;
    }
    in.Want(']');
    return value;
  }
}

// ---- writing ----

inline void WriteText(std::string_view text, std::string* out) {
  *out += '"';
  for (const char c : text) {
    char escaped[8];
    const bool plain = static_cast<unsigned char>(c) >= ' ' && c != '"' && c != '\\';
    if (!plain) std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
    *out += plain ? std::string(1, c) : escaped;
  }
  *out += '"';
}

template <class T>
void Write(const T& value, std::string* out) {
  if constexpr (std::is_same_v<T, bool>) {
    *out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    WriteText(std::string_view(&value, 1), out);
  } else if constexpr (std::is_integral_v<T>) {
    *out += std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    char text[64];
    std::snprintf(text, sizeof text, "{\"float\": \"%.17g\"}", static_cast<double>(value));
    *out += text;
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    WriteText(value, out);
  } else if constexpr (IsOptional<T>::value) {
    value ? Write(*value, out) : void(*out += "null");
  } else if constexpr (TupleLike<T>) {
    *out += "{\"tuple\": [";
    [&]<size_t... i>(std::index_sequence<i...>) {
      ((*out += i > 0 ? ", " : "", Write(std::get<i>(value), out)), ...);
    }
    (std::make_index_sequence<std::tuple_size<T>::value>());
    *out += "]}";
  } else {
    if constexpr (MapLike<T>) *out += "{\"dict\": ";
    if constexpr (SetLike<T>) *out += "{\"set\": ";
    *out += '[';
    bool first = true;
    for (auto&& member : value) {
      if (!std::exchange(first, false)) *out += ", ";
      if constexpr (MapLike<T>) {
        *out += '[';
        Write(member.first, out);
        *out += ", ";
        Write(member.second, out);
        *out += ']';
      } else {
        Write<typename T::value_type>(member, out);
      }
    }
    *out += MapLike<T> || SetLike<T> ? "]}" : "]";
  }
}

// ---- calling ----

template <class R, class... A>
std::string Call(const std::function<R(A...)>& function, std::string_view text) {
  In in{text};
  in.Want('[');
  std::tuple<std::decay_t<A>...> arguments;
  [&]<size_t... i>(std::index_sequence<i...>) {
    ((i > 0 ? in.Want(',') : void(),
      std::get<i>(arguments) = Read<std::decay_t<decltype(std::get<i>(arguments))>>(in)),
     ...);
  }
  (std::index_sequence_for<A...>());
  if (!in.Take(']')) throw Wrong("more arguments than the function takes");
  const auto call = [&](auto&... value) -> R { return function(static_cast<A&&>(value)...); };
  std::string out;
  if constexpr (std::is_void_v<R>) {
    std::apply(call, arguments);
    out = "null";
  } else {
    Write<std::decay_t<R>>(std::apply(call, arguments), &out);
  }
  return out;
}

template <class R, class... A>
std::string CallAny(R (*function)(A...), std::string_view text) {
  return Call(std::function<R(A...)>(function), text);
}
template <class C, class R, class... A>
std::string CallAny(R (C::*method)(A...), std::string_view text) {
  C object;
  return Call(std::function<R(A...)>(
                  [&](A... value) -> R { return (object.*method)(std::forward<A>(value)...); }),
              text);
}
template <class C, class R, class... A>
std::string CallAny(R (C::*method)(A...) const, std::string_view text) {
  return CallAny(reinterpret_cast<R (C::*)(A...)>(method), text);
}

// The function may print what it likes: standard output is not where the reply goes.
template <class F>
int Main(F function) {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const int out = dup(1);
  dup2(open("/dev/null", O_RDWR), 1);
  std::string reply;
  try {
    reply = "{\"value\": " + CallAny(function, text) + "}\n";
  } catch (const std::exception& error) {
    reply = "{\"raised\": ";
    WriteText(std::string_view(error.what()).substr(0, 300), &reply);
    reply += "}\n";
  }
  for (size_t at = 0; at < reply.size();) {
    const ssize_t written = write(out, reply.data() + at, reply.size() - at);
    if (written <= 0) break;
    at += static_cast<size_t>(written);
  }
  _exit(0);
}

}  // namespace assay_call

#define ASSAY_CALL(function) \
  int main() { return assay_call::Main(function); }
#define main assay_solution_main
