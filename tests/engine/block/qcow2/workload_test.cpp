// A long random life of a disk beside a model in memory, judged by qemu-img in the end. PADDOCK_BLOCK_OPERATIONS says how many
// requests are made (3000), PADDOCK_BLOCK_SEED which.

#include <map>

#include "tests/engine/block/disk_fixture.h"

#include "engine/base/text.h"
#include "engine/block/new_file.h"
#include "engine/block/qcow2/check.h"
#include "engine/block/qcow2/create.h"
#include "engine/block/qcow2/image.h"

using namespace engine;

namespace {

unsigned from_environment(const char* name, unsigned usual)
{
    const char* value = std::getenv(name);
    return value ? unsigned(std::strtoul(value, nullptr, 10)) : usual;
}

class Qcow2Workload : public DiskTest {
protected:
    void live(const qcow2::NewImage& image, unsigned operations, unsigned seed);
    void reopen(const std::string& top);
    void one_request();
    void several_at_once();
    void change_size();
    void snapshot();
    void snapshot_inside();
    void expect_inside(const std::string& layer);
    void expect_sound();

    std::unique_ptr<DiskImage> disk_;
    std::vector<u8> model_;
    std::string top_ = "disk.qcow2";
    std::vector<std::pair<std::string, std::vector<u8>>> kept_;    // layers below, as they were when they were sealed
    std::map<std::string, std::map<std::string, std::vector<u8>>> inside_;    // snapshots in each layer, by name
    std::mt19937_64 random_;
    bool qemu_ = false;
};

void Qcow2Workload::reopen(const std::string& top)
{
    disk_.reset();
    top_ = top;
    disk_ = open(top_);
    ASSERT_TRUE(disk_);
    ASSERT_EQ(disk_->size(), model_.size());
}

void Qcow2Workload::one_request()
{
    const u64 sectors = model_.size() / 512, first = random_() % sectors;
    const u64 count = std::min(sectors - first, 1 + random_() % (random_() % 8 ? 32 : 1000));
    const auto kind = random_() % 16;
    std::vector<u8> bytes = noise(64, unsigned(random_()));
    bytes.resize(count * 512);
    for (std::size_t n = 64; n < bytes.size(); ++n)
        bytes[n] = u8(bytes[n - 64] + n);
    BlockRequest request{.operation = BlockOperation::write, .offset = first * 512, .length = count * 512};
    const auto at = model_.begin() + std::ptrdiff_t(request.offset);
    if (kind < 8) {
        request.segments = {std::span(bytes).first(512), std::span(bytes).subspan(512)};
        request.durable = kind == 0;
        ASSERT_TRUE(wait(*disk_, request).ok());
        std::ranges::copy(bytes, at);
    } else if (kind < 12) {
        request.operation = kind == 8 ? BlockOperation::write_zeroes : kind == 9 ? BlockOperation::discard : BlockOperation::read;
        if (kind > 9)
            request.segments = {bytes};
        ASSERT_TRUE(wait(*disk_, request).ok());
        if (kind == 8)
            std::fill_n(at, request.length, u8(0));
        // What was discarded reads as zeroes or as it was.
        const auto there = kind == 9 ? read(*disk_, request.offset, request.length) : bytes;
        for (u64 n = 0; kind == 9 && n < there.size(); ++n)
            ASSERT_TRUE(there[n] == 0 || there[n] == at[std::ptrdiff_t(n)]);
        if (kind == 9)
            std::ranges::copy(there, at);
        ASSERT_TRUE(kind == 8 || std::equal(there.begin(), there.end(), at));
    } else if (kind == 12) {
        ASSERT_TRUE(flush(*disk_).ok());
    } else {
        several_at_once();
    }
}

// Neighbouring sectors, so that requests meet in clusters.
void Qcow2Workload::several_at_once()
{
    const u64 count = std::min<u64>(40, model_.size() / 512), first = random_() % (model_.size() / 512 - count + 1);
    std::mutex mutex;
    std::condition_variable there;
    u64 left = count;
    for (u64 n = 0; n < count; ++n) {
        const u64 offset = (first + n) * 512;
        auto bytes = std::make_shared<std::vector<u8>>(512, u8(random_()));
        std::ranges::copy(*bytes, model_.begin() + std::ptrdiff_t(offset));
        disk_->submit(
            {.operation = BlockOperation::write, .offset = offset, .length = 512, .segments = {*bytes}, .memory = bytes}, {},
            [&](const BlockResult& result) {
                EXPECT_TRUE(result.ok()) << result.error.text();
                const std::lock_guard lock(mutex);
                --left;
                there.notify_all();
            });
    }
    std::unique_lock lock(mutex);
    there.wait(lock, [&] { return left == 0; });
}

void Qcow2Workload::change_size()
{
    const u64 size = 512 * (1 + random_() % (24 * 2048));
    auto top = std::dynamic_pointer_cast<qcow2::Image>(disk_->top());
    // qemu-img goes back to another size in version 3 alone.
    if (!top->snapshots().empty() && (size < model_.size() || top->header().version == 2))
        return;
    const auto resized = top->resize(size);
    ASSERT_TRUE(resized) << resized.error().text();
    model_.resize(size);
    top.reset();
    reopen(top_);
}

void Qcow2Workload::snapshot()
{
    if (qemu_ && random_() % 2) {
        disk_.reset();
        const std::string name = text("q", random_());
        ASSERT_EQ(run("qemu-img snapshot -c " + name + " " + top_), 0) << said();
        inside_[top_][name] = model_;
        return reopen(top_);
    }
    const std::string name = text("over", kept_.size(), ".qcow2");
    const auto below = disk_->top();
    ASSERT_TRUE(create_overlay(path(name), path(top_), ImageFormat::qcow2, disk_->size()));
    auto overlay = open_overlay(path(name), below);
    ASSERT_TRUE(overlay);
    kept_.emplace_back(top_, model_);
    ASSERT_TRUE(disk_->change_top(*overlay, {}));
    top_ = name;
}

// Takes one in the topmost layer, goes back to one, or deletes one.
void Qcow2Workload::snapshot_inside()
{
    disk_.reset();
    auto& kept = inside_[top_];
    auto layer = open_layer(path(top_), ImageAccess::read_write);
    ASSERT_TRUE(layer) << layer.error().text();
    auto image = std::dynamic_pointer_cast<qcow2::Image>(*layer);
    const auto kind = random_() % 3;
    auto one = kept.begin();
    std::advance(one, kept.empty() ? 0 : random_() % kept.size());
    Result<void> done;
    if (kept.empty() || (kind == 0 && kept.size() < 6)) {
        const std::string name = text("s", random_());
        done = image->take_snapshot(name, 1'700'000'000);
        kept[name] = model_;
    } else if (kind == 1) {
        done = image->restore_snapshot(one->first);
        model_ = one->second;
    } else {
        done = image->delete_snapshot(one->first);
        kept.erase(one);
    }
    ASSERT_TRUE(done) << done.error().text();
    image.reset();
    layer->reset();
    reopen(top_);
}

void Qcow2Workload::expect_inside(const std::string& layer)
{
    for (const auto& [name, content] : inside_[layer]) {
        SCOPED_TRACE("snapshot " + name);
        auto image = open(layer, ImageAccess::read_only, {.snapshot = name});
        ASSERT_TRUE(image);
        EXPECT_TRUE(read(*image, 0, image->size()) == content);
        if (!qemu_)
            continue;
        image.reset();
        put("wanted.img", content);
        // It reads snapshots at the disk's present size, so it goes back in a copy.
        EXPECT_EQ(
            run("cp " + layer + " copy.qcow2 && qemu-img snapshot -a " + name
                + " copy.qcow2 && qemu-img compare copy.qcow2 wanted.img && qemu-img check copy.qcow2"),
            0)
            << said();
    }
}

void Qcow2Workload::expect_sound()
{
    ASSERT_TRUE(read(*disk_, 0, disk_->size()) == model_);
    disk_.reset();
    kept_.emplace_back(top_, model_);
    for (const auto& [name, content] : kept_) {
        SCOPED_TRACE(name);
        auto file = open_image_file(path(name), ImageAccess::read_only);
        ASSERT_TRUE(file);
        const auto report = qcow2::check(**file, qcow2::read_header(**file, name).value(), name);
        ASSERT_TRUE(report);
        EXPECT_TRUE(report.value().clean()) << (report.value().findings.empty() ? "" : report.value().findings.front());
        auto image = open(name, ImageAccess::read_only);
        EXPECT_TRUE(read(*image, 0, content.size()) == content);
        image.reset();
        ASSERT_NO_FATAL_FAILURE(expect_inside(name));
        if (!qemu_)
            continue;
        put("wanted.img", content);
        EXPECT_EQ(run("qemu-img check " + name + " && qemu-img compare " + name + " wanted.img"), 0) << said();
    }
}

void Qcow2Workload::live(const qcow2::NewImage& image, unsigned operations, unsigned seed)
{
    SCOPED_TRACE(text("PADDOCK_BLOCK_SEED=", seed, ", clusters of 2^", image.cluster_bits));
    random_.seed(seed);
    qemu_ = std::system("qemu-img --version >/dev/null 2>&1") == 0;
    auto file = NewFile::create(path(top_));
    ASSERT_TRUE(file);
    ASSERT_TRUE(qcow2::write_new_image(file->file(), image, top_));
    ASSERT_TRUE(file->keep());
    model_.resize(image.size);
    reopen(top_);
    for (unsigned n = 0; n < operations && !HasFatalFailure(); ++n) {
        const auto chance = random_() % std::max(operations / 8, 300u);
        if (chance == 0)
            snapshot();
        else if (chance < 4)
            change_size();
        else if (chance < 6)
            reopen(top_);
        else if (chance < 16)
            snapshot_inside();
        else
            one_request();
    }
    if (!HasFatalFailure())
        expect_sound();
}

TEST_F(Qcow2Workload, a_long_random_life_ends_with_the_right_content)
{
    live({.size = 6 << 20}, from_environment("PADDOCK_BLOCK_OPERATIONS", 3000), from_environment("PADDOCK_BLOCK_SEED", 1));
}

TEST_F(Qcow2Workload, so_does_one_with_small_clusters)
{
    live(
        {.size = 6 << 20, .cluster_bits = 9, .refcount_order = 5}, from_environment("PADDOCK_BLOCK_OPERATIONS", 3000) / 4,
        from_environment("PADDOCK_BLOCK_SEED", 2));
}

TEST_F(Qcow2Workload, so_does_one_of_version_2)
{
    live(
        {.size = 6 << 20, .version = 2, .cluster_bits = 12}, from_environment("PADDOCK_BLOCK_OPERATIONS", 3000) / 4,
        from_environment("PADDOCK_BLOCK_SEED", 3));
}

}
