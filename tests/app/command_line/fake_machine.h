#pragma once
// A machine whose screen, serial port and end are a test's to say.

#include "engine/engine.h"

namespace app {

class FakeMachine : public engine::Machine {
public:
    explicit FakeMachine(engine::Listener& listener) : listener_(listener) { }

    std::function<void(FakeMachine&, engine::u16)> pressed;    // called with each key that goes down
    std::string screen;
    std::string typed_on_serial;
    std::shared_ptr<engine::Frame> picture = std::make_shared<engine::Frame>();

    void say(std::string_view bytes) { listener_.serial_output(bytes); }
    void stop(engine::StopReason::Kind kind, int code = 0, std::string why = {})
    {
        state_ = engine::MachineState::stopped;
        listener_.state_changed(state_);
        listener_.stopped({kind, code, std::move(why)});
    }

    void start() override
    {
        state_ = engine::MachineState::running;
        listener_.state_changed(state_);
    }
    void pause() override { }
    void resume() override { }
    void reset() override { }
    void press_power_button() override { }
    void power_off() override { stop(engine::StopReason::Kind::host_request); }
    engine::MachineState state() const override { return state_; }
    AcceleratorInUse accelerator() const override { return {engine::Accelerator::translator, "a test"}; }
    void key(engine::u16 code, bool down) override
    {
        if (down && pressed)
            pressed(*this, code);
    }
    void pointer(int, int, int, engine::u8) override { }
    void serial_input(std::string_view bytes) override { typed_on_serial += bytes; }
    std::shared_ptr<const engine::Frame> frame() const override { return picture; }
    engine::ScreenText screen_text() override { return {screen, false}; }
    engine::Result<void> change_cdrom(const std::string&) override { return {}; }
    engine::Result<void> change_floppy(const std::string&) override { return {}; }
    engine::MachineStats stats() const override { return {}; }
    void translation_of(engine::u64, std::function<void(std::vector<engine::TranslatedBlock>)> done) override { done({}); }
    engine::Result<void> take_snapshot(const engine::SnapshotRequest&) override { return {}; }
    engine::Result<void> restore_snapshot(const std::string&) override { return {}; }
    engine::Result<void> save_and_stop() override { return {}; }
    std::string present_snapshot() const override { return {}; }
    void merge_layers() override { ++merges; }
    int merges = 0;

private:
    engine::Listener& listener_;
    engine::MachineState state_ = engine::MachineState::created;
};

}
