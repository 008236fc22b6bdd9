// SnapshotTree: putting the snapshots of a machine in order, and freeing what none of them needs.

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/base/text.h"
#include "engine/snapshot/container.h"
#include "engine/snapshot/disk_layers.h"
#include "engine/snapshot/layer_merger.h"
#include "engine/snapshot/snapshot_directory.h"

namespace engine {

namespace {

// What one snapshot needs of the shared files.
struct Needs {
    std::set<PageRef> chunks;
    std::set<std::string> layers;

    void merge(Needs other)
    {
        chunks.merge(other.chunks);
        layers.merge(other.layers);
    }
};

std::set<std::string> layers_of(const std::vector<DiskLayers>& disks, LayerChains& chains)
{
    std::set<std::string> layers;
    for (const DiskLayers& disk : disks)
        for (std::string& layer : chains.chain(disk))
            layers.insert(std::move(layer));
    return layers;
}

Needs needs_of(const SnapshotContent& content, LayerChains& chains)
{
    Needs needs{.chunks = {}, .layers = layers_of(content.disks, chains)};
    if (!content.pages)
        return needs;
    for (const auto& [name, table] : *content.pages) {
        PageRef last = 0;
        for (const PageRef ref : table)
            if (ref && chunk_of(ref) != last)
                needs.chunks.insert(last = chunk_of(ref));
    }
    return needs;
}

class Tree final : public SnapshotTree {
public:
    using Whose = SnapshotDirectory::Whose;
    Tree(const std::string& directory, Whose whose) : directory_(directory, whose) { }

    std::vector<SnapshotInfo> list(bool whole) override;
    Result<SnapshotInfo> find(const std::string& id_or_name) override;
    std::string present() override { return living_parent(state().snapshot); }
    std::string saved_state() override { return state().saved_state; }
    bool interrupted() override { return state().running; }
    std::string newest() override;
    Result<void> rename(const std::string& id, const std::string& name) override;
    Result<void> set_note(const std::string& id, const std::string& note) override;
    Result<void> remove(const std::string& id) override;
    Result<void> undo_remove(const std::string& id) override;
    Result<u64> drop(const std::vector<std::string>& ids) override;
    Result<u64> sweep() override { return free(Removed::freed); }
    Result<u64> free_unneeded() override { return free(Removed::kept); }
    u64 merge_layers(const std::function<bool()>& go_on) override;

private:
    enum class Removed : u8 { freed, kept };

    Present state() const;
    Result<std::vector<Present>> presents() const;
    Result<u64> free(Removed removed, const std::vector<std::string>& dropped = {});
    Result<void> change_label(const std::string& id, const std::function<void(Label&)>& change);
    std::string living_parent(const std::string& id) const;
    bool is_there(const std::string& id) const
    {
        return directory_.has(id + snapshot_suffix) || directory_.has(id + removed_suffix);
    }
    std::string told_parent(const std::string& id, const std::string& suffix) const;
    void forget(const std::vector<std::string>& gone, const std::vector<Present>& presents);
    void add_sizes(std::vector<SnapshotInfo>& all);
    u64 free_pages(const std::set<PageRef>& chunks, PageStore& store);
    u64 free_layers(const std::set<std::string>& layers);
    void remove_unfinished();

