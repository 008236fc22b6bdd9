// Snapshots inside an image: made, gone back to and deleted here and by qemu-img in turn, at every crash, with a failing disk,
// and where the format has no room for them.

#include <map>

#include "tests/engine/block/disk_fixture.h"
#include "tests/engine/block/qcow2/memory_image.h"

using namespace engine;

namespace {

using Content = std::vector<u8>;

Content read_all(ImageLayer& disk)
{
    Content bytes(disk.size());
    EXPECT_TRUE(disk.execute({.operation = BlockOperation::read, .offset = 0, .length = bytes.size(), .segments = {bytes}}).ok());
    return bytes;
}

// What an image holds: the disk, and each snapshot by name.
struct State {
    Content disk;
    std::map<std::string, Content> snapshots{};
    bool operator==(const State&) const = default;
};

State state_of(const Content& bytes)
{
    const auto file = std::make_shared<MemoryFile>(bytes);
    const auto image = open_in_memory(file);
    State state{read_all(*image)};
    for (const auto& snapshot : image->snapshots()) {
        const auto header = qcow2::read_header(*file, "memory");
        const auto opened
            = qcow2::Image::open("memory", std::make_unique<SharedFile>(file), header.value(), {.snapshot = snapshot.id});
        EXPECT_TRUE(opened) << opened.error().text();
        state.snapshots[snapshot.name] = read_all(*opened.value());
    }
    return state;
}

// A life in steps. Each is durable when it is done, and leaves a state that is known.
class Life {
public:
    Life(std::shared_ptr<MemoryFile> file, unsigned seed) : file_(std::move(file)), image_(open_in_memory(file_)), random_(seed)
    {
        now_.disk = read_all(*image_);
    }
    Result<void> step(unsigned kind)
    {
        const std::string name = text("s", random_() % 3);
        next_ = now_;
        if (kind == 0)
            return write();
        if (kind == 1 && !now_.snapshots.contains(name)) {
            next_.snapshots[name] = now_.disk;
            return image_->take_snapshot(name, 1'700'000'000);
        }
        if (kind == 2 && now_.snapshots.contains(name)) {
            next_.disk = now_.snapshots[name];
            return image_->restore_snapshot(name);
        }
        if (kind == 3 && now_.snapshots.contains(name)) {
            next_.snapshots.erase(name);
            return image_->delete_snapshot(name);
        }
        if (kind == 4 && now_.disk.size() < 512 << 10) {
            next_.disk.resize(now_.disk.size() + 512 * (1 + random_() % 200));
            return image_->resize(next_.disk.size());
        }
        return {};
    }
    void done() { now_ = next_; }
    void close() { image_.reset(); }
    const State& now() const { return now_; }
    const State& next() const { return next_; }

private:
    Result<void> write()
    {
        for (unsigned n = 0; n < 3; ++n) {
            const u64 first = random_() % (now_.disk.size() / 512), count = 1 + random_() % 40;
            Content bytes(512 * std::min(count, now_.disk.size() / 512 - first), u8(random_()));
            std::ranges::copy(bytes, next_.disk.begin() + std::ptrdiff_t(512 * first));
            const BlockResult written = image_->execute(
                {.operation = BlockOperation::write, .offset = 512 * first, .length = bytes.size(), .segments = {bytes}});
            if (!written.ok())
                return written.error;
        }
        const BlockResult flushed = image_->execute({.operation = BlockOperation::flush});
        return flushed.ok() ? Result<void>{} : Result<void>{flushed.error};
    }

    std::shared_ptr<MemoryFile> file_;
    std::shared_ptr<qcow2::Image> image_;
    std::mt19937_64 random_;
    State now_, next_;
};

const qcow2::NewImage kinds_of_image[] = {
    {.size = 200 << 10, .cluster_bits = 9},
    {.size = 200 << 10, .version = 2, .cluster_bits = 9},
    {.size = 200 << 10, .cluster_bits = 12, .refcount_order = 3},
    {.size = 200 << 10, .version = 2, .cluster_bits = 12},
};

// Whoever goes on writing spares what the snapshots hold, and then the image is repaired or was sound.
void expect_usable(Content bytes, const State& expected)
{
    const auto file = std::make_shared<MemoryFile>(std::move(bytes));
    {
        const auto image = open_in_memory(file);
        Content all(image->size(), 0x77);
        const BlockResult written
            = image->execute({.operation = BlockOperation::write, .offset = 0, .length = all.size(), .segments = {all}});
        ASSERT_TRUE(written.ok()) << written.error.text();
    }
    EXPECT_EQ(state_of(file->bytes()).snapshots, expected.snapshots);
    auto header = qcow2::read_header(*file, "memory");
    const auto repaired = qcow2::repair(*file, *header, "memory");
    ASSERT_TRUE(repaired);
    EXPECT_TRUE(repaired.value().clean()) << findings(repaired.value());
    EXPECT_EQ(state_of(file->bytes()).snapshots, expected.snapshots);
}

// A write that was not done yet may be there in part; a change of snapshots is there or not.
void expect_one_of(const State& found, const State& before, const State& after, bool whole)
{
    ASSERT_TRUE(found.snapshots == before.snapshots || found.snapshots == after.snapshots);
    ASSERT_TRUE(!whole || found.disk == before.disk || found.disk == after.disk);
    ASSERT_TRUE(found.disk.size() == before.disk.size() || found.disk.size() == after.disk.size());
    for (std::size_t n = 0; n < std::min(found.disk.size(), before.disk.size()); ++n)
        ASSERT_TRUE(found.disk[n] == before.disk[n] || found.disk[n] == after.disk[n]) << "at byte " << n;
}

void crash_everywhere(const qcow2::NewImage& kind, unsigned seed)
{
    struct Step {
        u64 done;
        bool whole;
        State before, after;
    };
    const auto start = new_image(kind);
    const auto file = std::make_shared<MemoryFile>(start);
    Life life(file, seed);
    file->recording = true;
    std::vector<Step> steps;
    std::mt19937_64 random(seed);
    for (unsigned n = 0; n < 40; ++n) {
        const auto what = unsigned(random() % 5);
        const auto made = life.step(what);
        ASSERT_TRUE(made) << made.error().text();
        steps.push_back({file->events.size(), what != 0, life.now(), life.next()});
        life.done();
    }
    life.close();
    EXPECT_TRUE(check_bytes(file->bytes()).clean()) << findings(check_bytes(file->bytes()));
    EXPECT_TRUE(state_of(file->bytes()) == life.now());
    for (unsigned n = 0; n < 150; ++n) {
        const u64 events = random() % (file->events.size() + 1);
        SCOPED_TRACE(text("seed ", seed, ", crash ", n, " after ", events, " of ", file->events.size(), " events"));
        auto left = after_power_failure(start, file->events, events, random);
        const auto step = std::ranges::find_if(steps, [&](const Step& s) { return s.done >= events; });
        const State found = state_of(left);
        const Step& at = step == steps.end() ? steps.back() : *step;
        ASSERT_NO_FATAL_FAILURE(expect_one_of(found, at.before, at.after, at.whole));
        ASSERT_NO_FATAL_FAILURE(expect_usable(std::move(left), found));
    }
}

TEST(Qcow2InternalSnapshots, a_power_failure_leaves_what_was_or_what_was_to_be)
{
    for (const auto& kind : kinds_of_image)
        for (unsigned seed = 1; seed <= 4; ++seed)
            ASSERT_NO_FATAL_FAILURE(crash_everywhere(kind, seed)) << "version " << kind.version;
}

// Each call to the file fails in turn, once, with any error.
TEST(Qcow2InternalSnapshots, a_failing_disk_costs_nothing_that_was_there)
{
    unsigned failures = 0;
    for (const auto& kind : kinds_of_image)
        for (u64 failing = 0; failing < 400; failing += 3) {
            SCOPED_TRACE(text("version ", kind.version, ", call ", failing));
            const auto file = std::make_shared<MemoryFile>(new_image(kind));
            Life life(file, 7);
            for (const unsigned what : {0, 1, 0, 1, 0, 1}) {
                ASSERT_TRUE(life.step(what));
                life.done();
            }
            const u64 first = file->calls;
            file->fail = [&](MemoryFile::Call, u64 call) { return call == first + failing ? (failing % 2 ? EIO : ENOSPC) : 0; };
            bool whole = true;
            for (const unsigned what : {2, 0, 3, 1, 2, 3, 3, 2, 1}) {
                whole = what != 0;
                if (!life.step(what)) {
                    ++failures;
                    break;
                }
                life.done();
            }
            life.close();
            file->fail = {};
            const State found = state_of(file->bytes());
            ASSERT_NO_FATAL_FAILURE(expect_one_of(found, life.now(), life.next(), whole));
            ASSERT_NO_FATAL_FAILURE(expect_usable(file->bytes(), found));
        }
    EXPECT_GT(failures, 100u);
}

TEST(Qcow2InternalSnapshots, counts_of_one_bit_have_no_room_for_them)
{
    const auto file = std::make_shared<MemoryFile>(new_image({.size = 1 << 20, .cluster_bits = 12, .refcount_order = 0}));
    Life life(file, 1);
    ASSERT_TRUE(life.step(0));
    life.done();
    const auto before = file->bytes();
    const auto refused = life.step(1);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("1 bits"), std::string::npos) << refused.error().text();
    life.close();
    EXPECT_TRUE(state_of(file->bytes()) == life.now());
    EXPECT_TRUE(check_bytes(file->bytes()).clean());
}

TEST(Qcow2InternalSnapshots, names_are_told_from_numbers_and_from_each_other)
{
    const auto file = std::make_shared<MemoryFile>(new_image({.size = 1 << 20}));
    const auto image = open_in_memory(file);
    ASSERT_TRUE(image->take_snapshot("2", 0));
    ASSERT_TRUE(image->take_snapshot("other", 0));
    EXPECT_EQ(image->snapshots()[1].id, "2");
    EXPECT_FALSE(image->take_snapshot("other", 0));
}

TEST(Qcow2InternalSnapshots, a_name_that_is_missing_taken_or_too_long_is_refused_and_nothing_happens)
{
    const auto file = std::make_shared<MemoryFile>(new_image({.size = 1 << 20}));
    const auto image = open_in_memory(file);
    ASSERT_TRUE(image->take_snapshot("one", 0));
    for (const std::string& name : {std::string(), std::string("one"), std::string("1"), std::string(256, 'n')})
        EXPECT_FALSE(image->take_snapshot(name, 0)) << name;
    EXPECT_FALSE(image->restore_snapshot("two"));
    EXPECT_FALSE(image->delete_snapshot("two"));
    ASSERT_TRUE(image->delete_snapshot("1"));
    EXPECT_TRUE(image->snapshots().empty());
}

TEST(Qcow2InternalSnapshots, an_image_that_contradicts_itself_is_left_alone)
{
    auto bytes = new_image({.size = 1 << 20});
    bytes[2 * 65536 + 1] = 0;    // the header's own count
    const auto file = std::make_shared<MemoryFile>(bytes);
    const auto refused = open_in_memory(file)->take_snapshot("one", 0);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("contradiction"), std::string::npos) << refused.error().text();
}

