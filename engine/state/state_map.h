#pragma once
// A device's state as a map from dotted names to values: what tests, the inspector and moves between back ends use.

#include <map>
#include <string>
#include <vector>

#include "engine/state/state_visitor.h"

namespace engine {

struct StateMap {
    std::map<std::string, u64, std::less<>> scalars;
    std::map<std::string, std::vector<u8>, std::less<>> blobs;

    bool operator==(const StateMap&) const = default;
};

class NamedStateVisitor : public StateVisitor {
public:
    void enter(std::string_view name) override { path_.push_back(prefix() + std::string(name) + "."); }
    void leave() override { path_.pop_back(); }

protected:
    std::string full(std::string_view name) const { return prefix() + std::string(name); }

private:
    std::string prefix() const { return path_.empty() ? std::string() : path_.back(); }
    std::vector<std::string> path_;
};

class StateSaver : public NamedStateVisitor {
public:
    StateMap map;

protected:
    void scalar(std::string_view name, u64& value, std::size_t) override { map.scalars[full(name)] = value; }
    void blob(std::string_view name, std::span<u8> bytes) override { map.blobs[full(name)].assign(bytes.begin(), bytes.end()); }
    void bytes_of(std::string_view name, std::vector<u8>& bytes, std::size_t) override { map.blobs[full(name)] = bytes; }
};

class StateLoader : public NamedStateVisitor {
public:
    explicit StateLoader(const StateMap& map) : map_(map) { }

protected:
    void scalar(std::string_view name, u64& value, std::size_t) override;
    void blob(std::string_view name, std::span<u8> bytes) override;
    void bytes_of(std::string_view name, std::vector<u8>& bytes, std::size_t limit) override;

private:
    const StateMap& map_;
};

}
