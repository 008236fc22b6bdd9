<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>ApplianceWords</name>
    <message>
        <source>%1 cannot be imported</source>
        <translation>%1 kann nicht übernommen werden</translation>
    </message>
    <message>
        <source>Export the machine again, as OVF 1.0 or 2.0</source>
        <translation>Exportieren Sie die Maschine noch einmal, als OVF 1.0 oder 2.0</translation>
    </message>
    <message>
        <source>%1 is damaged</source>
        <translation>%1 ist beschädigt</translation>
    </message>
    <message>
        <source>its content is not what the manifest says</source>
        <translation>der Inhalt ist nicht der, den das Manifest nennt</translation>
    </message>
    <message>
        <source>Get the file again</source>
        <translation>Besorgen Sie die Datei noch einmal</translation>
    </message>
</context>
<context>
    <name>app::ApplianceWords</name>
    <message>
        <source>its description declares a document type, which none needs</source>
        <translation>ihre Beschreibung erklärt einen Dokumenttyp, den keine braucht</translation>
    </message>
    <message>
        <source>its description is nested too deeply, or too long</source>
        <translation>ihre Beschreibung ist zu tief verschachtelt oder zu lang</translation>
    </message>
    <message>
        <source>its description describes no machine</source>
        <translation>ihre Beschreibung beschreibt keine Maschine</translation>
    </message>
    <message>
        <source>it has %1 disks, and a machine here can have %2</source>
        <translation>sie hat %1 Platten, und eine Maschine kann hier %2 haben</translation>
    </message>
    <message>
        <source>the other machines in it</source>
        <translation>die weiteren Maschinen darin</translation>
    </message>
    <message>
        <source>one of its disks is a difference to another one</source>
        <translation>eine ihrer Platten ist der Unterschied zu einer anderen</translation>
    </message>
    <message>
        <source>its network card</source>
        <translation>die Netzwerkkarte</translation>
    </message>
    <message>
        <source>its USB</source>
        <translation>USB</translation>
    </message>
    <message>
        <source>its sound card</source>
        <translation>die Soundkarte</translation>
    </message>
    <message>
        <source>its disk controller: the disks are IDE disks here</source>
        <translation>der Plattencontroller: Die Platten sind hier IDE-Platten</translation>
    </message>
    <message>
        <source>how much memory it has is not understood</source>
        <translation>wie viel Speicher sie hat, ist nicht zu verstehen</translation>
    </message>
    <message>
        <source>an empty disk</source>
        <translation>eine leere Platte</translation>
    </message>
    <message>
        <source>the file of one of its disks is not named</source>
        <translation>die Datei einer ihrer Platten ist nicht genannt</translation>
    </message>
    <message>
        <source>one of its disks is called “%1”, which is no file beside it</source>
        <translation>eine ihrer Platten heißt „%1“, was keine Datei daneben ist</translation>
    </message>
    <message>
        <source>there is no description of a machine in it</source>
        <translation>es enthält keine Beschreibung einer Maschine</translation>
    </message>
    <message>
        <source>its disk %1 is missing</source>
        <translation>ihre Platte %1 fehlt</translation>
    </message>
    <message>
        <source>%1 cannot be imported</source>
        <translation>%1 kann nicht übernommen werden</translation>
    </message>
    <message>
        <source>there is no such file</source>
        <translation>es gibt keine solche Datei</translation>
    </message>
    <message>
        <source>Choose an OVA or OVF file</source>
        <translation>Wählen Sie eine OVA- oder OVF-Datei</translation>
    </message>
    <message>
        <source>its description is no XML</source>
        <translation>ihre Beschreibung ist kein XML</translation>
    </message>
    <message>
        <source>the file %1 is compressed in a way (%2) that is not known here</source>
        <translation>die Datei %1 ist auf eine Art (%2) komprimiert, die hier nicht bekannt ist</translation>
    </message>
    <message>
        <source>the file %1 is split in a way that is not understood</source>
        <translation>die Datei %1 ist auf eine Art geteilt, die nicht verstanden wird</translation>
    </message>
    <message>
        <source>its manifest has a line that is not understood: “%1”</source>
        <translation>eine Zeile des Manifests wird nicht verstanden: „%1“</translation>
    </message>
    <message>
        <source>its manifest cannot be read</source>
        <translation>das Manifest kann nicht gelesen werden</translation>
    </message>
    <message>
        <source>%1 does not have the size of a part of its disk</source>
        <translation>%1 hat nicht die Größe eines Teils ihrer Platte</translation>
    </message>
    <message>
        <source>parts of its disk %1 are missing</source>
        <translation>Teile der Platte %1 fehlen</translation>
    </message>
    <message>
        <source>UEFI firmware: the package ovmf, which has it, is not installed, so this machine may not start</source>
        <translation>UEFI-Firmware: das Paket ovmf, das sie enthält, ist nicht installiert, daher startet diese Maschine vielleicht nicht</translation>
    </message>
</context>
<context>
    <name>app::ControlLink</name>
    <message>
        <source>“%1” is not running</source>
        <translation>„%1“ läuft nicht</translation>
    </message>
    <message>
        <source>Start it with `paddock start`</source>
        <translation>Starten Sie sie mit „paddock start“</translation>
    </message>
    <message>
        <source>“%1” has not answered</source>
        <translation>„%1“ hat nicht geantwortet</translation>
    </message>
    <message>
        <source>Look at its window, or try again</source>
        <translation>Sehen Sie in ihr Fenster, oder versuchen Sie es noch einmal</translation>
    </message>
    <message>
        <source>it has ended</source>
        <translation>sie ist beendet</translation>
    </message>
    <message>
        <source>the time is up</source>
        <translation>die Zeit ist um</translation>
    </message>
</context>
<context>
    <name>app::ControlPathsWords</name>
    <message>
        <source>The folder for control sockets cannot be made</source>
        <translation>Der Ordner für die Steuersockets lässt sich nicht anlegen</translation>
    </message>
    <message>
        <source>Allow writing in %1, or unset XDG_RUNTIME_DIR</source>
        <translation>Erlauben Sie das Schreiben in %1, oder löschen Sie die Variable XDG_RUNTIME_DIR</translation>
    </message>
    <message>
        <source>The folder for control sockets cannot be trusted</source>
        <translation>Dem Ordner für die Steuersockets ist nicht zu trauen</translation>
    </message>
    <message>
        <source>%1 is not a folder that belongs to you alone</source>
        <translation>%1 ist kein Ordner, der Ihnen allein gehört</translation>
    </message>
    <message>
        <source>Remove it</source>
        <translation>Entfernen Sie ihn</translation>
    </message>
    <message>
        <source>“%1” cannot be reserved</source>
        <translation>„%1“ lässt sich nicht reservieren</translation>
    </message>
    <message>
        <source>Allow writing to %1</source>
        <translation>Erlauben Sie das Schreiben in %1</translation>
    </message>
    <message>
        <source>“%1” is running already</source>
        <translation>„%1“ läuft bereits</translation>
    </message>
    <message>
        <source>another process of Paddock runs it</source>
        <translation>ein anderer Prozess von Paddock betreibt sie</translation>
    </message>
    <message>
        <source>Use its window, or stop it with `paddock stop`</source>
        <translation>Benutzen Sie ihr Fenster, oder beenden Sie sie mit „paddock stop“</translation>
    </message>
