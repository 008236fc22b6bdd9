#include "engine/block/qcow2/table_cache.h"

#include <algorithm>

#include "engine/base/bits.h"

namespace engine::qcow2 {

namespace {
constexpr std::size_t least_tables = 16;
constexpr u64 sector = 512;
}

TableCache::TableCache(ImageFile& file, u64 cluster_size, u64 most_bytes)
    : file_(file),
      cluster_size_(cluster_size),
      capacity_(std::max<std::size_t>(most_bytes / cluster_size, least_tables))
{
}

int TableCache::get(u64 offset, std::shared_ptr<Table>& to)
{
    if (const auto known = by_offset_.find(offset); known != by_offset_.end()) {
        if (known->second != tables_.begin())
            tables_.splice(tables_.begin(), tables_, known->second);
        to = *known->second;
        return 0;
    }
    auto table = std::make_shared<Table>();
    table->offset = offset;
    table->bytes.resize(cluster_size_);
    if (const int error_number = file_.read(offset, table->bytes))
        return error_number;
    to = table;
    insert(std::move(table));
    return 0;
}

std::shared_ptr<Table> TableCache::add(u64 offset)
{
    drop(offset);
    auto table = std::make_shared<Table>();
    table->offset = offset;
    table->bytes.resize(cluster_size_);
    touch(*table, 0, cluster_size_);
    insert(table);
    return table;
}

void TableCache::insert(std::shared_ptr<Table> table)
{
    const u64 offset = table->offset;
    tables_.push_front(std::move(table));
    by_offset_[offset] = tables_.begin();
    // From the end, those that the file has; dirty ones only make the cache larger than it should be for a while.
    for (auto last = tables_.end(); tables_.size() > capacity_ && last != tables_.begin();) {
        --last;
        if ((*last)->dirty() || (*last)->writing || last == tables_.begin())
            continue;
        by_offset_.erase((*last)->offset);
        last = tables_.erase(last);
    }
}

void TableCache::drop(u64 offset)
{
    const auto known = by_offset_.find(offset);
    if (known == by_offset_.end())
        return;
    if ((*known->second)->dirty())
        --dirty_;
    // A copy that is being written may come back as failed, and must not count again.
    (*known->second)->dirty_from = ~u64(0);
    (*known->second)->dirty_to = 0;
    (*known->second)->offset = ~u64(0);
    tables_.erase(known->second);
    by_offset_.erase(known);
}

void TableCache::touch(Table& table, u64 at, u64 length)
{
    if (!table.dirty())
        ++dirty_;
    table.touch(at, length);
}

std::vector<Patch> TableCache::take_dirty()
{
    std::vector<Patch> patches;
    for (const auto& table : tables_) {
        if (!table->dirty())
            continue;
        const u64 from = table->dirty_from / sector * sector;
        const u64 to = std::min(round_up(table->dirty_to, sector), cluster_size_);
        patches.push_back({
            table->offset + from,
            {table->bytes.begin() + std::ptrdiff_t(from), table->bytes.begin() + std::ptrdiff_t(to)},
            table,
        });
        table->dirty_from = ~u64(0);
        table->dirty_to = 0;
        ++table->writing;
    }
    dirty_ = 0;
    std::ranges::sort(patches, {}, &Patch::offset);
    return patches;
}

void TableCache::written(const std::vector<Patch>& patches, bool success)
{
    for (const Patch& patch : patches) {
        --patch.table->writing;
        if (!success && patch.table->offset != ~u64(0))
            touch(*patch.table, patch.offset - patch.table->offset, patch.bytes.size());
    }
}

int write_patches(ImageFile& file, const std::vector<Patch>& patches)
{
    for (const Patch& patch : patches)
        if (const int error_number = file.write(patch.offset, patch.bytes))
            return error_number;
    return 0;
}

}
