// How changed tables get to the file.

#include <algorithm>
#include <cerrno>

#include "engine/base/bits.h"
#include "engine/block/qcow2/image.h"

namespace engine::qcow2 {

namespace {
constexpr std::size_t most_dirty_tables = 64;
}

// Copies of all that has changed, taken at one instant.
struct Image::Checkpoint {
    Header header;
    std::vector<Patch> blocks, l2;
    Patch refcount_table, l1;
    bool has_refcount_table = false, refcount_table_moved = false;
    std::vector<u64> given_up;    // clusters that nothing refers to once all this is written

    bool nothing() const { return blocks.empty() && l2.empty() && !has_refcount_table && l1.bytes.empty() && given_up.empty(); }
};

BlockResult Image::prepare_to_write()
{
    const std::lock_guard lock(mutex_);
    // Found once, it is not looked for again at each write.
    if (damaged_)
        return {
            BlockFault::input_output,
            {"The image " + in_quotes(path_) + " is damaged", refcounts_.damage, "Repair it with “paddock disk check --repair”"}};
    if (prepared_)
        return {};
    // Whoever keeps bitmaps or the like in this image must see that it was changed by one who does not.
    if (header_.autoclear_features != 0) {
        Header cleared = header_;
        cleared.autoclear_features = 0;
        int error_number = update_header(*file_, cleared);
        if (!error_number)
            error_number = file_->flush();
        if (error_number)
            return image_failure(path_, "written", error_number);
        header_.autoclear_features = 0;
    }
    prepared_ = true;
    return {};
}

BlockResult Image::relieve()
{
    {
        const std::lock_guard lock(mutex_);
        if (l2_.dirty_tables() < most_dirty_tables && refcounts_.blocks().dirty_tables() < most_dirty_tables)
            return {};
    }
    return write_metadata();
}

BlockResult Image::write_metadata()
{
    const std::lock_guard one_at_a_time(checkpoint_mutex_);
    Checkpoint checkpoint;
    {
        const std::lock_guard lock(mutex_);
        checkpoint.blocks = refcounts_.blocks().take_dirty();
        checkpoint.l2 = l2_.take_dirty();
        checkpoint.has_refcount_table = refcounts_.table_dirty();
        checkpoint.refcount_table_moved = refcounts_.table_moved();
        if (checkpoint.has_refcount_table)
            checkpoint.refcount_table = refcounts_.take_table();
        checkpoint.header = header_;
        checkpoint.given_up = refcounts_.take_given_up();
        if (l1_dirty_from_ < l1_dirty_to_) {
            const u64 from = l1_dirty_from_ / 64 * 64, to = std::min<u64>(round_up(l1_dirty_to_, 64), l1_.size());
            checkpoint.l1 = {header_.l1_table_offset + 8 * from, std::vector<u8>(8 * (to - from)), {}};
            for (u64 n = from; n < to; ++n)
                store_be(&checkpoint.l1.bytes[8 * (n - from)], l1_[n]);
        }
        l1_dirty_from_ = ~u64(0);
        l1_dirty_to_ = 0;
    }
    int error_number = checkpoint.nothing() ? file_->flush() : write_checkpoint(checkpoint);
    {
        const std::lock_guard lock(mutex_);
        refcounts_.blocks().written(checkpoint.blocks, error_number == 0);
        l2_.written(checkpoint.l2, error_number == 0);
        if (checkpoint.has_refcount_table)
            refcounts_.table_written(checkpoint.refcount_table, checkpoint.refcount_table_moved, error_number == 0);
        if (error_number && !checkpoint.l1.bytes.empty()) {
            const u64 from = (checkpoint.l1.offset - header_.l1_table_offset) / 8;
            l1_dirty_from_ = std::min(l1_dirty_from_, from);
            l1_dirty_to_ = std::max(l1_dirty_to_, from + checkpoint.l1.bytes.size() / 8);
        }
        if (error_number)
            refcounts_.put_back_given_up(std::move(checkpoint.given_up));
    }
    if (!error_number && !checkpoint.given_up.empty())
        error_number = free_given_up(checkpoint.given_up);
    return error_number ? failure("written to the disk", error_number) : BlockResult{};
}

int Image::write_checkpoint(Checkpoint& c)
{
    int error_number = 0;
    const auto step = [&](auto&& action) { error_number = error_number ? error_number : action(); };
    const auto flush = [&] { return file_->flush(); };
    step([&] { return write_patches(*file_, c.blocks); });
    if (c.has_refcount_table) {
        step(flush);
        step([&] { return file_->write(c.refcount_table.offset, c.refcount_table.bytes); });
    }
    if (c.refcount_table_moved) {
        step(flush);
        step([&] { return update_header(*file_, c.header); });
    }
    step(flush);
    if (c.l2.empty() && c.l1.bytes.empty())
        return error_number;
    step([&] { return write_patches(*file_, c.l2); });
    if (!c.l1.bytes.empty()) {
        step(flush);
        step([&] { return file_->write(c.l1.offset, c.l1.bytes); });
    }
    step(flush);
    return error_number;
}

// Their place is given back to the host before anybody else can have it.
int Image::free_given_up(std::vector<u64>& clusters)
{
    std::vector<u64> last;
    {
        const std::lock_guard lock(mutex_);
        if (const int error_number = refcounts_.last_uses(clusters, last))
            return error_number;
    }
    for (std::size_t n = 0; n < last.size();) {
        std::size_t end = n + 1;
        while (end < last.size() && last[end] == last[end - 1] + 1)
            ++end;
        // Not a fault: it only keeps the space.
        (void)file_->punch(last[n] << header_.cluster_bits, (end - n) << header_.cluster_bits);
        n = end;
    }
    const std::lock_guard lock(mutex_);
    for (const u64 cluster : last) {
        l2_.drop(cluster << header_.cluster_bits);
        refcounts_.blocks().drop(cluster << header_.cluster_bits);
    }
    return refcounts_.drop_uses(clusters);
}

}