</context>
<context>
    <name>app::ControlServer</name>
    <message>
        <source>“%1” cannot be reached from outside</source>
        <translation>„%1“ ist von außen nicht erreichbar</translation>
    </message>
    <message>
        <source>Allow making a socket at %1</source>
        <translation>Erlauben Sie, unter %1 einen Socket anzulegen</translation>
    </message>
    <message>
        <source>The message is longer than 1 MiB.</source>
        <translation>Die Nachricht ist länger als 1 MiB.</translation>
    </message>
    <message>
        <source>This is not JSON: %1.</source>
        <translation>Das ist kein JSON: %1.</translation>
    </message>
    <message>
        <source>The batch is empty.</source>
        <translation>Der Stapel ist leer.</translation>
    </message>
    <message>
        <source>This is not a JSON-RPC 2.0 request.</source>
        <translation>Das ist keine Anfrage nach JSON-RPC 2.0.</translation>
    </message>
    <message>
        <source>Parameters go by name, in an object.</source>
        <translation>Parameter werden mit Namen in einem Objekt übergeben.</translation>
    </message>
    <message>
        <source>The parameter “%1” is missing or of the wrong type.</source>
        <translation>Der Parameter „%1“ fehlt oder ist vom falschen Typ.</translation>
    </message>
    <message>
        <source>There is no method “%1”.</source>
        <translation>Es gibt keine Methode „%1“.</translation>
    </message>
    <message>
        <source>The picture&apos;s path must begin with a slash.</source>
        <translation>Der Pfad des Bildes muss mit einem Schrägstrich beginnen.</translation>
    </message>
    <message>
        <source>There is no picture to take</source>
        <translation>Es gibt kein Bild aufzunehmen</translation>
    </message>
    <message>
        <source>the machine has not shown anything yet</source>
        <translation>die Maschine hat noch nichts angezeigt</translation>
    </message>
    <message>
        <source>Try again in a moment</source>
        <translation>Versuchen Sie es gleich noch einmal</translation>
    </message>
    <message>
        <source>The image&apos;s path must begin with a slash.</source>
        <translation>Der Pfad des Abbilds muss mit einem Schrägstrich beginnen.</translation>
    </message>
</context>
<context>
    <name>app::HostedMachine</name>
    <message>
        <source>Kept before starting from “%1”</source>
        <translation>Aufgehoben vor dem Start ab „%1“</translation>
    </message>
    <message>
        <source>“%1” is running</source>
        <translation>„%1“ läuft</translation>
    </message>
    <message>
        <source>Take a snapshot of it, and try that: a trial begins with a snapshot</source>
        <translation>Machen Sie eine Momentaufnahme und probieren Sie diese aus: Ein Versuch beginnt mit einer Momentaufnahme</translation>
    </message>
    <message>
        <source>Where a trial began</source>
        <translation>Hier begann ein Versuch</translation>
    </message>
    <message>
        <source>Kept from a trial</source>
        <translation>Von einem Versuch behalten</translation>
    </message>
</context>
<context>
    <name>app::KeyNamesWords</name>
    <message>
        <source>There is no key to press</source>
        <translation>Es gibt keine Taste zu drücken</translation>
    </message>
    <message>
        <source>the combination is empty</source>
        <translation>die Kombination ist leer</translation>
    </message>
    <message>
        <source>Write for example ctrl-alt-delete</source>
        <translation>Schreiben Sie zum Beispiel ctrl-alt-delete</translation>
    </message>
    <message>
        <source>There is no key “%1”</source>
        <translation>Es gibt keine Taste „%1“</translation>
    </message>
    <message>
        <source>Names are as in ctrl-alt-delete, ret, esc, f2, up, kp_5, a</source>
        <translation>Namen lauten wie in ctrl-alt-delete, ret, esc, f2, up, kp_5, a</translation>
    </message>
    <message>
        <source>“%1” cannot be typed</source>
        <translation>„%1“ lässt sich nicht tippen</translation>
    </message>
    <message>
        <source>a US keyboard has no key for it</source>
        <translation>eine amerikanische Tastatur hat dafür keine Taste</translation>
    </message>
    <message>
        <source>Leave it out</source>
        <translation>Lassen Sie es weg</translation>
    </message>
    <message>
        <source>“%1” has no end</source>
        <translation>„%1“ hat kein Ende</translation>
    </message>
    <message>
        <source>a key&apos;s name stands between &lt; and &gt;</source>
        <translation>der Name einer Taste steht zwischen &lt; und &gt;</translation>
    </message>
    <message>
        <source>Write &lt;lt&gt; for the character itself</source>
        <translation>Schreiben Sie &lt;lt&gt; für das Zeichen selbst</translation>
    </message>
