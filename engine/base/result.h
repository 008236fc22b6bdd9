#pragma once
// What a fallible function returns: a value, or an Error made for a person.

#include <string>
#include <utility>
#include <variant>

namespace engine {

// `what` happened, `why`, and what the person can do about it; each a sentence without the final full stop.
struct Error {
    std::string what;
    std::string why;
    std::string what_to_do;

    std::string text() const;
};

template <class T> class [[nodiscard]] Result {
public:
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) { }
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) { }

    explicit operator bool() const { return content_.index() == 0; }
    T& value() { return *std::get_if<0>(&content_); }
    const T& value() const { return *std::get_if<0>(&content_); }
    T& operator*() { return value(); }
    T* operator->() { return &value(); }
    const Error& error() const { return *std::get_if<1>(&content_); }

private:
    std::variant<T, Error> content_;
};

template <> class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)), failed_(true) { }

    explicit operator bool() const { return !failed_; }
    const Error& error() const { return error_; }

private:
    Error error_;
    bool failed_ = false;
};

// "strerror" without its thread trouble.
std::string system_error_text(int error_number);

}
