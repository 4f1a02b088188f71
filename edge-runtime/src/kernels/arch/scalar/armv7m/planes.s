@ One row of outputs of a 3x3 depthwise convolution, channel after channel, four outputs at a time. Armv7-M without DSP
@ (Cortex-M3).
@
@ A row's three weights come with one load, and most elements serve three outputs. Elements are loaded in pairs, whose
@ second takes one cycle; the last of a row moves its address.
@
@ r0  address of the arguments, in the order of the constants below

    .equ P_FILTERS, 0       @ for each channel what sums start with, its multiplier and nine weights, a word each
    .equ P_START, 4         @ of this channel: filled in below
    .equ P_MULTIPLIER, 8
    .equ P_ADDEND, 12       @ of the requantisation
    .equ P_DROP, 16
    .equ P_PITCH, 20        @ from one output to the next, in bytes
    .equ P_ROWS, 24         @ three rows of input, elements 128 too large
    .equ P_OUT, 36          @ the next output
    .equ P_END, 40          @ where the first row's elements of this channel end
    .equ P_PLANES, 44       @ channels to go, 1 or more
    .equ P_PLANE_BYTES, 48  @ from one channel to the next in a row of input
    .equ P_FRAME, 52

    .syntax unified
    .cpu cortex-m3

    .macro product x, column, output, stride, sum
    .if (\column - \stride * \output) == 0
    mla     \sum, \x, r8, \sum
    .elseif (\column - \stride * \output) == 1
    mla     \sum, \x, r9, \sum
    .elseif (\column - \stride * \output) == 2
    mla     \sum, \x, r10, \sum
    .endif
    .endm

    .macro element x, column, stride
    product \x, \column, 0, \stride, r4
    product \x, \column, 1, \stride, r5
    product \x, \column, 2, \stride, r6
    product \x, \column, 3, \stride, r7
    .endm

    .macro two_elements address, column, stride
    ldrb    r11, [\address, #\column]
    ldrb    r12, [\address, #\column + 1]
    element r11, \column, \stride
    element r12, (\column + 1), \stride
    .endm

    .macro row_by_one address
    ldm     r3!, {r8-r10}
    two_elements \address, 1, 1
    two_elements \address, 3, 1
    ldrb    r12, [\address, #5]
    ldrb    r11, [\address], #4
    element r12, 5, 1
    element r11, 0, 1
    .endm

    .macro row_by_two address
    ldm     r3!, {r8-r10}
    two_elements \address, 1, 2
    two_elements \address, 3, 2
    two_elements \address, 5, 2
    two_elements \address, 7, 2
    ldrb    r11, [\address], #8
    element r11, 0, 2
    .endm

    .macro planes name, row
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    sub     sp, #P_FRAME
    mov     r12, sp
    ldm     r0!, {r1-r8}
    stm     r12!, {r1-r8}
    ldm     r0, {r1-r5}
    stm     r12, {r1-r5}

1:  ldr     r3, [sp, #P_FILTERS]
    ldm     r3!, {r4, r5}
    str     r3, [sp, #P_FILTERS]
    strd    r4, r5, [sp, #P_START]
    add     r12, sp, #P_ROWS
    ldm     r12, {r0-r2, lr}

2:  ldrd    r3, r4, [sp, #P_FILTERS]
    mov     r5, r4
    mov     r6, r4
    mov     r7, r4
    \row    r0
    \row    r1
    \row    r2
    add     r8, sp, #P_MULTIPLIER
    ldm     r8, {r8-r11}
    .irp sum, r4, r5, r6, r7
    smull   r12, \sum, \sum, r8
    add     \sum, r9
    asr     \sum, r10
    ssat    \sum, #8, \sum
    .endr
    strb    r4, [lr]
    strb    r5, [lr, r11]
    add     lr, lr, r11, lsl #1
    strb    r6, [lr]
    strb    r7, [lr, r11]
    add     lr, lr, r11, lsl #1
    ldr     r12, [sp, #P_END]
    cmp     r0, r12
    bne     2b

    @ The next channel: its filter comes after these weights, one byte on in the output, a plane on in the rows.
    str     r3, [sp, #P_FILTERS]
    add     r12, sp, #P_ROWS
    ldm     r12, {r0-r6}
    add     r0, r6
    add     r1, r6
    add     r2, r6
    adds    r3, #1
    add     r4, r6
    subs    r5, #1
    stm     r12, {r0-r5}
    bne     1b
    add     sp, #P_FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
    .endm

    planes  fude_scalar_planes_by_one, row_by_one
    planes  fude_scalar_planes_by_two, row_by_two

@ Copies pixels of four channels into a row for each channel, as elements that are 128 too large.
@
@ r0  pixels, r1  the first channel's row, r2  pixels to copy, 1 or more
@ r3  bytes from one pixel to the next, on the stack: bytes from one channel's row to the next
@
@ Pixels may lie at any address, which this core allows.
    .section .text.fude_scalar_copy_planes, "ax", %progbits
    .balign 4
    .global fude_scalar_copy_planes
    .type fude_scalar_copy_planes, %function
    .thumb_func
fude_scalar_copy_planes:
    push    {r4-r6, lr}
    ldr     r4, [sp, #16]
    add     r5, r4, r4, lsl #1
1:  ldr     r12, [r0]
    add     r0, r3
    eor     r12, r12, #0x80808080
    strb    r12, [r1]
    lsr     r6, r12, #8
    strb    r6, [r1, r4]
    lsr     r6, r12, #16
    strb    r6, [r1, r4, lsl #1]
    lsr     r6, r12, #24
    strb    r6, [r1, r5]
    adds    r1, #1
    subs    r2, #1
    bne     1b
    pop     {r4-r6, pc}
    .size fude_scalar_copy_planes, . - fude_scalar_copy_planes