class Qcow2SnapshotsWithQemu : public DiskTest {
protected:
    void by_qemu(const std::string& option, const std::string& name)
    {
        ASSERT_EQ(run("qemu-img snapshot " + option + " " + name + " a.qcow2"), 0) << said();
    }
    std::shared_ptr<qcow2::Image> image()
    {
        auto layer = open_layer(path("a.qcow2"), ImageAccess::read_write);
        EXPECT_TRUE(layer) << layer.error().text();
        return std::dynamic_pointer_cast<qcow2::Image>(*layer);
    }
    void expect(const State& state)
    {
        ASSERT_EQ(run("qemu-img check a.qcow2"), 0) << said();
        put("wanted.img", state.disk);
        ASSERT_EQ(run("qemu-img compare a.qcow2 wanted.img -F raw"), 0) << said();
        for (const auto& [name, content] : state.snapshots) {
            put("wanted.img", content);
            // qemu-img reads a snapshot at the disk's present size, so it goes back in a copy.
            ASSERT_EQ(
                run("cp a.qcow2 b.qcow2 && qemu-img snapshot -a " + name
                    + " b.qcow2 && qemu-img compare b.qcow2 wanted.img -F raw && qemu-img check b.qcow2"),
                0)
                << name << ": " << said();
        }
    }
};