</context>
<context>
    <name>app::MachineLibrary</name>
    <message>
        <source>its field “%1” does not hold what belongs there</source>
        <translation>ihr Feld „%1“ enthält nicht, was dorthin gehört</translation>
    </message>
    <message>
        <source>The definition of “%1” cannot be read</source>
        <translation>Die Beschreibung von „%1“ ist nicht lesbar</translation>
    </message>
    <message>
        <source>Repair or remove %1</source>
        <translation>Reparieren oder entfernen Sie %1</translation>
    </message>
    <message>
        <source>it holds no object</source>
        <translation>sie enthält kein Objekt</translation>
    </message>
    <message>
        <source>a newer version of Paddock has written it</source>
        <translation>eine neuere Fassung von Paddock hat sie geschrieben</translation>
    </message>
    <message>
        <source>A machine cannot be called “%1”</source>
        <translation>Eine Maschine kann nicht „%1“ heißen</translation>
    </message>
    <message>
        <source>Choose another name</source>
        <translation>Wählen Sie einen anderen Namen</translation>
    </message>
    <message>
        <source>The machine has no name</source>
        <translation>Die Maschine hat keinen Namen</translation>
    </message>
    <message>
        <source>Give it one</source>
        <translation>Geben Sie ihr einen</translation>
    </message>
    <message>
        <source>a name has at most %1 characters</source>
        <translation>ein Name hat höchstens %1 Zeichen</translation>
    </message>
    <message>
        <source>Shorten it</source>
        <translation>Kürzen Sie ihn</translation>
    </message>
    <message>
        <source>a name cannot hold a slash, because the machine&apos;s folder bears it</source>
        <translation>ein Name darf keinen Schrägstrich enthalten, weil der Ordner der Maschine so heißt</translation>
    </message>
    <message>
        <source>a name cannot begin with a dot or a dash</source>
        <translation>ein Name darf nicht mit einem Punkt oder Strich beginnen</translation>
    </message>
    <message>
        <source>a name cannot begin or end with a space</source>
        <translation>ein Name darf nicht mit einem Leerzeichen beginnen oder enden</translation>
    </message>
    <message>
        <source>it is too long for a file system</source>
        <translation>er ist zu lang für ein Dateisystem</translation>
    </message>
    <message>
        <source>it holds characters that cannot be shown</source>
        <translation>er enthält Zeichen, die sich nicht anzeigen lassen</translation>
    </message>
    <message>
        <source>The machine has no memory</source>
        <translation>Die Maschine hat keinen Arbeitsspeicher</translation>
    </message>
    <message>
        <source>0 MiB was asked for</source>
        <translation>verlangt waren 0 MiB</translation>
    </message>
    <message>
        <source>Give it at least 1 MiB</source>
        <translation>Geben Sie ihr mindestens 1 MiB</translation>
    </message>
    <message>
        <source>The machine cannot have %1 MiB of memory</source>
        <translation>Die Maschine kann keine %1 MiB Arbeitsspeicher haben</translation>
    </message>
    <message>
        <source>this computer can give a machine at most %1 MiB</source>
        <translation>dieser Rechner kann einer Maschine höchstens %1 MiB geben</translation>
    </message>
    <message>
        <source>Choose less</source>
        <translation>Wählen Sie weniger</translation>
    </message>
    <message>
        <source>The machine cannot have %1 processors</source>
        <translation>Die Maschine kann nicht %1 Prozessoren haben</translation>
    </message>
    <message>
        <source>it can have 1 to 32</source>
        <translation>möglich sind 1 bis 32</translation>
    </message>
    <message>
        <source>Choose a number in between</source>
        <translation>Wählen Sie eine Zahl dazwischen</translation>
    </message>
    <message>
        <source>The disk cannot have %1</source>
        <translation>Die Platte kann nicht %1 groß sein</translation>
    </message>
    <message>
        <source>the smallest disk has %1</source>
        <translation>die kleinste Platte hat %1</translation>
    </message>
    <message>
        <source>Choose more, or 0 for no disk</source>
        <translation>Wählen Sie mehr, oder 0 für keine Platte</translation>
    </message>
    <message>
        <source>the largest disk has %1</source>
        <translation>die größte Platte hat %1</translation>
    </message>
    <message>
        <source>There is a machine “%1” already</source>
        <translation>Es gibt bereits eine Maschine „%1“</translation>
    </message>
    <message>
        <source>The machine&apos;s definition cannot be written</source>
        <translation>Die Beschreibung der Maschine lässt sich nicht schreiben</translation>
    </message>
    <message>
        <source>Make room on the file system of %1, or allow writing there</source>
        <translation>Schaffen Sie Platz auf dem Dateisystem von %1, oder erlauben Sie dort das Schreiben</translation>
    </message>
    <message>
        <source>“%1” cannot be created</source>
        <translation>„%1“ lässt sich nicht anlegen</translation>
    </message>
    <message>
        <source>the folder %1 cannot be made</source>
        <translation>der Ordner %1 lässt sich nicht anlegen</translation>
    </message>
    <message>
        <source>There is no machine “%1”</source>
        <translation>Es gibt keine Maschine „%1“</translation>
    </message>
    <message>
        <source>`paddock list` names those there are</source>
        <translation>„paddock list“ nennt die vorhandenen</translation>
    </message>
    <message>
        <source>it is far too large</source>
        <translation>sie ist viel zu groß</translation>
    </message>
    <message>
        <source>Create it first</source>
        <translation>Legen Sie sie zuerst an</translation>
    </message>
    <message>
        <source>“%1” cannot be renamed</source>
        <translation>„%1“ lässt sich nicht umbenennen</translation>
    </message>
    <message>
        <source>Allow writing in %1</source>
        <translation>Erlauben Sie das Schreiben in %1</translation>
    </message>
    <message>
        <source>“%1” cannot be deleted</source>
        <translation>„%1“ lässt sich nicht löschen</translation>
    </message>
    <message>
        <source>“%1” cannot be brought back</source>
        <translation>„%1“ lässt sich nicht zurückholen</translation>
    </message>
    <message>
        <source>Look into %1</source>
        <translation>Sehen Sie in %1 nach</translation>
    </message>
    <message>
        <source>Machine</source>
        <translation>Maschine</translation>
    </message>
    <message>
        <source>“%1” is a linked clone of it and needs its disks</source>
        <translation>„%1“ teilt sich die Platten mit ihr und braucht sie</translation>
    </message>
    <message>
        <source>Delete the clone first; it counts until it has left the trash</source>
        <translation>Löschen Sie zuerst diese; sie zählt, bis sie den Papierkorb verlassen hat</translation>
    </message>
</context>
<context>
    <name>app::MachineSession</name>
    <message>
        <source>The text is too long to type</source>
        <translation>Der Text ist zu lang zum Tippen</translation>
    </message>
    <message>
        <source>at most %1 key strokes can wait</source>
        <translation>höchstens %1 Anschläge können warten</translation>
    </message>
    <message>
        <source>Type it in parts</source>
        <translation>Tippen Sie ihn in Teilen</translation>
    </message>
</context>
<context>
    <name>app::MediumWords</name>
    <message>
        <source>The image is cut short: it should have %1 MiB and has %2 MiB. Download it again.</source>
        <translation>Das Abbild ist abgeschnitten: Es sollte %1 MiB haben und hat %2 MiB. Laden Sie es noch einmal herunter.</translation>
    </message>
    <message>
        <source>Nothing on this disc starts a machine: it has no boot record.</source>
        <translation>Nichts auf dieser CD startet eine Maschine: Sie hat keinen Startsatz.</translation>
    </message>
    <message>
        <source>%1 cannot be used</source>
        <translation>%1 lässt sich nicht benutzen</translation>
    </message>
    <message>
        <source>it is not a file</source>
        <translation>es ist keine Datei</translation>
    </message>
    <message>
        <source>there is no such file</source>
        <translation>eine solche Datei gibt es nicht</translation>
    </message>
    <message>
        <source>Choose a CD or disk image</source>
        <translation>Wählen Sie ein CD- oder Plattenabbild</translation>
    </message>
    <message>
        <source>Allow reading it, or choose another image</source>
        <translation>Erlauben Sie das Lesen, oder wählen Sie ein anderes Abbild</translation>
    </message>
    <message>
        <source>This disk has no boot record, so a machine cannot start from it.</source>
        <translation>Diese Platte hat keinen Startsatz, also kann keine Maschine davon starten.</translation>
    </message>
    <message>
        <source>Memory test</source>
        <translation>Speichertest</translation>
    </message>
    <message>
        <source>Debian installer</source>
        <translation>Debian-Installation</translation>
    </message>
    <message>
        <source>it is neither a CD image nor a disk image</source>
        <translation>es ist weder ein CD-Abbild noch ein Plattenabbild</translation>
    </message>
    <message>
        <source>A machine cannot write to a disk of the format %1. Convert it: paddock disk convert</source>
        <translation>Eine Maschine kann nicht auf eine Platte im Format %1 schreiben. Wandeln Sie sie um: paddock disk convert</translation>
    </message>
    <message>
        <source>This disc starts machines with UEFI firmware only, and there is none here: install the package ovmf.</source>
        <translation>Diese CD startet nur Maschinen mit UEFI-Firmware, und hier gibt es keine: Installieren Sie das Paket ovmf.</translation>
    </message>
</context>
<context>
    <name>display::GuestView</name>
    <message>
        <source>Press the right Ctrl key to free the pointer</source>
        <translation>Rechte Strg-Taste drücken, um den Mauszeiger freizugeben</translation>
    </message>
    <message>
        <source>Press Ctrl+Alt to free the pointer</source>
        <translation>Strg+Alt drücken, um den Mauszeiger freizugeben</translation>
    </message>