    SnapshotDirectory directory_;
};

Present Tree::state() const
{
    const auto present = directory_.present();
    return present ? present.value() : Present{};
}

// A removed snapshot's children are its parent's. Its file still tells who that is, or its label once it is gone.
std::string Tree::living_parent(const std::string& id) const
{
    std::string at = id;
    for (unsigned step = 0; SnapshotDirectory::is_id(at) && step < 4096; ++step) {
        if (directory_.has(at + snapshot_suffix))
            return at;
        at = told_parent(at, removed_suffix);
    }
    return {};
}

std::string Tree::told_parent(const std::string& id, const std::string& suffix) const
{
    if (const auto info = directory_.info(id, suffix))
        return info.value().parent;
    const auto label = directory_.label(id);
    return label ? label->parent : std::string();
}

std::vector<SnapshotInfo> Tree::list(bool whole)
{
    std::vector<SnapshotInfo> all;
    for (const std::string& id : directory_.names(snapshot_suffix)) {
        if (!SnapshotDirectory::is_id(id))
            continue;
        auto info = directory_.info(id);
        if (!info) {
            SnapshotInfo broken;
            broken.id = id;
            broken.trouble = info.error().text();
            all.push_back(std::move(broken));
            continue;
        }
        info->parent = living_parent(info->parent);
        if (!whole) {
            info->thumbnail = {};
            info->screen_text.clear();
        }
        all.push_back(std::move(*info));
    }
    if (whole)
        add_sizes(all);
    std::ranges::stable_sort(all, {}, &SnapshotInfo::taken_at);
    return all;
}

void Tree::add_sizes(std::vector<SnapshotInfo>& all)
{
    PageStore store(directory_.path());
    std::map<PageRef, unsigned> users;
    LayerChains chains(directory_);
    std::map<std::string, unsigned> layer_users;
    if (const auto presents = this->presents())
        for (const Present& present : presents.value())
            for (const std::string& layer : layers_of(present.disks, chains))
                ++layer_users[layer];
    std::vector<Needs> needs;
    for (SnapshotInfo& info : all) {
        auto content = directory_.snapshot(info.id, store);
        if (!content && info.trouble.empty())
            info.trouble = content.error().text();
        needs.push_back(content ? needs_of(content.value(), chains) : Needs{});
        for (const PageRef chunk : needs.back().chunks)
            ++users[chunk];
        for (const std::string& layer : needs.back().layers)
            ++layer_users[layer];
    }
    for (std::size_t n = 0; n < all.size(); ++n) {
        all[n].reclaimable_bytes = directory_.size(all[n].id + snapshot_suffix);
        for (const PageRef chunk : needs[n].chunks)
            if (users[chunk] == 1)
                all[n].reclaimable_bytes += store.chunk_length(chunk);
        for (const std::string& layer : needs[n].layers)
            if (layer_users[layer] == 1)
                all[n].reclaimable_bytes += directory_.size(layer);
    }
}

Result<SnapshotInfo> Tree::find(const std::string& id_or_name)
{
    auto all = list(false);
    const auto by_id = std::ranges::find(all, id_or_name, &SnapshotInfo::id);
    if (by_id != all.end())
        return *by_id;
    // The newest of that name.
    std::ranges::reverse(all);
    const auto by_name = std::ranges::find(all, id_or_name, &SnapshotInfo::name);
    if (by_name != all.end() && !id_or_name.empty())
        return *by_name;
    return Error{text("There is no snapshot \"", id_or_name, "\""), "", "Look at the list of the machine's snapshots"};
}

std::string Tree::newest()
{
    const auto all = list(false);
    for (auto info = all.rbegin(); info != all.rend(); ++info)
        if (info->trouble.empty())
            return info->id;
    return {};
}

Result<void> Tree::change_label(const std::string& id, const std::function<void(Label&)>& change)
{
    const auto info = directory_.info(id);
    if (!info)
        return info.error();
    Label label{info.value().name, info.value().note};
    change(label);
    return directory_.set_label(id, label);
}

Result<void> Tree::rename(const std::string& id, const std::string& name)
{
    return change_label(id, [&](Label& label) { label.name = name; });
}

Result<void> Tree::set_note(const std::string& id, const std::string& note)
{
    return change_label(id, [&](Label& label) { label.note = note; });
}

Result<void> Tree::remove(const std::string& id)
{
    if (!SnapshotDirectory::is_id(id) || !directory_.has(id + snapshot_suffix))
        return Error{text("There is no snapshot \"", id, "\""), "", "Look at the list of the machine's snapshots"};
    return directory_.rename(id + snapshot_suffix, id + removed_suffix);
}

Result<void> Tree::undo_remove(const std::string& id)
{
    if (!SnapshotDirectory::is_id(id) || !directory_.has(id + removed_suffix))
        return Error{"The snapshot can't be brought back", "Its room has been freed", ""};
    return directory_.rename(id + removed_suffix, id + snapshot_suffix);
}

Result<u64> Tree::drop(const std::vector<std::string>& ids)
{
    for (const std::string& id : ids)
        if (auto removed = remove(id); !removed)
            return removed.error();
    return free(Removed::kept, ids);
}

u64 Tree::merge_layers(const std::function<bool()>& go_on)
{
    return LayerMerger(directory_).merge([] { return std::set<std::string>(); }, go_on);
}

// The machine's, that of a trial beside it, and those that linked clones began with.
Result<std::vector<Present>> Tree::presents() const
{
    std::vector<Present> all;
    for (const Whose whose : {Whose::machine, Whose::trial}) {
        auto present = SnapshotDirectory(directory_.path(), whose).present();
        if (!present)
            return present.error();
        all.push_back(std::move(*present));
    }
    for (const std::string& id : directory_.names(linked_suffix)) {
        auto link = directory_.link(id);
        if (!link)
            return link.error();
        all.push_back(std::move(*link));
    }
    return all;
}

// Marks what the snapshots and the presents need, then frees the rest. A snapshot that can't be read keeps everything.
Result<u64> Tree::free(Removed removed, const std::vector<std::string>& dropped)
{
    if (!directory_.has("."))
        return u64(0);
    const auto lock = directory_.lock(SnapshotDirectory::Use::exclusive);
    if (!lock)
        return lock.error();
    const auto presents = this->presents();
    if (!presents)
        return presents.error();
    PageStore store(directory_.path());
    LayerChains chains(directory_);
    Needs needed;
    const auto mark = [&](const std::string& id, const std::string& suffix) -> Result<void> {
        const auto content = directory_.snapshot(id, store, suffix);
        if (!content)
            return content.error();
        needed.merge(needs_of(content.value(), chains));
        return {};
    };
    for (const std::string& id : directory_.names(snapshot_suffix))
        if (auto marked = mark(id, snapshot_suffix); !marked)
            return marked.error();
    for (const Present& present : presents.value())
        needed.layers.merge(layers_of(present.disks, chains));
    std::vector<std::string> gone;
    for (const std::string& id : directory_.names(removed_suffix)) {
        // A running machine may still bring in memory of the snapshot that it grew from.
        const bool in_use = std::ranges::any_of(
            presents.value(), [&](const Present& present) { return present.running && present.snapshot == id; });
        const bool kept = in_use || (removed == Removed::kept && std::ranges::find(dropped, id) == dropped.end());
        if (kept && mark(id, removed_suffix))
            continue;
        gone.push_back(id);
    }
    u64 freed = 0;
    for (const std::string& id : gone)
        freed += directory_.size(id + removed_suffix);
    forget(gone, presents.value());
    if (removed == Removed::freed)
        remove_unfinished();
    return freed + free_layers(needed.layers) + free_pages(needed.chunks, store);
}

// Of those that go, and went before, the labels stay of which a snapshot or a present is a child: with the nearest ancestor that
// is there, so that they are no more than those.
void Tree::forget(const std::vector<std::string>& gone, const std::vector<Present>& presents)
{
    std::map<std::string, std::string> parents;    // of those that are gone
    for (const std::string& id : gone)
        parents[id] = told_parent(id, removed_suffix);
    for (const std::string& id : directory_.names(label_suffix))
        if (!is_there(id))
            parents[id] = told_parent(id, removed_suffix);
    std::set<std::string> named;
    for (const Present& present : presents)
        named.insert(present.snapshot);
    for (const char* const suffix : {snapshot_suffix, removed_suffix})
        for (const std::string& id : directory_.names(suffix))
            if (!parents.contains(id))
                named.insert(told_parent(id, suffix));
    for (const auto& [id, parent] : parents) {
        std::string there = parent;
        for (std::size_t step = 0; parents.contains(there) && step <= parents.size(); ++step)
            there = parents.at(there);
        if (parents.contains(there) || !is_there(there))
            there.clear();
        Label label = directory_.label(id).value_or(Label{});
        if (!named.contains(id)) {
            directory_.remove(id + label_suffix);
        } else if (label.parent != there) {
            label.parent = there;
            (void)directory_.set_label(id, label);
        }
        directory_.remove(id + removed_suffix);
    }
}

// With the lock nothing is being written but, perhaps, a merged layer, which is then written anew.
void Tree::remove_unfinished()
{
    directory_.remove_unfinished();
    for (const std::string& name : directory_.names(""))
        if (name.starts_with('.') && name.find(".qcow2.") != std::string::npos)
            directory_.remove(name);
}

u64 Tree::free_layers(const std::set<std::string>& layers)
{
    u64 freed = 0;
    for (const std::string& name : directory_.names(".qcow2"))
        if (!layers.contains(name + ".qcow2")) {
            freed += directory_.size(name + ".qcow2");
            directory_.remove(name + ".qcow2");
        }
    return freed;
}

u64 Tree::free_pages(const std::set<PageRef>& chunks, PageStore& store)
{
    std::map<std::string, std::vector<std::pair<u64, u64>>> kept;    // [begin, end) by segment, in order
    for (const PageRef chunk : chunks)
        kept[store.segment_id(segment_of(chunk))].push_back({offset_of(chunk), offset_of(chunk) + store.chunk_length(chunk)});
    u64 freed = 0;
    for (const std::string& id : directory_.names(".pages")) {
        const std::string name = id + ".pages";
        const u64 before = directory_.size(name);
        auto stretches = kept.find(id);
        if (stretches == kept.end()) {
            directory_.remove(name);
            freed += before;
            continue;
        }
        const FileDescriptor file{::open(directory_.file(name).c_str(), O_RDWR | O_CLOEXEC)};
        struct stat status { };
        if (!file.valid() || ::fstat(file.get(), &status) != 0)
            continue;
        std::ranges::sort(stretches->second);
        stretches->second.push_back({u64(status.st_size), u64(status.st_size)});
        u64 at = page_size;    // the header's page stays
        for (const auto& [begin, end] : stretches->second) {
            if (begin > at)
                ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_t(at), off_t(begin - at));
            at = std::max(at, end);
        }
        const u64 after = directory_.size(name);
        freed += before > after ? before - after : 0;
    }
    return freed;
}

}

namespace {
Result<std::unique_ptr<SnapshotTree>> open_tree(const std::string& directory, SnapshotDirectory::Whose whose)
{
    if (directory.empty())
        return Error{"The machine has no snapshots", "It has no place to keep them", ""};
    return std::unique_ptr<SnapshotTree>(std::make_unique<Tree>(directory, whose));
}
}

Result<std::unique_ptr<SnapshotTree>> SnapshotTree::open(const std::string& directory)
{
    return open_tree(directory, SnapshotDirectory::Whose::machine);
}

Result<std::unique_ptr<SnapshotTree>> SnapshotTree::open_of_trial(const std::string& directory)
{
    return open_tree(directory, SnapshotDirectory::Whose::trial);
}

}
