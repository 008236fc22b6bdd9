#include "app/library/definition_json.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "app/library/machine_library.h"
#include "app/library/problem.h"

namespace app {

namespace {

constexpr int format_version = 1;

struct AcceleratorName {
    engine::Accelerator accelerator;
    const char* name;
};
constexpr AcceleratorName accelerator_names[]{
    {engine::Accelerator::automatic, "automatic"},
    {engine::Accelerator::automatic, "auto"},
    {engine::Accelerator::kvm, "kvm"},
    {engine::Accelerator::translator, "translator"},
    {engine::Accelerator::interpreter, "interpreter"},
    {engine::Accelerator::lockstep, "lockstep"},
};

QString relativeTo(const QString& folder, const std::string& path)
{
    const QString whole = QString::fromStdString(path);
    const QString prefix = folder + u'/';
    return whole.startsWith(prefix) ? whole.mid(prefix.size()) : whole;
}

// Walks the fields of a JSON object; keeps the first complaint.
class Reader {
public:
    Reader(const QJsonObject& object, const QString& folder) : m_object(object), m_folder(folder) { }

    void path(const char* key, std::string& into)
    {
        if (const QJsonValue value = take(key, QJsonValue::String); value.isString())
            into = absolute(value.toString());
    }
    // `word` is not a path.
    void pathOr(const char* word, const char* key, std::string& into)
    {
        text(key, into);
        if (into != word)
            into = absolute(QString::fromStdString(into));
    }
    void text(const char* key, std::string& into)
    {
        if (const QJsonValue value = take(key, QJsonValue::String); value.isString())
            into = value.toString().toStdString();
    }
    template <class Number> void number(const char* key, Number& into, double largest)
    {
        const QJsonValue value = take(key, QJsonValue::Double);
        if (!value.isDouble())
            return;
        if (!(value.toDouble() >= 0 && value.toDouble() <= largest))
            complain(key);
        else
            into = Number(value.toDouble());
    }
    void paths(const char* key, std::vector<std::string>& into)
    {
        for (const QJsonValue value : take(key, QJsonValue::Array).toArray()) {
            if (!value.isString())
                return complain(key);
            into.push_back(absolute(value.toString()));
        }
    }
    void texts(const char* key, std::vector<std::string>& into)
    {
        for (const QJsonValue value : take(key, QJsonValue::Array).toArray()) {
            if (!value.isString())
                return complain(key);
            into.push_back(value.toString().toStdString());
        }
    }
    void flag(const char* key, bool& into)
    {
        if (const QJsonValue value = take(key, QJsonValue::Bool); value.isBool())
            into = value.toBool();
    }
    void complain(const char* key)
    {
        if (m_complaint.isEmpty())
            m_complaint = MachineLibrary::tr("its field “%1” does not hold what belongs there").arg(QLatin1String(key));
    }
    const QString& complaint() const { return m_complaint; }

private:
    QJsonValue take(const char* key, QJsonValue::Type type)
    {
        const QJsonValue value = m_object.value(QLatin1String(key));
        if (!value.isUndefined() && value.type() != type)
            complain(key);
        return value.type() == type ? value : QJsonValue(QJsonValue::Undefined);
    }
    std::string absolute(const QString& path) const
    {
        return path.isEmpty() ? std::string() : QDir::cleanPath(QDir(m_folder).absoluteFilePath(path)).toStdString();
    }

    QJsonObject m_object;
    QString m_folder;
    QString m_complaint;
};

}

QByteArray definitionToJson(const engine::MachineDefinition& definition, const QString& folder)
{
    QJsonArray disks;
    for (const std::string& disk : definition.disks)
        disks.append(relativeTo(folder, disk));
    QJsonArray formats;
    for (const std::string& format : definition.disk_formats)
        formats.append(QString::fromStdString(format));
    QJsonArray caches;
    for (const std::string& cache : definition.disk_caches)
        caches.append(QString::fromStdString(cache));
    const QJsonObject object{
        {"format", format_version},
        {"memory_mib", double(definition.memory_mib)},
        {"cpus", double(definition.cpus)},
        {"accelerator", acceleratorName(definition.accelerator)},
        {"avx512", definition.avx512},
        {"disks", disks},
        {"disk_formats", formats},
        {"disk_caches", caches},
        {"cdrom", relativeTo(folder, definition.cdrom)},
        {"floppy", relativeTo(folder, definition.floppy)},
        {"kernel", relativeTo(folder, definition.kernel)},
        {"initrd", relativeTo(folder, definition.initrd)},
        {"append", QString::fromStdString(definition.append)},
        {"boot_order", QString::fromStdString(definition.boot_order)},
        {"firmware", relativeTo(folder, definition.firmware)},
    };
    return QJsonDocument(object).toJson();
}

engine::Result<engine::MachineDefinition> definitionFromJson(const QByteArray& json, const QString& folder)
{
    const QString name = QDir(folder).dirName();
    const auto damaged = [&](const QString& why) {
        return problem(
            MachineLibrary::tr("The definition of “%1” cannot be read").arg(name), why,
            MachineLibrary::tr("Repair or remove %1").arg(folder + QStringLiteral("/machine.json")));
    };

    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(json, &error);
    if (!document.isObject())
        return damaged(error.error == QJsonParseError::NoError ? MachineLibrary::tr("it holds no object") : error.errorString());
    const QJsonObject object = document.object();
    if (object.value("format").toInt(format_version) > format_version)
        return damaged(MachineLibrary::tr("a newer version of Paddock has written it"));

    engine::MachineDefinition definition;
    definition.name = name.toStdString();
    Reader reader(object, folder);
    reader.number("memory_mib", definition.memory_mib, 1u << 20);
    reader.number("cpus", definition.cpus, 32);
    reader.paths("disks", definition.disks);
    reader.texts("disk_formats", definition.disk_formats);
    // Earlier versions knew raw disks only, and wrote no formats.
    definition.disk_formats.resize(definition.disks.size(), "raw");
    reader.texts("disk_caches", definition.disk_caches);
    definition.disk_caches.resize(definition.disks.size());
    // The whole library is the person's own: machines may share images.
    definition.image_folders = {QFileInfo(folder).absolutePath().toStdString()};
    reader.path("cdrom", definition.cdrom);
    reader.path("floppy", definition.floppy);
    reader.path("kernel", definition.kernel);
    reader.path("initrd", definition.initrd);
    reader.text("append", definition.append);
    reader.text("boot_order", definition.boot_order);
    reader.pathOr(engine::MachineDefinition::uefi, "firmware", definition.firmware);
    reader.flag("avx512", definition.avx512);
    std::string accelerator = "automatic";
    reader.text("accelerator", accelerator);
    if (const auto known = acceleratorFromName(QString::fromStdString(accelerator)))
        definition.accelerator = *known;
    else
        reader.complain("accelerator");

    if (!reader.complaint().isEmpty())
        return damaged(reader.complaint());
    return definition;
}

QString acceleratorName(engine::Accelerator accelerator)
{
    for (const AcceleratorName& row : accelerator_names)
        if (row.accelerator == accelerator)
            return QLatin1String(row.name);
    return {};
}

std::optional<engine::Accelerator> acceleratorFromName(const QString& name)
{
    for (const AcceleratorName& row : accelerator_names)
        if (name == QLatin1String(row.name))
            return row.accelerator;
    return std::nullopt;
}

}
