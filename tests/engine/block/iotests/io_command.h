#pragma once
// A line of the small language of `qemu-io`, taken apart: the command's name, its options and what follows them.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/types.h"

struct IoCommand {
    std::string name;
    std::map<char, std::string> options;    // those without a value have an empty one
    std::vector<std::string> operands;

    bool has(char option) const { return options.contains(option); }
    // The number that the option has, or `otherwise`.
    engine::u64 number(char option, engine::u64 otherwise) const;
};

// `with_values`: the options that have one. Nothing for an empty line.
std::optional<IoCommand> take_apart(const std::string& line, const std::string& with_values);

// "64k", "0x200", "1.5M": bytes. Nothing where it is no number.
std::optional<engine::u64> bytes_of(const std::string& text);

// "512 bytes", "64 KiB", "1.500 MiB".
std::string size_text(engine::u64 bytes);
