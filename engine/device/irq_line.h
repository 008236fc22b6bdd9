#pragma once
#include <functional>
#include <utility>

namespace engine {

// A wire with a level. The sink hears changes only. Used with the machine's lock held.
class IrqLine {
public:
    using Sink = std::function<void(bool level)>;

    IrqLine() = default;
    explicit IrqLine(Sink sink) : sink_(std::move(sink)) { }

    void connect(Sink sink) { sink_ = std::move(sink); }
    void set(bool level)
    {
        if (level == level_)
            return;
        level_ = level;
        if (sink_)
            sink_(level);
    }
    void pulse()
    {
        set(true);
        set(false);
    }
    bool level() const { return level_; }

private:
    Sink sink_;
    bool level_ = false;
};

}