</context>
<context>
    <name>display::ScreenshotWords</name>
    <message>
        <source>There is no picture to take</source>
        <translation>Es gibt kein Bild aufzunehmen</translation>
    </message>
    <message>
        <source>the screen is off</source>
        <translation>der Bildschirm ist aus</translation>
    </message>
    <message>
        <source>The picture %1 cannot be written</source>
        <translation>Das Bild %1 lässt sich nicht schreiben</translation>
    </message>
    <message>
        <source>Choose a folder that you may write to and that has room</source>
        <translation>Wählen Sie einen Ordner, in den Sie schreiben dürfen und der Platz hat</translation>
    </message>
</context>
<context>
    <name>ui::ActivityLamp</name>
    <message>
        <source>%1: writing</source>
        <translation>%1: schreibt</translation>
    </message>
    <message>
        <source>%1: reading</source>
        <translation>%1: liest</translation>
    </message>
</context>
<context>
    <name>ui::CloneSheet</name>
    <message>
        <source>&amp;Share the disks of “%1”</source>
        <translation>Die &amp;Platten von „%1“ mitbenutzen</translation>
    </message>
    <message>
        <source>Make a machine of a snapshot</source>
        <translation>Maschine aus einer Momentaufnahme machen</translation>
    </message>
    <message>
        <source>Made at once, and takes only the room of what it changes. “%1” can then neither be renamed nor deleted as long as the new machine is there.</source>
        <translation>Ist sofort fertig und braucht nur Platz für das, was sie ändert. „%1“ kann dann weder umbenannt noch gelöscht werden, solange es die neue Maschine gibt.</translation>
    </message>
    <message>
        <source>&amp;Make it</source>
        <translation>&amp;Machen</translation>
    </message>
    <message>
        <source>&amp;Name:</source>
        <translation>&amp;Name:</translation>
    </message>
    <message>
        <source>“%1” is being made.</source>
        <translation>„%1“ wird gemacht.</translation>
    </message>
    <message>
        <source>“%1” is made, and begins where the snapshot was taken.</source>
        <translation>„%1“ ist fertig und beginnt dort, wo die Momentaufnahme gemacht wurde.</translation>
    </message>
</context>
<context>
    <name>ui::EmptyPage</name>
    <message>
        <source>A disc</source>
        <translation>Eine CD</translation>
    </message>
    <message>
        <source>Drop a CD image here</source>
        <translation>CD-Abbild hierher ziehen</translation>
    </message>
    <message>
        <source>&amp;New machine</source>
        <translation>&amp;Neue Maschine</translation>
    </message>
    <message>
        <source>&amp;Open image…</source>
        <translation>Abbild ö&amp;ffnen …</translation>
    </message>
    <message>
        <source>&amp;Try the demo</source>
        <translation>&amp;Vorführung starten</translation>
    </message>
    <message>
        <source>Looking whether KVM works here…</source>
        <translation>Es wird geprüft, ob KVM hier funktioniert …</translation>
    </message>
    <message>
        <source>Paddock reads what is on it, suggests a machine, and starts it.</source>
        <translation>Paddock liest, was darauf ist, schlägt eine Maschine vor und startet sie.</translation>
    </message>
    <message>
        <source>Hardware acceleration: on. %1</source>
        <translation>Hardwarebeschleunigung: an. %1</translation>
    </message>
    <message>
        <source>Hardware acceleration: off; machines run on the built-in engine. %1</source>
        <translation>Hardwarebeschleunigung: aus; Maschinen laufen auf Paddocks eigenem Übersetzer. %1</translation>
    </message>
    <message>
        <source>The demo starts “%1” at once; nothing is downloaded.</source>
        <translation>Die Vorführung startet sofort „%1“; heruntergeladen wird nichts.</translation>
    </message>
    <message>
        <source>For the demo install the package %1: sudo apt install %1</source>
        <translation>Die Vorführung braucht das Paket %1: sudo apt install %1</translation>
    </message>
</context>
<context>
    <name>ui::FilmStrip</name>
    <message>
        <source>Film strip: the machine&apos;s snapshots in the order of time</source>
        <translation>Filmstreifen: die Momentaufnahmen der Maschine der Zeit nach</translation>
    </message>
</context>
<context>
    <name>ui::FilmStripModel</name>
    <message>
        <source>Point in time, %1</source>
        <translation>Zeitpunkt, %1</translation>
    </message>
    <message>
        <source>Snapshot “%1”, %2</source>
        <translation>Momentaufnahme „%1“, %2</translation>
    </message>
