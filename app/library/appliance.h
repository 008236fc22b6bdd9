#pragma once
// Machines that other programs exported: OVF descriptions (DMTF DSP0243 1.0 to 2.1) and the OVA archives that hold one with its
// disks. What is read is taken for hostile. QtCore only; waits for the host.
//
// Not modelled: manifests and signatures (not checked), compressed or split files, disks with a parent, deployment
// configurations (the first counts), machines of a collection beyond the first, network cards, USB and sound (said).

#include <vector>

#include <QByteArray>
#include <QString>
#include <QStringList>

#include "engine/base/result.h"

namespace app {

// A disk that becomes the machine's own.
struct DiskToImport {
    QString name;    // of its file, without a path; its ending says the format where its content doesn't
    QString path;    // the file that holds it
    quint64 offset = 0, size = 0;    // where in that file it lies; size 0: it is the whole file
};

struct Appliance {
    QString name;    // "" where it says none
    quint64 memoryMib = 0;    // 0 where it doesn't say
    unsigned cpus = 1;
    QStringList diskFiles;    // as the description names them, in order
    std::vector<DiskToImport> disks;    // the same, found
    QStringList leftOut;    // what a machine here will not have, in words
};

bool isApplianceName(const QString& path);    // .ova, .ovf

// The description alone; `disks` stays empty.
engine::Result<Appliance> parseOvf(const QByteArray& xml, const QString& name);
// Of an .ovf whose disks lie beside it, or an .ova.
engine::Result<Appliance> readAppliance(const QString& path);

}
