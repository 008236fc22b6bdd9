#pragma once
// A qcow2 image, version 2 or 3: docs/interop/qcow2.txt of QEMU.
//
// Data moves without a lock, any number of requests at a time; the map from disk to file is changed under one. Changed tables
// stay in memory until a flush (or until they are many), when write_metadata() takes them to the file in this order, with a
// flush of the file between: refcounts and data; L2 tables; L1 table; and only then are clusters that nothing refers to
// any more free. So a crash at any point leaks clusters at worst. New clusters are appended unwritten, so that what is not
// written of them reads as zeroes without having been written.
//
// Lazy refcounts are read (the refcounts of an image that was not closed are made anew when it is opened for writing) but not
// practised: counts are always kept.
// Not modelled: encryption, external data files and extended L2 entries (refused by name), bitmaps (marked as out of date at
// the first write, as the format wants it), writing compressed clusters in place, the state of a machine in a snapshot.

#include <array>
#include <atomic>
#include <functional>
#include <mutex>

#include "engine/block/image_layer.h"
#include "engine/block/range_locks.h"
#include "engine/block/qcow2/refcounts.h"
#include "engine/block/qcow2/snapshot_table.h"

namespace engine::qcow2 {

class Image final : public ImageLayer {
public:
    struct Options {
        ImageAccess access = ImageAccess::read_write;
        std::shared_ptr<ImageLayer> backing{};    // what the header's backing file is, open
        std::string snapshot{};    // id or name of an internal one to be read; makes the image read-only
    };
    // The header has been read from this file. Repairs refcounts where the image was not closed. `path` is for errors.
    static Result<std::shared_ptr<Image>>
    open(const std::string& path, std::unique_ptr<ImageFile> file, Header header, Options options);
    ~Image() override;

    BlockResult execute(const BlockRequest& request) override;
    bool read_at_once(const BlockRequest& request) override;
    std::optional<Place> place(const BlockRequest& request) override;
    bool past_cache() const override { return file_->past_cache(); }
    bool write_in_place(const BlockRequest& request) override;
    u64 size() const override { return size_; }
    bool read_only() const override { return read_only_; }
    std::string_view name() const override { return path_; }
    std::string_view format() const override { return "qcow2"; }
    Extent extent(u64 offset, u64 most) override;
    BlockResult seal() override;
    std::shared_ptr<ImageLayer> backing() const override;
    void change_backing(const std::shared_ptr<ImageLayer>& same) override;

    const Header& header() const { return header_; }
    const std::vector<Snapshot>& snapshots() const { return snapshots_; }
    ImageFile& file() { return *file_; }

    // No request is under way in these. What a larger disk gains reads as zeroes. A smaller one needs an image without
    // internal snapshots.
    Result<void> resize(u64 size);
    // Gives every cluster its place, so that later writes change no tables.
    Result<void> preallocate();
    // Snapshots inside the image, found by id or name. An image that contradicts itself is refused, and so is a name that is
    // taken. Going back changes the size to what it was. After an error the image is read-only as far as this object goes.
    Result<void> take_snapshot(const std::string& name, u32 date_seconds);
    Result<void> restore_snapshot(const std::string& wanted);
    Result<void> delete_snapshot(const std::string& wanted);
    // Whole clusters of data, compressed where that helps; where there was nothing.
    BlockResult write_compressed(u64 offset, std::span<const u8> cluster);

private:
    enum class Kind : u8 { absent, zero, data, compressed };
    struct Entry {
        Kind kind = Kind::absent;
        u64 host = 0;    // offset in the file; of `zero` only where a cluster is kept for it, else 0
        u64 length = 0;    // compressed: bytes in the file
    };
    struct Mapping {
        Entry entry;
        u64 length = 0;    // bytes of the disk for which this holds, data one after the other in the file
        bool writable = false;    // data that nothing else refers to
        std::shared_ptr<ImageLayer> below{};    // absent: where it is read; null for zeroes
    };
    struct Fresh {
        Refcounts::Run run;
        bool zeroes = false;    // reads as zeroes as it is
    };

    Image(std::string path, std::unique_ptr<ImageFile> file, Header header, Options options);
    Result<void> load(const std::string& snapshot);
    Result<void> load_l1(u64 offset, u32 entries);
    Result<void> repair_if_dirty();

