#pragma once
// A machine that does nothing but remember what it was told.

#include <QStringList>

#include "app/session/machine_session.h"

struct FakeMachine : engine::Machine {
    explicit FakeMachine(engine::Listener& to) : listener(to) { }

    void become(engine::MachineState now)
    {
        current = now;
        listener.state_changed(now);
    }
    void stop(engine::StopReason reason)
    {
        become(engine::MachineState::stopped);
        listener.stopped(reason);
    }
    void start() override { become(engine::MachineState::running); }
    void pause() override { become(engine::MachineState::paused); }
    void resume() override { become(engine::MachineState::running); }
    void reset() override { said << "reset"; }
    void press_power_button() override { said << "power button"; }
    void power_off() override { stop({engine::StopReason::Kind::host_request, 0, {}}); }
    engine::MachineState state() const override { return current; }
    AcceleratorInUse accelerator() const override { return {engine::Accelerator::translator, "/dev/kvm is missing"}; }
    void key(engine::u16 code, bool down) override { keys.push_back({code, down}); }
    void pointer(int dx, int dy, int wheel, engine::u8 buttons) override
    {
        said << QStringLiteral("pointer %1 %2 %3 %4").arg(dx).arg(dy).arg(wheel).arg(buttons);
    }
    void serial_input(std::string_view) override { }
    std::shared_ptr<const engine::Frame> frame() const override { return picture; }
    engine::ScreenText screen_text() override { return {"A:\\>", false}; }
    engine::Result<void> change_cdrom(const std::string& path) override
    {
        if (path == "/missing.iso")
            return engine::Error{"The disc cannot be inserted", "there is no such file", "Choose another"};
        return {};
    }
    engine::Result<void> change_floppy(const std::string&) override { return {}; }
    engine::MachineStats stats() const override { return {}; }
    void translation_of(engine::u64, std::function<void(std::vector<engine::TranslatedBlock>)> done) override { done({}); }
    // How these end is up to the test.
    engine::Result<void> take_snapshot(const engine::SnapshotRequest& request) override
    {
        takes.push_back(request);
        return {};
    }
    engine::Result<void> restore_snapshot(const std::string& id) override
    {
        restores << QString::fromStdString(id);
        return {};
    }
    engine::Result<void> save_and_stop() override
    {
        said << "save and stop";
        return {};
    }
    std::string present_snapshot() const override { return {}; }
    void merge_layers() override { ++merges; }
    int merges = 0;

    void show(engine::u32 width, engine::u32 height, engine::u32 colour)
    {
        auto next = std::make_shared<engine::Frame>();
        next->number = picture ? picture->number + 1 : 1;
        next->width = width;
        next->height = height;
        next->damage = {0, 0, width, height};
        next->pixels.assign(size_t(width) * height, colour);
        picture = next;
        listener.frame_ready();
    }

    engine::Listener& listener;
    engine::MachineState current = engine::MachineState::created;
    std::shared_ptr<const engine::Frame> picture;
    app::KeyEvents keys;
    QStringList said;
    std::vector<engine::SnapshotRequest> takes;
    QStringList restores;
};

// A session with a fake machine; `machine` points to it while the session lives.
struct FakeSession {
    explicit FakeSession(const char* name = "test", const char* snapshots = "", bool trial = false)
    {
        engine::MachineDefinition definition;
        definition.name = name;
        definition.snapshots = snapshots;
        definition.trial = trial;
        auto opened = app::MachineSession::open(definition, factory());
        session = std::move(opened.value());
    }
    app::MachineSession::Factory factory()
    {
        return [this](const engine::MachineDefinition&, engine::Listener& listener) {
            auto made = std::make_unique<FakeMachine>(listener);
            machine = made.get();
            return engine::Result<std::unique_ptr<engine::Machine>>(std::move(made));
        };
    }
    FakeMachine* machine = nullptr;
    std::unique_ptr<app::MachineSession> session;
};
