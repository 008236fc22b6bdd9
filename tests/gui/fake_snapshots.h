#pragma once
// A tree of snapshots that lies nowhere, for the windows' tests.

#include <algorithm>
#include <mutex>

#include "app/session/snapshot_shelf.h"

struct FakeSnapshots {
    struct Content {
        std::mutex mutex;
        std::vector<engine::SnapshotInfo> all, removed;
        std::string present;
        std::optional<engine::Error> refusal;    // of every change
        int sweeps = 0, drops = 0;
    };
    std::shared_ptr<Content> content = std::make_shared<Content>();

    // Taken `at` minutes after some Monday began; the present grows from it.
    const engine::SnapshotInfo
    add(const char* id, const char* name, int at, engine::SnapshotInfo::Kind kind = engine::SnapshotInfo::Kind::manual)
    {
        const std::lock_guard lock(content->mutex);
        engine::SnapshotInfo info;
        info.id = id;
        info.name = name;
        info.kind = kind;
        info.parent = content->present;
        info.taken_at = engine::u64(1'700'000'000'000) + engine::u64(at) * 60'000;
        info.own_bytes = 1'500'000;
        info.thumbnail = {4, 2, std::vector<engine::u32>(8, 0xff2060c0)};
        content->all.push_back(info);
        content->present = id;
        return info;
    }
    void moveTo(const char* id)
    {
        const std::lock_guard lock(content->mutex);
        content->present = id;
    }
    std::vector<engine::SnapshotInfo> all() const
    {
        const std::lock_guard lock(content->mutex);
        return content->all;
    }

    struct Tree : engine::SnapshotTree {
        explicit Tree(std::shared_ptr<Content> content) : c(std::move(content)) { }
        std::vector<engine::SnapshotInfo> list(bool) override
        {
            const std::lock_guard lock(c->mutex);
            return c->all;
        }
        engine::Result<engine::SnapshotInfo> find(const std::string&) override { return engine::Error{"none", "", ""}; }
        std::string present() override
        {
            const std::lock_guard lock(c->mutex);
            return c->present;
        }
        std::string saved_state() override { return {}; }
        bool interrupted() override { return false; }
        std::string newest() override { return {}; }
        template <class Change> engine::Result<void> change(const std::string& id, Change how)
        {
            const std::lock_guard lock(c->mutex);
            if (c->refusal)
                return *c->refusal;
            const auto found = std::ranges::find(c->all, id, &engine::SnapshotInfo::id);
            if (found == c->all.end())
                return engine::Error{"There is no such snapshot", "", ""};
            how(found);
            return {};
        }
        engine::Result<void> rename(const std::string& id, const std::string& name) override
        {
            return change(id, [&](auto found) { found->name = name; });
        }
        engine::Result<void> set_note(const std::string& id, const std::string& note) override
        {
            return change(id, [&](auto found) { found->note = note; });
        }
        engine::Result<void> remove(const std::string& id) override
        {
            return change(id, [&](auto found) {
                c->removed.push_back(*found);
                c->all.erase(found);
            });
        }
        engine::Result<void> undo_remove(const std::string& id) override
        {
            const std::lock_guard lock(c->mutex);
            const auto found = std::ranges::find(c->removed, id, &engine::SnapshotInfo::id);
            if (found == c->removed.end())
                return engine::Error{"The snapshot can't be brought back", "Its room has been freed", ""};
            c->all.push_back(*found);
            c->removed.erase(found);
            std::ranges::stable_sort(c->all, {}, &engine::SnapshotInfo::taken_at);
            return {};
        }
        engine::Result<engine::u64> sweep() override
        {
            const std::lock_guard lock(c->mutex);
            ++c->sweeps;
            c->removed.clear();
            return engine::u64(0);
        }
        engine::Result<engine::u64> free_unneeded() override { return engine::u64(0); }
        engine::Result<engine::u64> drop(const std::vector<std::string>& ids) override
        {
            for (const std::string& id : ids)
                if (auto dropped = change(id, [&](auto found) { c->all.erase(found); }); !dropped)
                    return dropped.error();
            const std::lock_guard lock(c->mutex);
            ++c->drops;
            return engine::u64(0);
        }
        engine::u64 merge_layers(const std::function<bool()>&) override { return 0; }
        std::shared_ptr<Content> c;
    };
    app::SnapshotShelf::TreeFactory factory() const
    {
        return [content = content](const std::string&) {
            return engine::Result<std::unique_ptr<engine::SnapshotTree>>(std::make_unique<Tree>(content));
        };
    }
};
