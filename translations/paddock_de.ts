<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>app::ControlLink</name>
    <message>
        <source>“%1” is not running</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Start it with `paddock start`</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” has not answered</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Look at its window, or try again</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it has ended</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the time is up</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::ControlPathsWords</name>
    <message>
        <source>The folder for control sockets cannot be made</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Allow writing in %1, or unset XDG_RUNTIME_DIR</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The folder for control sockets cannot be trusted</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1 is not a folder that belongs to you alone</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Remove it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be reserved</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Allow writing to %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” is running already</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>another process of Paddock runs it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Use its window, or stop it with `paddock stop`</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::ControlServer</name>
    <message>
        <source>“%1” cannot be reached from outside</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Allow making a socket at %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The message is longer than 1 MiB.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This is not JSON: %1.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The batch is empty.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This is not a JSON-RPC 2.0 request.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Parameters go by name, in an object.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The parameter “%1” is missing or of the wrong type.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no method “%1”.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The picture&apos;s path must begin with a slash.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no picture to take</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the machine has not shown anything yet</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Try again in a moment</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The image&apos;s path must begin with a slash.</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::KeyNamesWords</name>
    <message>
        <source>There is no key to press</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the combination is empty</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Write for example ctrl-alt-delete</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no key “%1”</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Names are as in ctrl-alt-delete, ret, esc, f2, up, kp_5, a</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be typed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a US keyboard has no key for it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Leave it out</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” has no end</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a key&apos;s name stands between &lt; and &gt;</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Write &lt;lt&gt; for the character itself</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::MachineLibrary</name>
    <message>
        <source>its field “%1” does not hold what belongs there</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The definition of “%1” cannot be read</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Repair or remove %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it holds no object</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a newer version of Paddock has written it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A machine cannot be called “%1”</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose another name</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine has no name</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Give it one</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a name has at most %1 characters</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Shorten it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a name cannot hold a slash, because the machine&apos;s folder bears it</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a name cannot begin with a dot or a dash</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>a name cannot begin or end with a space</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it is too long for a file system</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it holds characters that cannot be shown</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine has no memory</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>0 MiB was asked for</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Give it at least 1 MiB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine cannot have %1 MiB of memory</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>this computer can give a machine at most %1 MiB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose less</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine cannot have %1 processors</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it can have 1 to 32</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose a number in between</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The disk cannot have %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the smallest disk has %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose more, or 0 for no disk</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the largest disk has %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is a machine “%1” already</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The disk image cannot be made</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose a smaller disk, or make room on the file system of %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine&apos;s definition cannot be written</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Make room on the file system of %1, or allow writing there</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be created</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the folder %1 cannot be made</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no machine “%1”</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>`paddock list` names those there are</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it is far too large</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Create it first</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be renamed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Allow writing in %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be deleted</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be brought back</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Look into %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Machine</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::MachineSession</name>
    <message>
        <source>The text is too long to type</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>at most %1 key strokes can wait</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Type it in parts</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>app::MediumWords</name>
    <message>
        <source>The image is cut short: it should have %1 MiB and has %2 MiB. Download it again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Nothing on this disc starts a machine: it has no boot record.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This disc starts machines with UEFI firmware only; Paddock&apos;s have a BIOS.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1 cannot be used</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it is not a file</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>there is no such file</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose a CD or disk image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Allow reading it, or choose another image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This disk has no boot record, so a machine cannot start from it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Memory test</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Debian installer</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>display::GuestView</name>
    <message>
        <source>Press the right Ctrl key to free the pointer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Press Ctrl+Alt to free the pointer</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>display::ScreenshotWords</name>
    <message>
        <source>There is no picture to take</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the screen is off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The picture %1 cannot be written</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose a folder that you may write to and that has room</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::ActivityLamp</name>
    <message>
        <source>%1: writing</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1: reading</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::EmptyPage</name>
    <message>
        <source>A disc</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Drop a CD image here</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;New machine</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Open image…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Try the demo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Looking whether KVM works here…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Paddock reads what is on it, suggests a machine, and starts it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Hardware acceleration: on. %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Hardware acceleration: off; machines run on the built-in engine. %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The demo starts “%1” at once; nothing is downloaded.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>For the demo install the package %1: sudo apt install %1</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::LibraryWindow</name>
    <message>
        <source>Paddock</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Machines</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;New machine</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Open image…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Start the &amp;demo</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Start</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>S&amp;hut down</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power o&amp;ff…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Rename…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>De&amp;lete</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Paddock</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Machine</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Open an image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD and disk images (*.iso *.img *.raw *.flp *.ima);;All files (*)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The demo cannot start</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the package %1 is not installed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Install it with: sudo apt install %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” has been asked to shut down. Whether and when is up to the guest.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power off “%1”?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Everything in its memory is lost, and what the guest has not yet written to its disk.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Power off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Rename</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>New name of “%1”:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be deleted</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it is running</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power it off first</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” is in the trash and will be kept there for a week.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::MachineList</name>
    <message>
        <source>Running</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Paused</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Starting or stopping</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation type="unfinished"></translation>
    </message>
    <message numerus="yes">
        <source>%L1 MiB, %n processor(s), %2 on disk</source>
        <translation type="unfinished">
            <numerusform></numerusform>
            <numerusform></numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ui::MachineProcessWords</name>
    <message>
        <source>“%1” has ended because Paddock crashed</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>What was on its disks is kept; start it again</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” has ended with an error</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>it did not say why</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>“%1” cannot be started</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::MachineWindow</name>
    <message>
        <source>Screen of %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1 The machine is paused; nothing is lost.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Try again</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Machine</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Reset</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Press power &amp;button</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The guest has been asked to shut down. Whether and when is up to it.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power &amp;off (force)…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Take &amp;screenshot</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Close</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Discs</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Insert CD or DVD image…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Eject CD or DVD</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Insert &amp;floppy image…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Eject f&amp;loppy</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Keys</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+&amp;Del</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+&amp;Backspace</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Send &amp;Print Screen</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Send Ctrl+Alt+F&amp;%1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Type the clipboard&apos;s text</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Capture the pointer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Free it with</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Ctrl+Alt</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Right Ctrl</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Full screen</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Fit the &amp;window</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>W&amp;hole multiples only</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;One to one</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>S&amp;harp edges</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Smooth</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Nearest pixel</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Keyboard lamps</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Disk</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Hard disk</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD or DVD drive</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Floppy</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Floppy drive</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source> (off)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source> (paused)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1%2 – Paddock</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>KVM</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Interpreter</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Translator</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Runs with: %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD or DVD drive, empty</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>The machine has stopped because of an error: %1. What is on its disks is kept; what was only in its memory is lost. Close this window and start the machine again.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the cause is unknown</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Close</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Click the screen to capture the pointer</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Scroll</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Num</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Caps</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This machine runs with: %1. %2</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Ctrl+Alt+F leaves full screen.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>There is no picture to take</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>the machine has not shown anything yet</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Screenshot saved as %1</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Show folder</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Insert a CD or DVD image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD images (*.iso)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Insert a floppy image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Floppy images (*.img *.ima *.flp *.vfd)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Power off “%1”?</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>It is running. Everything in its memory is lost: open programs, unsaved documents, and what the guest has not yet written to its disk. The disk itself is kept.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Power off</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Ask the guest to shut down</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::MessageBar</name>
    <message>
        <source>Dismiss the message</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Problem</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Information</source>
        <translation type="unfinished"></translation>
    </message>
</context>
<context>
    <name>ui::NewMachineSheet</name>
    <message>
        <source>New machine</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>A CD image (ISO) or disk image; drop it here</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>C&amp;hoose…</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose an image</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source> MiB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source> GiB</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>No disk</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>KVM</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Built-in translator</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Image:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Name:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Memory:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Processors:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>New &amp;disk:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Runs with:</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>&amp;Create and start</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>CD and disk images (*.iso *.img *.raw *.flp *.ima);;All files (*)</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>KVM cannot be used</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Choose Automatic</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Without an image the machine has nothing to start from.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>%1. The machine writes to this very file.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>This computer can give up to %L1 MiB.</source>
        <translation type="unfinished"></translation>
    </message>
    <message numerus="yes">
        <source>This computer has %n.</source>
        <translation type="unfinished">
            <numerusform></numerusform>
            <numerusform></numerusform>
        </translation>
    </message>
    <message>
        <source>Only %1 are free now; the machine stops when the disk grows beyond that.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Takes space only as it fills; %1 are free.</source>
        <translation type="unfinished"></translation>
    </message>
    <message>
        <source>Looking whether KVM works here…</source>
        <translation type="unfinished"></translation>
    </message>
</context>
</TS>
