#include "engine/snapshot/disk_layers.h"

#include <algorithm>
#include <filesystem>

#include "engine/block/open_image.h"

namespace engine {

LayerChains::LayerChains(const SnapshotDirectory& directory) : directory_(directory)
{
    std::error_code trouble;
    place_ = std::filesystem::weakly_canonical(std::filesystem::absolute(directory.path(), trouble), trouble).string();
}

std::optional<std::string> LayerChains::below(const std::string& layer)
{
    const auto known = below_.find(layer);
    if (known != below_.end())
        return known->second;
    // A layer always lies over something.
    std::optional<std::string> found;
    if (const auto chain = images_of_chain(directory_.file(layer), ImageFormat::qcow2, 2); chain.size() == 2) {
        const std::filesystem::path path = chain[1];
        found = path.parent_path() == place_ ? path.filename().string() : "";
    }
    return below_[layer] = found;
}

std::vector<std::string> LayerChains::chain(const DiskLayers& disk)
{
    std::vector<std::string> chain;
    if (disk.layers.empty())
        return chain;
    for (std::string at = disk.layers.back(); !at.empty();) {
        const auto under = below(at);
        if (!under || chain.size() > most_layers)
            return disk.layers;
        chain.push_back(at);
        at = *under;
    }
    std::ranges::reverse(chain);
    return chain;
}

bool LayerChains::is_sure(const DiskLayers& disk)
{
    return std::ranges::all_of(chain(disk), [this](const std::string& layer) { return below(layer).has_value(); });
}

bool LayerRun::contains(std::span<const std::string> part) const
{
    return std::search(layers.begin(), layers.end(), part.begin(), part.end()) != layers.end();
}

Result<LayerUse> LayerUse::survey(const SnapshotDirectory& directory)
{
    using Whose = SnapshotDirectory::Whose;
    LayerUse use;
    LayerChains chains(directory);
    for (const char* suffix : {snapshot_suffix, removed_suffix})
        for (const std::string& id : directory.names(suffix)) {
            const auto disks = directory.disks(id, suffix);
            if (!disks)
                return disks.error();
            use.add(disks.value(), Owner::snapshot, chains);
        }
    for (const std::string& id : directory.names(linked_suffix)) {
        const auto link = directory.link(id);
        if (!link)
            return link.error();
        use.add(link.value().disks, Owner::snapshot, chains);
    }
    for (const Whose whose : {Whose::machine, Whose::trial}) {
        const auto present = SnapshotDirectory(directory.path(), whose).present();
        if (!present)
            return present.error();
        use.add(present.value().disks, whose == Whose::trial ? Owner::trial : Owner::machine, chains);
    }
    for (auto& [name, layer] : use.layers_)
        layer.bytes = directory.size(name);
    return use;
}

void LayerUse::add(const std::vector<DiskLayers>& disks, Owner owner, LayerChains& chains)
{
    for (const DiskLayers& disk : disks) {
        const auto chain = chains.chain(disk);
        const bool sure = chains.is_sure(disk);
        for (std::size_t n = 0; n < chain.size(); ++n) {
            Layer& layer = layers_[chain[n]];
            const bool topmost = n + 1 == chain.size();
            layer.point |= topmost;
            layer.left_alone |= !sure || (topmost && owner != Owner::snapshot);
            // How far a trial has come only it knows.
            layer.complete |= owner == Owner::snapshot || (owner == Owner::machine && !topmost);
            layer.chain = std::max(layer.chain, chain.size());
            if (!topmost)
                layer.above.insert(chain[n + 1]);
        }
    }
}

const std::string* LayerUse::next(const std::string& layer, const std::set<std::string>& unfinished) const
{
    const auto free = [&](const std::string& name) {
        const Layer& found = layers_.at(name);
        return found.complete && !found.left_alone && !unfinished.contains(name);
    };
    const Layer& found = layers_.at(layer);
    const bool mergeable = !found.point && found.above.size() == 1 && free(layer) && free(*found.above.begin());
    return mergeable ? &*found.above.begin() : nullptr;
}

std::vector<LayerRun> LayerUse::runs(const std::set<std::string>& unfinished) const
{
    std::set<std::string> continued;    // begins no run of its own
    for (const auto& [name, layer] : layers_)
        if (const std::string* const above = next(name, unfinished))
            continued.insert(*above);
    std::vector<LayerRun> runs;
    for (const auto& [name, layer] : layers_) {
        if (continued.contains(name) || !next(name, unfinished))
            continue;
        LayerRun run;
        for (const std::string* at = &name; at; at = next(*at, unfinished)) {
            run.layers.push_back(*at);
            run.bytes.push_back(layers_.at(*at).bytes);
            run.chain = std::max(run.chain, layers_.at(*at).chain);
        }
        runs.push_back(std::move(run));
    }
    return runs;
}

}
