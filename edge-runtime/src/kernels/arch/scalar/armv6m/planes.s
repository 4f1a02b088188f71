@ One row of outputs of a 3x3 depthwise convolution, channel after channel, four outputs at a time. Armv6-M (Cortex-M0,
@ M0+).
@
@ Weights of a row and an element with its copy, which `muls` destroys, take the low registers: sums are in high ones, and
@ of the addresses of the rows one is low, one high and one on the stack.
@
@ r0  address of the arguments, in the order of the constants below

    .equ P_FILTERS, 0       @ for each channel what sums start with, its multiplier and nine weights, a word each
    .equ P_START, 4         @ of this channel: filled in below
    .equ P_UPPER, 8         @ upper half of the multiplier
    .equ P_ADDEND, 12       @ of the requantisation
    .equ P_DROP, 16
    .equ P_PITCH, 20        @ from one output to the next, in bytes
    .equ P_ROWS, 24         @ three rows of input, elements 128 too large
    .equ P_OUT, 36          @ the next output
    .equ P_END, 40          @ where the first row's elements of this channel end
    .equ P_PLANES, 44       @ channels to go, 1 or more
    .equ P_PLANE_BYTES, 48  @ from one channel to the next in a row of input
    .equ P_LOWER, 52        @ lower half of the multiplier
    .equ P_THIRD, 56        @ the address in the third row; that in the second is in r12
    .equ P_FRAME, 60

    .syntax unified
    .cpu cortex-m0

    .macro product weight, sum
    movs    r5, r1
    muls    r5, \weight
    add     \sum, r5
    .endm

    @ The last product of an element may destroy it.
    .macro last_product weight, sum
    muls    r1, \weight
    add     \sum, r1
    .endm

    .macro row_by_one address
    ldmia   r6!, {r2-r4}
    ldrb    r1, [\address]
    last_product r2, r8
    ldrb    r1, [\address, #1]
    product r3, r8
    last_product r2, r9
    ldrb    r1, [\address, #2]
    product r4, r8
    product r3, r9
    last_product r2, r10
    ldrb    r1, [\address, #3]
    product r4, r9
    product r3, r10
    last_product r2, r11
    ldrb    r1, [\address, #4]
    product r4, r10
    last_product r3, r11
    ldrb    r1, [\address, #5]
    last_product r4, r11
    adds    \address, #4
    .endm

    .macro row_by_two address
    ldmia   r6!, {r2-r4}
    ldrb    r1, [\address]
    last_product r2, r8
    ldrb    r1, [\address, #1]
    last_product r3, r8
    ldrb    r1, [\address, #2]
    product r4, r8
    last_product r2, r9
    ldrb    r1, [\address, #3]
    last_product r3, r9
    ldrb    r1, [\address, #4]
    product r4, r9
    last_product r2, r10
    ldrb    r1, [\address, #5]
    last_product r3, r10
    ldrb    r1, [\address, #6]
    product r4, r10
    last_product r2, r11
    ldrb    r1, [\address, #7]
    last_product r3, r11
    ldrb    r1, [\address, #8]
    last_product r4, r11
    adds    \address, #8
    .endm

    .macro planes name, row
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push    {r4-r7, lr}
    push_high
    sub     sp, #P_FRAME
    mov     r1, sp
    .rept   2
    ldmia   r0!, {r2-r6}
    stmia   r1!, {r2-r6}
    .endr
    ldmia   r0!, {r2-r4}
    stmia   r1!, {r2-r4}

1:  ldr     r6, [sp, #P_FILTERS]
    ldmia   r6!, {r0, r1}
    str     r6, [sp, #P_FILTERS]
    str     r0, [sp, #P_START]
    movs    r5, #0
    split_multiplier
    str     r1, [sp, #P_UPPER]
    str     r2, [sp, #P_LOWER]
    add     r0, sp, #P_ROWS
    ldmia   r0!, {r1-r4}
    mov     r7, r1
    mov     r12, r2
    str     r3, [sp, #P_THIRD]
    mov     lr, r4

2:  ldr     r0, [sp, #P_START]
    mov     r8, r0
    mov     r9, r0
    mov     r10, r0
    mov     r11, r0
    ldr     r6, [sp, #P_FILTERS]
    \row    r7
    mov     r0, r12
    \row    r0
    mov     r12, r0
    ldr     r0, [sp, #P_THIRD]
    \row    r0
    str     r0, [sp, #P_THIRD]
    ldr     r1, [sp, #P_UPPER]
    ldr     r3, [sp, #P_DROP]
    movs    r5, #0
    @ The addend takes the place of the first sum.
    mov     r0, r8
    ldr     r6, [sp, #P_ADDEND]
    mov     r8, r6
    .irp sum, r0, r9, r10, r11
    .ifnc \sum, r0
    mov     r0, \sum
    .endif
    ldr     r2, [sp, #P_LOWER]
    requantise r8
    mov     r6, lr
    strb    r0, [r6]
    ldr     r4, [sp, #P_PITCH]
    add     lr, r4
    .endr
    ldr     r0, [sp, #P_END]
    cmp     r7, r0
    beq     3f
    b       2b

3:  @ The next channel: its filter comes after nine weights, one byte on in the output, a plane on in the rows.
    ldr     r0, [sp, #P_FILTERS]
    adds    r0, #36
    str     r0, [sp, #P_FILTERS]
    add     r0, sp, #P_ROWS
    ldmia   r0!, {r1-r7}
    adds    r1, r7
    adds    r2, r7
    adds    r3, r7
    adds    r4, #1
    adds    r5, r7
    subs    r6, #1
    beq     4f
    subs    r0, #28
    stmia   r0!, {r1-r6}
    b       1b
4:  add     sp, #P_FRAME
    pop_high
    pop     {r4-r7, pc}
    .size \name, . - \name
    .endm

    planes  fude_scalar_planes_by_one, row_by_one
    planes  fude_scalar_planes_by_two, row_by_two

@ Copies pixels of four channels into a row for each channel, as elements that are 128 too large.
@
@ r0  pixels, r1  the first channel's row, r2  pixels to copy, 1 or more
@ r3  bytes from one pixel to the next, on the stack: bytes from one channel's row to the next
@
@ Byte by byte: this core loads words from multiples of four only.
    .section .text.fude_scalar_copy_planes, "ax", %progbits
    .balign 4
    .global fude_scalar_copy_planes
    .type fude_scalar_copy_planes, %function
    .thumb_func
fude_scalar_copy_planes:
    push    {r4-r7, lr}
    adds    r2, r1
    mov     r12, r2                 @ the end of the first row
    ldr     r4, [sp, #20]
    lsls    r5, r4, #1
    adds    r2, r5, r4
    movs    r7, #128
1:  ldrb    r6, [r0]
    eors    r6, r7
    strb    r6, [r1]
    ldrb    r6, [r0, #1]
    eors    r6, r7
    strb    r6, [r1, r4]
    ldrb    r6, [r0, #2]
    eors    r6, r7
    strb    r6, [r1, r5]
    ldrb    r6, [r0, #3]
    eors    r6, r7
    strb    r6, [r1, r2]
    adds    r0, r3
    adds    r1, #1
    cmp     r1, r12
    bne     1b
    pop     {r4-r7, pc}
    .size fude_scalar_copy_planes, . - fude_scalar_copy_planes