</context>
<context>
    <name>ui::LibraryWindow</name>
    <message>
        <source>Paddock</source>
        <translation>Paddock</translation>
    </message>
    <message>
        <source>Machines</source>
        <translation>Maschinen</translation>
    </message>
    <message>
        <source>&amp;New machine</source>
        <translation>&amp;Neue Maschine</translation>
    </message>
    <message>
        <source>&amp;Open image…</source>
        <translation>Abbild ö&amp;ffnen …</translation>
    </message>
    <message>
        <source>Start the &amp;demo</source>
        <translation>&amp;Vorführung starten</translation>
    </message>
    <message>
        <source>&amp;Start</source>
        <translation>&amp;Starten</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>&amp;Anhalten</translation>
    </message>
    <message>
        <source>S&amp;hut down</source>
        <translation>&amp;Herunterfahren</translation>
    </message>
    <message>
        <source>Power o&amp;ff…</source>
        <translation>Ausschal&amp;ten …</translation>
    </message>
    <message>
        <source>&amp;Rename…</source>
        <translation>&amp;Umbenennen …</translation>
    </message>
    <message>
        <source>De&amp;lete</source>
        <translation>&amp;Löschen</translation>
    </message>
    <message>
        <source>&amp;Paddock</source>
        <translation>&amp;Paddock</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>&amp;Beenden</translation>
    </message>
    <message>
        <source>&amp;Machine</source>
        <translation>&amp;Maschine</translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation>&amp;Fortsetzen</translation>
    </message>
    <message>
        <source>Open an image</source>
        <translation>Abbild öffnen</translation>
    </message>
    <message>
        <source>The demo cannot start</source>
        <translation>Die Vorführung kann nicht starten</translation>
    </message>
    <message>
        <source>the package %1 is not installed</source>
        <translation>das Paket %1 ist nicht installiert</translation>
    </message>
    <message>
        <source>Install it with: sudo apt install %1</source>
        <translation>Installieren Sie es mit: sudo apt install %1</translation>
    </message>
    <message>
        <source>“%1” has been asked to shut down. Whether and when is up to the guest.</source>
        <translation>„%1“ wurde gebeten, herunterzufahren. Ob und wann, entscheidet der Gast.</translation>
    </message>
    <message>
        <source>Power off</source>
        <translation>Ausschalten</translation>
    </message>
    <message>
        <source>Power off “%1”?</source>
        <translation>„%1“ ausschalten?</translation>
    </message>
    <message>
        <source>Everything in its memory is lost, and what the guest has not yet written to its disk.</source>
        <translation>Alles in ihrem Arbeitsspeicher geht verloren, ebenso was der Gast noch nicht auf seine Platte geschrieben hat.</translation>
    </message>
    <message>
        <source>&amp;Power off</source>
        <translation>&amp;Ausschalten</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>New name of “%1”:</source>
        <translation>Neuer Name von „%1“:</translation>
    </message>
    <message>
        <source>“%1” cannot be deleted</source>
        <translation>„%1“ lässt sich nicht löschen</translation>
    </message>
    <message>
        <source>it is running</source>
        <translation>sie läuft</translation>
    </message>
    <message>
        <source>Power it off first</source>
        <translation>Schalten Sie sie zuerst aus</translation>
    </message>
    <message>
        <source>“%1” is in the trash and will be kept there for a week.</source>
        <translation>„%1“ liegt im Papierkorb und bleibt dort eine Woche.</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation>&amp;Rückgängig</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>“%1” was interrupted last time.</source>
        <translation>„%1“ wurde beim letzten Mal unterbrochen.</translation>
    </message>
    <message>
        <source>Its newest snapshot can be gone on from; what the disk holds now is then kept as a snapshot of its own. Or the machine is powered on with its disk as it is, as after a power cut.</source>
        <translation>Es kann bei ihrer neuesten Momentaufnahme weitergehen; was ihre Platte jetzt enthält, wird dann als eigene Momentaufnahme aufgehoben. Oder die Maschine wird mit ihrer Platte, wie sie ist, eingeschaltet, wie nach einem Stromausfall.</translation>
    </message>
    <message>
        <source>&amp;Go on from %1</source>
        <translation>&amp;Weiter ab %1</translation>
    </message>
    <message>
        <source>Start from the &amp;disk as it is</source>
        <translation>Mit der &amp;Platte starten, wie sie ist</translation>
    </message>
    <message>
        <source>&amp;Try in a copy</source>
        <translation>In einer Kopie &amp;ausprobieren</translation>
    </message>
    <message>
        <source>Snapshots</source>
        <translation>Momentaufnahmen</translation>
    </message>
    <message>
        <source>&amp;Take snapshot</source>
        <translation>Momentaufnahme &amp;machen</translation>
    </message>
    <message>
        <source>Keeps the disks of the machine, which is off, as they are now</source>
        <translation>Hält die Platten der ausgeschalteten Maschine fest, wie sie jetzt sind</translation>
    </message>
    <message>
        <source>&amp;Snapshots</source>
        <translation>Momenta&amp;ufnahmen</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>There are no machines yet.</source>
        <translation>Es gibt noch keine Maschinen.</translation>
    </message>
    <message>
        <source>“%1” is on. Its snapshots are at the side of its own window.</source>
        <translation>„%1“ ist eingeschaltet. Ihre Momentaufnahmen stehen an der Seite ihres eigenen Fensters.</translation>
    </message>
    <message>
        <source>CD and disk images, exported machines (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;All files (*)</source>
        <translation>CD- und Plattenabbilder, exportierte Maschinen (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;Alle Dateien (*)</translation>
    </message>
</context>
<context>
    <name>ui::MachineList</name>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>Aus</translation>
    </message>
    <message>
        <source>Starting or stopping</source>
        <translation>Startet oder endet</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>one processor</source>
        <translation>ein Prozessor</translation>
    </message>
    <message numerus="yes">
        <source>%n processors</source>
        <translation>
            <numerusform>%n Prozessor</numerusform>
            <numerusform>%n Prozessoren</numerusform>
        </translation>
    </message>
    <message>
        <source>%L1 MiB, %2, %3 on disk</source>
        <translation>%L1 MiB, %2, %3 auf der Platte</translation>
    </message>
    <message>
        <source>Saved</source>
        <translation>Gespeichert</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>Trial in a copy, running</source>
        <translation>Versuch in einer Kopie, läuft</translation>
    </message>
    <message>
        <source>Trial in a copy, paused</source>
        <translation>Versuch in einer Kopie, angehalten</translation>
    </message>
    <message>
        <source>Trial in a copy, starting or ending</source>
        <translation>Versuch in einer Kopie, startet oder endet</translation>
    </message>
    <message>
        <source>%L1 MiB, %2</source>
        <translation>%L1 MiB, %2</translation>
    </message>
</context>
<context>
    <name>ui::MachineProcessWords</name>
    <message>
        <source>“%1” has ended because Paddock crashed</source>
        <translation>„%1“ endete, weil Paddock abgestürzt ist</translation>
    </message>
    <message>
        <source>What was on its disks is kept; start it again</source>
        <translation>Was auf ihren Platten war, bleibt; starten Sie sie noch einmal</translation>
    </message>
    <message>
        <source>“%1” has ended with an error</source>
        <translation>„%1“ endete mit einem Fehler</translation>
    </message>
    <message>
        <source>it did not say why</source>
        <translation>sie sagte nicht, warum</translation>
    </message>
    <message>
        <source>“%1” cannot be started</source>
        <translation>„%1“ lässt sich nicht starten</translation>
    </message>
</context>
<context>
    <name>ui::MachineWindow</name>
    <message>
        <source>Screen of %1</source>
        <translation>Bildschirm von %1</translation>
    </message>
    <message>
        <source>%1 The machine is paused; nothing is lost.</source>
        <translation>%1 Die Maschine ist angehalten; nichts ist verloren.</translation>
    </message>
    <message>
        <source>&amp;Try again</source>
        <translation>&amp;Noch einmal versuchen</translation>
    </message>
    <message>
        <source>&amp;Machine</source>
        <translation>&amp;Maschine</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>&amp;Anhalten</translation>
    </message>
    <message>
        <source>&amp;Reset</source>
        <translation>&amp;Zurücksetzen</translation>
    </message>
    <message>
        <source>Press power &amp;button</source>
        <translation>&amp;Ein-/Ausschalter drücken</translation>
    </message>
    <message>
        <source>The guest has been asked to shut down. Whether and when is up to it.</source>
        <translation>Der Gast wurde gebeten, herunterzufahren. Ob und wann, entscheidet er.</translation>
    </message>
    <message>
        <source>Power &amp;off (force)…</source>
        <translation>Aus&amp;schalten (erzwingen) …</translation>
    </message>
    <message>
        <source>Take &amp;screenshot</source>
        <translation>B&amp;ildschirmfoto aufnehmen</translation>
    </message>
    <message>
        <source>&amp;Close</source>
        <translation>S&amp;chließen</translation>
    </message>
    <message>
        <source>&amp;Discs</source>
        <translation>&amp;Datenträger</translation>
    </message>
    <message>
        <source>&amp;Insert CD or DVD image…</source>
        <translation>CD- oder DVD-Abbild &amp;einlegen …</translation>
    </message>
    <message>
        <source>&amp;Eject CD or DVD</source>
        <translation>CD oder DVD &amp;auswerfen</translation>
    </message>
    <message>
        <source>Insert &amp;floppy image…</source>
        <translation>&amp;Diskettenabbild einlegen …</translation>
    </message>
    <message>
        <source>Eject f&amp;loppy</source>
        <translation>Diskette aus&amp;werfen</translation>
    </message>
    <message>
        <source>&amp;Keys</source>
        <translation>&amp;Tasten</translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+&amp;Del</source>
        <translation>Strg+Alt+E&amp;ntf senden</translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+&amp;Backspace</source>
        <translation>Strg+Alt+&amp;Rücktaste senden</translation>
    </message>
    <message>
        <source>Send &amp;Print Screen</source>
        <translation>&amp;Druck senden</translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+F&amp;%1</source>
        <translation>Strg+Alt+F&amp;%1 senden</translation>
    </message>
    <message>
        <source>&amp;Type the clipboard&apos;s text</source>
        <translation>Text der &amp;Zwischenablage tippen</translation>
    </message>
    <message>
        <source>&amp;Capture the pointer</source>
        <translation>&amp;Mauszeiger fangen</translation>
    </message>
    <message>
        <source>&amp;Free it with</source>
        <translation>Frei&amp;geben mit</translation>
    </message>
    <message>
        <source>&amp;Ctrl+Alt</source>
        <translation>&amp;Strg+Alt</translation>
    </message>
    <message>
        <source>&amp;Right Ctrl</source>
        <translation>&amp;Rechte Strg-Taste</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>&amp;Full screen</source>
        <translation>&amp;Vollbild</translation>
    </message>
    <message>
        <source>Fit the &amp;window</source>
        <translation>An das &amp;Fenster anpassen</translation>
    </message>
    <message>
        <source>W&amp;hole multiples only</source>
        <translation>Nur &amp;ganze Vielfache</translation>
    </message>
    <message>
        <source>&amp;One to one</source>
        <translation>&amp;Eins zu eins</translation>
    </message>
    <message>
        <source>S&amp;harp edges</source>
        <translation>S&amp;charfe Kanten</translation>
    </message>
    <message>
        <source>&amp;Smooth</source>
        <translation>&amp;Weich</translation>
    </message>
    <message>
        <source>&amp;Nearest pixel</source>
        <translation>&amp;Nächster Bildpunkt</translation>
    </message>
    <message>
        <source>Keyboard lamps</source>
        <translation>Lampen der Tastatur</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Platte</translation>
    </message>
    <message>
        <source>Hard disk</source>
        <translation>Festplatte</translation>
    </message>
    <message>
        <source>CD</source>
        <translation>CD</translation>
    </message>
    <message>
        <source>CD or DVD drive</source>
        <translation>CD- oder DVD-Laufwerk</translation>
    </message>
    <message>
        <source>Floppy</source>
        <translation>Diskette</translation>
    </message>
    <message>
        <source>Floppy drive</source>
        <translation>Diskettenlaufwerk</translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation>&amp;Fortsetzen</translation>
    </message>
    <message>
        <source> (off)</source>
        <translation> (aus)</translation>
    </message>
    <message>
        <source> (paused)</source>
        <translation> (angehalten)</translation>
    </message>
    <message>
        <source>%1%2 – Paddock</source>
        <translation>%1%2 – Paddock</translation>
    </message>
    <message>
        <source>KVM</source>
        <translation>KVM</translation>
    </message>
    <message>
        <source>Interpreter</source>
        <translation>Interpreter</translation>
    </message>
    <message>
        <source>Translator</source>
        <translation>Übersetzer</translation>
    </message>
    <message>
        <source>Runs with: %1</source>
        <translation>Läuft mit: %1</translation>
    </message>
    <message>
        <source>CD or DVD drive, empty</source>
        <translation>CD- oder DVD-Laufwerk, leer</translation>
    </message>
    <message>
        <source>The machine has stopped because of an error: %1. What is on its disks is kept; what was only in its memory is lost. Close this window and start the machine again.</source>
        <translation>Die Maschine hat wegen eines Fehlers angehalten: %1. Was auf ihren Platten ist, bleibt; was nur im Arbeitsspeicher war, ist verloren. Schließen Sie dieses Fenster, und starten Sie die Maschine neu.</translation>
    </message>
    <message>
        <source>the cause is unknown</source>
        <translation>die Ursache ist unbekannt</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Click the screen to capture the pointer</source>
        <translation>Auf den Bildschirm klicken, um den Mauszeiger zu fangen</translation>
    </message>
    <message>
        <source>Scroll</source>
        <translation>Rollen</translation>
    </message>
    <message>
        <source>Num</source>
        <translation>Num</translation>
    </message>
    <message>
        <source>Caps</source>
        <translation>Groß</translation>
    </message>
    <message>
        <source>This machine runs with: %1. %2</source>
        <translation>Diese Maschine läuft mit: %1. %2</translation>
    </message>
    <message>
        <source>There is no picture to take</source>
        <translation>Es gibt kein Bild aufzunehmen</translation>
    </message>
    <message>
        <source>the machine has not shown anything yet</source>
        <translation>die Maschine hat noch nichts angezeigt</translation>
    </message>
    <message>
        <source>Screenshot saved as %1</source>
        <translation>Bildschirmfoto gespeichert als %1</translation>
    </message>
    <message>
        <source>Show folder</source>
        <translation>Ordner zeigen</translation>
    </message>
    <message>
        <source>Insert a CD or DVD image</source>
        <translation>CD- oder DVD-Abbild einlegen</translation>
    </message>
    <message>
        <source>CD images (*.iso)</source>
        <translation>CD-Abbilder (*.iso)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Insert a floppy image</source>
        <translation>Diskettenabbild einlegen</translation>
    </message>
    <message>
        <source>Floppy images (*.img *.ima *.flp *.vfd)</source>
        <translation>Diskettenabbilder (*.img *.ima *.flp *.vfd)</translation>
    </message>
    <message>
        <source>Power off</source>
        <translation>Ausschalten</translation>
    </message>
    <message>
        <source>Power off “%1”?</source>
        <translation>„%1“ ausschalten?</translation>
    </message>
    <message>
        <source>It is running. Everything in its memory is lost: open programs, unsaved documents, and what the guest has not yet written to its disk. The disk itself is kept.</source>
        <translation>Sie läuft. Alles in ihrem Arbeitsspeicher geht verloren: offene Programme, nicht gespeicherte Dokumente, und was der Gast noch nicht auf seine Platte geschrieben hat. Die Platte selbst bleibt erhalten.</translation>
    </message>
    <message>
        <source>&amp;Power off</source>
        <translation>&amp;Ausschalten</translation>
    </message>
    <message>
        <source>&amp;Ask the guest to shut down</source>
        <translation>&amp;Gast um Herunterfahren bitten</translation>
    </message>
    <message>
        <source>Ctrl+Alt+F leaves full screen. Move the pointer to the upper edge to see this again.</source>
        <translation>Strg+Alt+F verlässt das Vollbild. Bewegen Sie den Mauszeiger an den oberen Rand, um dies wieder zu sehen.</translation>
    </message>
    <message>
        <source>&amp;Leave full screen</source>
        <translation>Vollbild &amp;verlassen</translation>
    </message>
    <message>
        <source>Save and &amp;close</source>
        <translation>Speichern und s&amp;chließen</translation>
    </message>
    <message>
        <source>Snapshot being written</source>
        <translation>Momentaufnahme wird geschrieben</translation>
    </message>
    <message>
        <source>&amp;Snapshots</source>
        <translation>Momenta&amp;ufnahmen</translation>
    </message>
    <message>
        <source>&amp;Take snapshot</source>
        <translation>Momentaufnahme &amp;machen</translation>
    </message>
    <message>
        <source>Snapshots</source>
        <translation>Momentaufnahmen</translation>
    </message>
    <message>
        <source>Shows the machine&apos;s snapshots at the side (%1)</source>
        <translation>Zeigt die Momentaufnahmen der Maschine an der Seite (%1)</translation>
    </message>
    <message>
        <source>&amp;Film strip</source>
        <translation>&amp;Filmstreifen</translation>
    </message>
    <message>
        <source>&amp;Automatic points</source>
        <translation>&amp;Automatische Punkte</translation>
    </message>
    <message>
        <source>&amp;Off</source>
        <translation>A&amp;us</translation>
    </message>
    <message>
        <source>Every &amp;minute</source>
        <translation>Jede &amp;Minute</translation>
    </message>
    <message>
        <source>Every &amp;5 minutes</source>
        <translation>Alle &amp;5 Minuten</translation>
    </message>
    <message>
        <source>Every &amp;15 minutes</source>
        <translation>Alle &amp;15 Minuten</translation>
    </message>
    <message>
        <source>Every &amp;hour</source>
        <translation>Jede &amp;Stunde</translation>
    </message>
    <message>
        <source>&amp;Room for them</source>
        <translation>&amp;Platz dafür</translation>
    </message>
    <message>
        <source>&amp;1 GiB</source>
        <translation>&amp;1 GiB</translation>
    </message>
    <message>
        <source>&amp;4 GiB</source>
        <translation>&amp;4 GiB</translation>
    </message>
    <message>
        <source>1&amp;6 GiB</source>
        <translation>1&amp;6 GiB</translation>
    </message>
    <message>
        <source>64 &amp;GiB</source>
        <translation>64 &amp;GiB</translation>
    </message>
    <message>
        <source>Snapshot taken. The machine stood still for %L1 ms.</source>
        <translation>Momentaufnahme gemacht. Die Maschine stand %L1 ms lang still.</translation>
    </message>
    <message>
        <source>&amp;Name it</source>
        <translation>&amp;Benennen</translation>
    </message>
    <message>
        <source>The machine is being saved; then this window closes.</source>
        <translation>Die Maschine wird gespeichert; dann schließt sich dieses Fenster.</translation>
    </message>
    <message>
        <source>&amp;End the trial…</source>
        <translation>Versuch &amp;beenden …</translation>
    </message>
    <message>
        <source>End the trial</source>
        <translation>Versuch beenden</translation>
    </message>
    <message>
        <source>Keep what has become of this trial?</source>
        <translation>Behalten, was aus diesem Versuch geworden ist?</translation>
    </message>
    <message>
        <source>It has switched itself off. Kept, its disks become a snapshot of the machine that can be started from. Thrown away, nothing remains of it.</source>
        <translation>Er hat sich selbst ausgeschaltet. Behalten, werden seine Platten zu einer Momentaufnahme der Maschine, ab der sie gestartet werden kann. Verworfen, bleibt nichts von ihm.</translation>
    </message>
    <message>
        <source>Kept, it becomes a snapshot of the machine that can be gone back to. Thrown away, nothing remains of it. The machine itself is not touched either way.</source>
        <translation>Behalten, wird er zu einer Momentaufnahme der Maschine, zu der man zurückkehren kann. Verworfen, bleibt nichts von ihm. Die Maschine selbst bleibt so oder so unberührt.</translation>
    </message>
    <message>
        <source>&amp;Keep as a snapshot</source>
        <translation>Als Momentaufnahme &amp;behalten</translation>
    </message>
    <message>
        <source>&amp;Throw away</source>
        <translation>&amp;Verwerfen</translation>
    </message>
    <message>
        <source>Go &amp;on trying</source>
        <translation>&amp;Weiter probieren</translation>
    </message>
    <message>
        <source>This is a trial in a copy: the machine itself stays as it is. At the end you choose what becomes of it.</source>
        <translation>Dies ist ein Versuch in einer Kopie: Die Maschine selbst bleibt, wie sie ist. Am Ende entscheiden Sie, was aus ihm wird.</translation>
    </message>
    <message>
        <source>Try in a &amp;copy</source>
        <translation>In einer &amp;Kopie ausprobieren</translation>
    </message>
    <message>
        <source>Where a trial began</source>
        <translation>Hier begann ein Versuch</translation>
    </message>
</context>
<context>
    <name>ui::MessageBar</name>
    <message>
        <source>Dismiss the message</source>
        <translation>Meldung schließen</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>Problem</translation>
    </message>
    <message>
        <source>Information</source>
        <translation>Hinweis</translation>
    </message>
</context>
<context>
    <name>ui::NewMachineSheet</name>
    <message>
        <source>New machine</source>
        <translation>Neue Maschine</translation>
    </message>
    <message>
        <source>C&amp;hoose…</source>
        <translation>&amp;Wählen …</translation>
    </message>
    <message>
        <source>Choose an image</source>
        <translation>Abbild wählen</translation>
    </message>
    <message>
        <source> MiB</source>
        <translation> MiB</translation>
    </message>
    <message>
        <source> GiB</source>
        <translation> GiB</translation>
    </message>
    <message>
        <source>No disk</source>
        <translation>Keine Platte</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>KVM</source>
        <translation>KVM</translation>
    </message>
    <message>
        <source>Built-in translator</source>
        <translation>Eingebauter Übersetzer</translation>
    </message>
    <message>
        <source>&amp;Image:</source>
        <translation>A&amp;bbild:</translation>
    </message>
    <message>
        <source>&amp;Name:</source>
        <translation>&amp;Name:</translation>
    </message>
    <message>
        <source>&amp;Memory:</source>
        <translation>&amp;Speicher:</translation>
    </message>
    <message>
        <source>&amp;Processors:</source>
        <translation>&amp;Prozessoren:</translation>
    </message>
    <message>
        <source>New &amp;disk:</source>
        <translation>Neue P&amp;latte:</translation>
    </message>
    <message>
        <source>&amp;Runs with:</source>
        <translation>Läuft &amp;mit:</translation>
    </message>
    <message>
        <source>&amp;Create and start</source>
        <translation>&amp;Anlegen und starten</translation>
    </message>
    <message>
        <source>KVM cannot be used</source>
        <translation>KVM lässt sich nicht benutzen</translation>
    </message>
    <message>
        <source>Choose Automatic</source>
        <translation>Wählen Sie „Automatisch“</translation>
    </message>
    <message>
        <source>Without an image the machine has nothing to start from.</source>
        <translation>Ohne Abbild hat die Maschine nichts, wovon sie starten kann.</translation>
    </message>
    <message>
        <source>%1. The machine writes to this very file.</source>
        <translation>%1. Die Maschine schreibt in genau diese Datei.</translation>
    </message>
    <message>
        <source>This computer can give up to %L1 MiB.</source>
        <translation>Dieser Rechner kann bis zu %L1 MiB geben.</translation>
    </message>
    <message numerus="yes">
        <source>This computer has %n.</source>
        <translation>
            <numerusform>Dieser Rechner hat %n.</numerusform>
            <numerusform>Dieser Rechner hat %n.</numerusform>
        </translation>
    </message>
    <message>
        <source>Only %1 are free now; the machine stops when the disk grows beyond that.</source>
        <translation>Zurzeit sind nur %1 frei; die Maschine hält an, wenn die Platte darüber hinaus wächst.</translation>
    </message>
    <message>
        <source>Takes space only as it fills; %1 are free.</source>
        <translation>Belegt nur so viel Platz, wie sie gefüllt ist; %1 sind frei.</translation>
    </message>
    <message>
        <source>Looking whether KVM works here…</source>
        <translation>Es wird geprüft, ob KVM hier funktioniert …</translation>
    </message>
    <message>
        <source>The built-in translator, because KVM can't be used here. %1</source>
        <translation>Mit dem eingebauten Übersetzer, weil KVM hier nicht zu gebrauchen ist. %1</translation>
    </message>
    <message>
        <source>A CD image (ISO), disk image or exported machine (OVA); drop it here</source>
        <translation>Ein CD-Abbild (ISO), Plattenabbild oder eine exportierte Maschine (OVA); hier ablegen</translation>
    </message>
    <message>
        <source>Disks being imported</source>
        <translation>Platten werden übernommen</translation>
    </message>
    <message>
        <source>CD and disk images, exported machines (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;All files (*)</source>
        <translation>CD- und Plattenabbilder, exportierte Maschinen (*.iso *.img *.raw *.qcow2 *.flp *.ima *.ova *.ovf);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>%1, without a disk.</source>
        <translation>%1, ohne Platte.</translation>
    </message>
    <message>
        <source>%1, with one disk, which is copied.</source>
        <translation>%1, mit einer Platte, die kopiert wird.</translation>
    </message>
    <message>
        <source>%1, with %2 disks, which are copied.</source>
        <translation>%1, mit %2 Platten, die kopiert werden.</translation>
    </message>
    <message>
        <source>Not taken over: %1.</source>
        <translation>Nicht übernommen: %1.</translation>
    </message>
    <message>
        <source>BIOS</source>
        <translation>BIOS</translation>
    </message>
    <message>
        <source>UEFI</source>
        <translation>UEFI</translation>
    </message>
    <message>
        <source>&amp;Firmware:</source>
        <translation>&amp;Firmware:</translation>
    </message>
    <message>
        <source>There is no UEFI firmware on this computer</source>
        <translation>Auf diesem Rechner gibt es keine UEFI-Firmware</translation>
    </message>
    <message>
        <source>the package ovmf is not installed</source>
        <translation>das Paket ovmf ist nicht installiert</translation>
    </message>
    <message>
        <source>Install it, or choose BIOS</source>
        <translation>Installieren Sie es, oder wählen Sie BIOS</translation>
    </message>
    <message>
        <source>This disc starts machines with UEFI firmware only.</source>
        <translation>Diese CD startet nur Maschinen mit UEFI-Firmware.</translation>
    </message>
</context>
<context>
    <name>ui::SnapshotDelegate</name>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Name of “%1”</source>
        <translation>Name von „%1“</translation>
    </message>
</context>
<context>
    <name>ui::SnapshotList</name>
    <message>
        <source>Can&apos;t be used</source>
        <translation>Nicht zu gebrauchen</translation>
    </message>
    <message>
        <source>Saved at closing</source>
        <translation>Beim Schließen gespeichert</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>You are here</source>
        <translation>Sie sind hier</translation>
    </message>
    <message>
        <source>New snapshot</source>
        <translation>Neue Momentaufnahme</translation>
    </message>
    <message>
        <source>New snapshot, being written</source>
        <translation>Neue Momentaufnahme, wird geschrieben</translation>
    </message>
    <message>
        <source>You are here, after “%1”</source>
        <translation>Sie sind hier, nach „%1“</translation>
    </message>
    <message>
        <source>Being written, %1 %</source>
        <translation>Wird geschrieben, %1 %</translation>
    </message>
    <message>
        <source>Snapshot “%1”</source>
        <translation>Momentaufnahme „%1“</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>automatisch</translation>
    </message>
    <message>
        <source>after “%1”</source>
        <translation>nach „%1“</translation>
    </message>
    <message>
        <source>you are right behind it</source>
        <translation>Sie sind gleich dahinter</translation>
    </message>
    <message>
        <source>can&apos;t be used</source>
        <translation>nicht zu gebrauchen</translation>
    </message>
    <message>
        <source>Took %1 when it was made; deleting it frees %2.</source>
        <translation>Brauchte %1, als sie gemacht wurde; sie zu löschen gibt %2 frei.</translation>
    </message>
    <message>
        <source>Taken while the machine was off.</source>
        <translation>Gemacht, während die Maschine aus war.</translation>
    </message>
</context>
<context>
    <name>ui::SnapshotSidebar</name>
    <message>
        <source>&amp;Go back to this</source>
        <translation>Hierher &amp;zurückkehren</translation>
    </message>
    <message>
        <source>&amp;Rename</source>
        <translation>&amp;Umbenennen</translation>
    </message>
    <message>
        <source>&amp;Note…</source>
        <translation>&amp;Notiz …</translation>
    </message>
    <message>
        <source>&amp;Delete</source>
        <translation>&amp;Löschen</translation>
    </message>
    <message>
        <source>&amp;Undo deletion</source>
        <translation>Löschen &amp;rückgängig</translation>
    </message>
    <message>
        <source>A snapshot keeps the whole machine as it is at this moment, so that you can come back to it. It is taken in a blink, and the machine goes on.</source>
        <translation>Eine Momentaufnahme hält die ganze Maschine so fest, wie sie in diesem Augenblick ist, damit Sie dorthin zurückkehren können. Sie ist im Nu gemacht, und die Maschine läuft weiter.</translation>
    </message>
    <message>
        <source>What all snapshots take up, without the machine&apos;s disks</source>
        <translation>Was alle Momentaufnahmen belegen, ohne die Platten der Maschine</translation>
    </message>
    <message>
        <source>&amp;Undo deletion of “%1”</source>
        <translation>Löschen von „%1“ &amp;rückgängig</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Notiz</translation>
    </message>
    <message>
        <source>Note on “%1”:</source>
        <translation>Notiz zu „%1“:</translation>
    </message>
    <message>
        <source>“%1” is deleted. Until this window is closed it can be brought back.</source>
        <translation>„%1“ ist gelöscht. Bis dieses Fenster geschlossen wird, lässt es sich zurückholen.</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation>&amp;Rückgängig</translation>
    </message>
    <message>
        <source>Kept before going back to “%1”</source>
        <translation>Aufgehoben vor der Rückkehr zu „%1“</translation>
    </message>
    <message>
        <source>The machine is back at “%1”.</source>
        <translation>Die Maschine ist wieder bei „%1“.</translation>
    </message>
    <message>
        <source>The machine is back at “%1”. What it was before is kept as a snapshot.</source>
        <translation>Die Maschine ist wieder bei „%1“. Wie sie vorher war, ist als Momentaufnahme aufgehoben.</translation>
    </message>
    <message>
        <source>The machine did not go back, because what it is now could not be kept: %1</source>
        <translation>Die Maschine ist nicht zurückgekehrt, denn ihr jetziger Zustand ließ sich nicht aufheben: %1</translation>
    </message>
    <message>
        <source>Go back &amp;all the same</source>
        <translation>&amp;Trotzdem zurückkehren</translation>
    </message>
    <message>
        <source>&amp;Try in a copy</source>
        <translation>In einer Kopie &amp;ausprobieren</translation>
    </message>
    <message>
        <source>Make a machine &amp;of it…</source>
        <translation>&amp;Maschine daraus machen …</translation>
    </message>
    <message>
        <source>&amp;Start from this</source>
        <translation>Ab hier &amp;starten</translation>
    </message>
</context>
<context>
    <name>ui::SnapshotView</name>
    <message>
        <source>Snapshots</source>
        <translation>Momentaufnahmen</translation>
    </message>
</context>
<context>
    <name>ui::SnapshotWords</name>
    <message>
        <source>Today, %1</source>
        <translation>Heute, %1</translation>
    </message>
    <message>
        <source>Yesterday, %1</source>
        <translation>Gestern, %1</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
</context>
</TS>
