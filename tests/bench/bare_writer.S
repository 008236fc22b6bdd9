// A guest without an operating system, for KVMs that run no more than that: its firmware is all of it. It writes to RATE MiB
// of pages each second, over and over the MIB that lie from 2 MiB on, and says M for every 8 MiB; to each byte that comes over
// the serial line it says =.
.set first, 0x200000
.set hpet_configuration, 0xfed00010
.set hpet_counter, 0xfed000f0
.set line_status, 0x3fd
.set serial, 0x3f8
.set nanoseconds, 10                    // a tick of Paddock's HPET
.set batch, 16                          // pages
.set pages_said, 2048

.code16
.global _start
_start:
        lgdtl   %cs:(table - _start)
        mov     $0x11, %eax
        mov     %eax, %cr0
        ljmpl   $8, $0xf0000 + (flat - _start)
table:  .word   23
        .long   0xf0000 + (entries - _start)
        .balign 8
entries: .quad  0, 0x00cf9b000000ffff, 0x00cf93000000ffff

.code32
flat:   mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        movl    $1, hpet_configuration
        mov     $first, %edi
        mov     $pages_said, %ebp
        mov     hpet_counter, %esi      // when the next batch is due
next:   mov     $line_status, %dx
        in      %dx, %al
        test    $1, %al
        jz      quiet
        mov     $serial, %dx
        in      %dx, %al
        mov     $'=', %al
        out     %al, %dx
quiet:
.if RATE
        mov     hpet_counter, %eax
        sub     %esi, %eax
        js      next
        add     $(batch * 1000000 / (RATE * 256) * 1000 / nanoseconds), %esi
        mov     $batch, %ecx
page:   mov     %edi, (%edi)
        incl    4(%edi)
        add     $4096, %edi
        cmp     $first + MIB * 0x100000, %edi
        jb      counted
        mov     $first, %edi
counted:
        dec     %ebp
        jnz     unsaid
        mov     $pages_said, %ebp
        mov     $serial, %dx
        mov     $'M', %al
        out     %al, %dx
unsaid: dec     %ecx
        jnz     page
.endif
        jmp     next