TEST_F(Qcow2SnapshotsWithQemu, both_programs_take_go_back_to_and_delete_each_others)
{
    NEEDS_QEMU_IMG();
    std::mt19937_64 random(5);
    for (const std::string options : {"compat=1.1", "compat=0.10", "cluster_size=512", "lazy_refcounts=on", "refcount_bits=64"}) {
        SCOPED_TRACE(options);
        put("model.img", noise(3 << 20, 3));
        ASSERT_EQ(run("rm -f a.qcow2; qemu-img convert -f raw -O qcow2 -c -o " + options + " model.img a.qcow2"), 0) << said();
        State state{contents("model.img")};
        for (unsigned n = 0; n < 24; ++n) {
            const bool ours = random() % 2, there = !state.snapshots.empty();
            const std::string fresh = text("s", n), old = there ? state.snapshots.begin()->first : "";
            SCOPED_TRACE(text("step ", n, ours ? " here" : " by qemu-img"));
            const auto kind = random() % 4;
            if (kind == 0) {
                auto bytes = noise(200'192, n);
                const u64 sector = random() % 5000;
                ASSERT_TRUE(change(*image(), BlockOperation::write, sector, bytes).ok());
                std::ranges::copy(bytes, state.disk.begin() + std::ptrdiff_t(sector * 512));
            } else if (kind == 1) {
                if (ours)
                    ASSERT_TRUE(image()->take_snapshot(fresh, 1'700'000'000));
                else
                    ASSERT_NO_FATAL_FAILURE(by_qemu("-c", fresh));
                state.snapshots[fresh] = state.disk;
            } else if (kind == 2 && there) {
                if (ours)
                    ASSERT_TRUE(image()->restore_snapshot(old));
                else
                    ASSERT_NO_FATAL_FAILURE(by_qemu("-a", old));
                state.disk = state.snapshots[old];
            } else if (kind == 3 && there) {
                if (ours)
                    ASSERT_TRUE(image()->delete_snapshot(old));
                else
                    ASSERT_NO_FATAL_FAILURE(by_qemu("-d", old));
                state.snapshots.erase(old);
            }
            ASSERT_NO_FATAL_FAILURE(expect(state));
        }
    }
}

TEST_F(Qcow2SnapshotsWithQemu, what_an_overlay_shows_comes_back_with_its_size)
{
    NEEDS_QEMU_IMG();
    put("below.img", noise(1'000'448, 5));
    ASSERT_EQ(run("qemu-img create -f qcow2 -F raw -b below.img a.qcow2 600000"), 0) << said();
    State state{read_all(*image())};
    ASSERT_TRUE(image()->take_snapshot("small", 0));
    state.snapshots["small"] = state.disk;
    ASSERT_TRUE(image()->resize(2 << 20));
    state.disk.resize(2 << 20);
    ASSERT_NO_FATAL_FAILURE(expect(state));
    ASSERT_TRUE(image()->take_snapshot("large", 0));
    state.snapshots["large"] = state.disk;
    for (const std::string name : {"small", "large", "small"}) {
        ASSERT_TRUE(image()->restore_snapshot(name));
        state.disk = state.snapshots[name];
        ASSERT_NO_FATAL_FAILURE(expect(state));
    }
}

}