    // Lock held.
    Entry decode(u64 entry) const;
    int map(u64 offset, u64 most, Mapping& mapping);
    int l2_table(u64 l1_index, std::shared_ptr<Table>& table);    // null where there is none
    int l2_table_to_change(u64 l1_index, std::shared_ptr<Table>& table);
    int give_up(const Entry& entry);
    int set_entries(u64 offset, u64 clusters, u64 first_entry, u64 step);
    int damaged(std::string why);

    // Lock not held; the clusters are locked as the operation needs it.
    BlockResult read(u64 offset, const std::vector<std::span<u8>>& to, u64 skip, u64 length);
    BlockResult read_mapping(const Mapping& mapping, u64 offset, std::span<const iovec> to, u64 length);
    BlockResult read_compressed(const Entry& entry, u64 within, std::span<const iovec> to);
    BlockResult write(const BlockRequest& request);
    BlockResult write_mapped(u64 offset, const std::vector<std::span<u8>>& from, u64& done, u64 length);
    BlockResult write_alone(u64 offset, const std::vector<std::span<u8>>& from, u64 skip, u64 length);
    BlockResult write_fresh(const Mapping& old, u64 offset, const std::vector<std::span<u8>>& from, u64 skip, u64& length);
    int
    fill_fresh(const Mapping& old, const Fresh& fresh, u64 offset, std::span<const iovec> from, u64 length, BlockResult& trouble);
    BlockResult clear(const BlockRequest& request);
    BlockResult clear_part(u64 offset, u64 length);
    BlockResult clear_clusters(u64 offset, u64 most, BlockOperation operation, u64& length);

    Result<void> set_size(u64 size, u64 l1_entries);
    Result<void> grow(u64 size, u64 l1_entries);

    const Snapshot* find_snapshot(const std::string& wanted) const;
    Error no_snapshot(const std::string& wanted) const;
    Result<void> change_snapshots(const std::function<Result<void>()>& change);
    Result<void> finish_change();
    Result<void> change_snapshot_table(std::vector<Snapshot> snapshots);
    Result<void> mark_dirty(bool dirty);
    Result<void> write_header(const Header& changed);
    u64 l1_clusters(u64 entries) const;
    int read_l1(u64 offset, u32 entries, std::vector<u64>& l1);
    void protect_l1(u64 offset);
    Result<void> write_l1_copy(const std::vector<u64>& l1, u64& offset);
    int uses_of(const std::vector<u64>& l1, std::vector<u32>& uses);
    Result<void> count_uses_of(std::vector<u64>& l1);
    void give_up_uses(const std::vector<u32>& uses);
    Result<void> set_flags_of_tables(const std::vector<u64>& l1);
    int set_flags_of_l1();

    BlockResult prepare_to_write();
    BlockResult relieve();    // writes metadata down when much has gathered
    BlockResult write_metadata();
    BlockResult write_all();
    struct Checkpoint;
    int write_checkpoint(Checkpoint& checkpoint);
    int free_given_up(std::vector<u64>& clusters);
    BlockResult failure(const char* doing, int error_number);
    RangeLocks::Guard lock_clusters(u64 offset, u64 length, RangeLocks::Use use);
    RangeLocks::Guard try_clusters(const BlockRequest& request);    // shared; empty where it would have to wait
    bool map_at_once(u64 offset, u64 most, Mapping& mapping);
    std::optional<Place> place_of(const Mapping& mapping, const BlockRequest& request);
    u64 cluster_start(u64 offset) const { return offset & ~(header_.cluster_size() - 1); }

    std::string path_;
    std::unique_ptr<ImageFile> file_;
    Header header_;
    std::vector<Snapshot> snapshots_;
    std::atomic<bool> read_only_;
    std::atomic<bool> prepared_ = false;    // to be written to
    bool damaged_ = false;    // as far as this object knows; guarded by mutex_
    u64 size_ = 0;    // of the disk, whole sectors

    RangeLocks ranges_;
    std::mutex checkpoint_mutex_;    // taken before mutex_
    mutable std::mutex mutex_;    // guards what follows
    std::shared_ptr<ImageLayer> backing_;    // present or not for as long as this lives
    Refcounts refcounts_;
    TableCache l2_;
    std::vector<u64> l1_;
    u64 l1_dirty_from_ = ~u64(0), l1_dirty_to_ = 0;    // entries

    std::mutex decompressed_mutex_;
    u64 decompressed_from_ = ~u64(0);
    std::vector<u8> decompressed_;    // the last compressed cluster that was read
    u64 compressed_at_ = 0;    // where the next compressed cluster goes
};

}
