#include "app/library/appliance.h"

#include <QHash>
#include <QRegularExpression>
#include <QXmlStreamReader>

#include "app/library/appliance_words.h"
#include "engine/engine.h"

namespace app {

namespace {

constexpr int deepest = 64, most_items = 1024, longest_word = 4096;
constexpr std::size_t most_disks = 2;    // see engine::MachineDefinition::disks
constexpr quint64 mebibyte = 1024 * 1024, most_memory = quint64(1) << 40, largest_disk = quint64(1) << 50;    // bytes

// CIM_ResourceAllocationSettingData, ResourceType.
enum Resource { processor = 3, memory = 4, scsi = 6, network = 10, disk = 17, sata = 20, usb = 23, sound = 35 };

// An AllocationUnits of DSP0004, C.1 ("byte * 2^20"), or a word of the earlier drafts. 0: not understood.
quint64 unitOf(const QString& text, quint64 otherwise)
{
    static const QRegularExpression power(QStringLiteral(R"(^\s*byte\s*\*\s*2\s*\^\s*(\d{1,2})\s*$)"));
    if (const auto match = power.match(text); match.hasMatch())
        return match.captured(1).toUInt() <= 40 ? quint64(1) << match.captured(1).toUInt() : 0;
    const QString word = text.simplified().toLower();
    if (word.isEmpty())
        return otherwise;
    static const QHash<QString, quint64> words{
        {QStringLiteral("byte"), 1},
        {QStringLiteral("bytes"), 1},
        {QStringLiteral("kb"), 1024},
        {QStringLiteral("kilobytes"), 1024},
        {QStringLiteral("mb"), mebibyte},
        {QStringLiteral("megabytes"), mebibyte},
        {QStringLiteral("gb"), 1024 * mebibyte},
        {QStringLiteral("gigabytes"), 1024 * mebibyte},
    };
    return words.value(word, 0);
}

// Namespaces differ between the versions and the products; local names don't.
class OvfReader {
public:
    OvfReader(const QByteArray& xml, const QString& name) : m_xml(xml), m_name(name) { }
    engine::Result<Appliance> read();

private:
    struct File {
        DescribedDisk disk;
        QString refused{};    // why it can't be used
    };
    struct Disk {
        QString file;    // id
        quint64 capacity = 0;
    };

    QString attribute(QLatin1String wanted) const
    {
        for (const QXmlStreamAttribute& found : m_xml.attributes())
            if (found.name() == wanted)
                return found.value().left(longest_word).toString();
        return {};
    }
    void begin();
    void file();
    quint64 capacity() const;
    void item();
    void take(int type, const QHash<QString, QString>& fields);
    void takeMemory(const QHash<QString, QString>& fields);
    void takeDisk(const QString& resource);
    void complain(const QString& why)
    {
        if (m_complaint.isEmpty())
            m_complaint = why;
    }
    void leaveOut(const QString& what)
    {
        if (!m_appliance.leftOut.contains(what))
            m_appliance.leftOut << what;
    }

    QXmlStreamReader m_xml;
    QString m_name, m_complaint;
    Appliance m_appliance;
    QHash<QString, File> m_files;    // by id
    QHash<QString, Disk> m_disks;    // by id
    int m_systems = 0, m_items = 0;
};

engine::Result<Appliance> OvfReader::read()
{
    bool envelope = false;
    int depth = 0;
    while (!m_xml.atEnd() && m_complaint.isEmpty()) {
        switch (m_xml.readNext()) {
        case QXmlStreamReader::DTD:
            complain(ApplianceWords::tr("its description declares a document type, which none needs"));
            break;
        case QXmlStreamReader::StartElement:
            envelope |= depth == 0 && m_xml.name() == QLatin1String("Envelope");
            if (++depth > deepest || ++m_items > 64 * most_items)
                complain(ApplianceWords::tr("its description is nested too deeply, or too long"));
            else
                begin();
            // What was read to its end is closed already.
            depth -= m_xml.isEndElement();
            break;
        case QXmlStreamReader::EndElement:
            --depth;
            break;
        default:
            break;
        }
    }
    if (m_complaint.isEmpty() && m_xml.hasError())
        complain(ApplianceWords::tr("its description is no XML"));
    if (m_complaint.isEmpty() && (!envelope || m_systems == 0))
        complain(ApplianceWords::tr("its description describes no machine"));
    if (m_complaint.isEmpty() && m_appliance.described.size() > most_disks)
        complain(ApplianceWords::tr("it has %1 disks, and a machine here can have %2")
                     .arg(m_appliance.described.size())
                     .arg(most_disks));
    if (!m_complaint.isEmpty())
        return unusableAppliance(m_name, m_complaint);
    if (m_systems > 1)
        leaveOut(ApplianceWords::tr("the other machines in it"));
    return m_appliance;
}

void OvfReader::begin()
{
    const auto name = m_xml.name();
    if (name == QLatin1String("File"))
        return file();
    if (name == QLatin1String("Disk") && !attribute(QLatin1String("diskId")).isEmpty()) {
        m_disks.insert(attribute(QLatin1String("diskId")), {attribute(QLatin1String("fileRef")), capacity()});
        if (!attribute(QLatin1String("parentRef")).isEmpty())
            complain(ApplianceWords::tr("one of its disks is a difference to another one"));
    }
    if (name == QLatin1String("VirtualSystem") && ++m_systems == 1)
        m_appliance.name = attribute(QLatin1String("id"));
    if (m_systems != 1)
        return;
    if (name == QLatin1String("Name")) {
        if (const QString text = m_xml.readElementText(QXmlStreamReader::SkipChildElements).simplified(); !text.isEmpty())
            m_appliance.name = text.left(longest_word);
    } else if (
        name == QLatin1String("Item") || name == QLatin1String("StorageItem") || name == QLatin1String("EthernetPortItem")) {
        item();
    } else if (
        name == QLatin1String("Config") && attribute(QLatin1String("key")) == QLatin1String("firmware")
        && attribute(QLatin1String("value")).toLower() == QLatin1String("efi")) {
        m_appliance.uefi = true;
        if (!engine::has_uefi())
            leaveOut(ApplianceWords::tr(
                "UEFI firmware: the package ovmf, which has it, is not installed, so this machine may not start"));
    }
}

// 0 where it isn't said, or only when the machine is installed ("${…}").
quint64 OvfReader::capacity() const
{
    const quint64 count = attribute(QLatin1String("capacity")).toULongLong();
    const quint64 unit = unitOf(attribute(QLatin1String("capacityAllocationUnits")), 1);
    return unit != 0 && count <= largest_disk / unit ? count * unit : 0;
}

void OvfReader::file()
{
    File file{{attribute(QLatin1String("href"))}};
    const QString packing = attribute(QLatin1String("compression")), chunk = attribute(QLatin1String("chunkSize"));
    file.disk.gzip = packing == QLatin1String("gzip");
    file.disk.size = attribute(QLatin1String("size")).toULongLong();
    file.disk.chunkSize = chunk.toULongLong();
    if (!packing.isEmpty() && !file.disk.gzip && packing != QLatin1String("identity"))
        file.refused
            = ApplianceWords::tr("the file %1 is compressed in a way (%2) that is not known here").arg(file.disk.name, packing);
    if (!chunk.isEmpty() && file.disk.chunkSize == 0)
        file.refused = ApplianceWords::tr("the file %1 is split in a way that is not understood").arg(file.disk.name);
    if (m_files.size() < most_items)
        m_files.insert(attribute(QLatin1String("id")), file);
}

void OvfReader::item()
{
    QHash<QString, QString> fields;
    while (m_xml.readNextStartElement() && fields.size() < 100) {
        const QString field = m_xml.name().toString();
        const QString text = m_xml.readElementText(QXmlStreamReader::SkipChildElements).left(longest_word);
        // The first of several hosts' names counts.
        if (!fields.contains(field))
            fields.insert(field, text.trimmed());
    }
    take(fields.value(QStringLiteral("ResourceType")).toInt(), fields);
}

void OvfReader::take(int type, const QHash<QString, QString>& fields)
{
    switch (type) {
    case processor:
        m_appliance.cpus = fields.value(QStringLiteral("VirtualQuantity")).toUInt();
        break;
    case memory:
        takeMemory(fields);
        break;
    case disk:
        takeDisk(fields.value(QStringLiteral("HostResource")));
        break;
    case network:
        leaveOut(ApplianceWords::tr("its network card"));
        break;
    case usb:
        leaveOut(ApplianceWords::tr("its USB"));
        break;
    case sound:
        leaveOut(ApplianceWords::tr("its sound card"));
        break;
    case scsi:
    case sata:
        leaveOut(ApplianceWords::tr("its disk controller: the disks are IDE disks here"));
        break;
    default:
        break;
    }
}

void OvfReader::takeMemory(const QHash<QString, QString>& fields)
{
    bool sound = false;
    const quint64 count = fields.value(QStringLiteral("VirtualQuantity")).toULongLong(&sound);
    const quint64 unit = unitOf(fields.value(QStringLiteral("AllocationUnits")), mebibyte);
    if (!sound || unit == 0 || count > most_memory / unit || count * unit < mebibyte)
        return complain(ApplianceWords::tr("how much memory it has is not understood"));
    m_appliance.memoryMib = count * unit / mebibyte;
}

// "ovf:/disk/vmdisk1", "/disk/vmdisk1" or "ovf:/file/file1".
void OvfReader::takeDisk(const QString& resource)
{
    const QString id = resource.section(u'/', -1), kind = resource.section(u'/', -2, -2);
    const Disk disk = kind == QLatin1String("file") ? Disk{id} : m_disks.value(id);
    if (disk.file.isEmpty())
        return leaveOut(ApplianceWords::tr("an empty disk"));
    const auto file = m_files.constFind(disk.file);
    if (file == m_files.constEnd())
        return complain(ApplianceWords::tr("the file of one of its disks is not named"));
    if (!file->refused.isEmpty())
        return complain(file->refused);
    // It has to lie beside the description: a name that leads elsewhere is no name.
    const QString& href = file->disk.name;
    if (href.isEmpty() || href.contains(u'/') || href.contains(u'\0') || href.startsWith(u'.'))
        return complain(ApplianceWords::tr("one of its disks is called “%1”, which is no file beside it").arg(href));
    m_appliance.described.push_back(file->disk);
    m_appliance.described.back().capacity = disk.capacity;
}

}

engine::Result<Appliance> parseOvf(const QByteArray& xml, const QString& name)
{
    return OvfReader(xml, name).read();
}

}
