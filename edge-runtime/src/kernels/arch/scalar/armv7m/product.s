@ Three windows times groups of four channels: the inner loop of every convolution. Armv7-M without DSP (Cortex-M3).
@
@ `mla` takes two cycles whatever its operands, so what counts is the number of multiplications. A sum of 64 products of
@ INT8 needs 21 bits: an accumulator has room for more than one, modulo 2^32, and two accumulators hold three sums.

    .syntax unified
    .cpu cortex-m3

@ Three windows as fude_scalar_product takes them.
@
@ r0  the first window, r1  bytes from one to the next, r2  taps, 1 to 64
@ r3  where to: {T1, T2}, which accumulators start with, then {X1, X2} for each tap; aligned to words
@
@ X1 = -(x0 + 2^21 x2) and X2 = -(x1 + 2^10 x2): the sums are negated, since their range, -2^20 to 2^20 - 2^13, is then
@ that of 21 signed bits.
    .section .text.fude_scalar_pack, "ax", %progbits
    .balign 4
    .global fude_scalar_pack
    .type fude_scalar_pack, %function
    .thumb_func
fude_scalar_pack:
    push    {r4-r9, lr}
    mov     r9, r3
    adds    r3, #8
    movs    r7, #0
    mov     r8, r7
1:  ldrsb   r6, [r0, r1]
    ldrsb   r5, [r0, r1, lsl #1]
    ldrsb   r4, [r0], #1
    rsb     r5, r5, #0
    rsb     r4, r4, r5, lsl #21
    rsb     r5, r6, r5, lsl #10
    strd    r4, r5, [r3], #8
    sub     r7, r7, r4, lsl #7
    sub     r8, r8, r5, lsl #7
    subs    r2, #1
    bne     1b
    @ Weights are stored 128 too large: accumulators start with -128 times the sum of their factors.
    strd    r7, r8, [r9]
    pop     {r4-r9, pc}
    .size fude_scalar_pack, . - fude_scalar_pack

@ The negated sums of three packed windows for groups of four channels.
@
@ r0  packed windows, r1  weights: four bytes a tap, 128 too large; r2  taps, 1 to 64
@ r3  {bytes of weights from one group to the next, groups, sums, whether these are the first taps}
@
@ The sums, [group][channel][window], are stored for the first taps and added to for others.

    .equ END, 0             @ of the packed windows
    .equ FIRST, 4           @ their first tap, less those that the first pass leaves out
    .equ ENTRY, 8           @ where the first pass begins
    .equ START, 12          @ what accumulators start with
    .equ STRIDE, 16
    .equ GROUPS, 20
    .equ SUMS, 24
    .equ WEIGHTS, 28
    .equ FRESH, 32
    .equ FRAME, 36
    .equ TAP_BYTES, 52      @ of code

    .section .text.fude_scalar_product, "ax", %progbits
    .balign 4
    .global fude_scalar_product
    .type fude_scalar_product, %function
    .thumb_func
fude_scalar_product:
    push    {r4-r11, lr}
    @ The taps that are no whole pass of eight go first: the pass is entered where they are left, with both addresses as
    @ much earlier.
    ldm     r3, {r4-r6, r12}
    add     r7, r0, r2, lsl #3
    add     r7, r7, #8
    rsb     r8, r2, #0
    and     r8, r8, #7
    sub     r9, r0, r8, lsl #3
    add     r9, r9, #8
    sub     r1, r1, r8, lsl #2
    mov     r10, #TAP_BYTES
    adr     r11, 2f
    orr     r11, r11, #1
    mla     r11, r8, r10, r11
    sub     sp, #FRAME
    strd    r7, r9, [sp, #END]
    strd    r11, r0, [sp, #ENTRY]
    strd    r4, r5, [sp, #STRIDE]
    strd    r6, r1, [sp, #SUMS]
    str     r12, [sp, #FRESH]

1:  ldrd    r10, r0, [sp, #ENTRY]
    ldrd    r2, r3, [r0]
    ldr     r0, [sp, #FIRST]
    mov     r4, r2
    mov     r5, r3
    mov     r6, r2
    mov     r7, r3
    mov     r8, r2
    mov     r9, r3
    bx      r10

    @ Thirteen instructions of four bytes for twelve products. Loads stand in pairs, whose second takes one cycle. Eight
    @ accumulators, two pairs of operands and two addresses are all the registers there are.
    .balign 4
2:  .set tap, 0
    .rept 8
    ldrd    r10, r11, [r0, #8 * tap]
    ldrb.w  r12, [r1, #4 * tap]
    ldrb.w  lr, [r1, #4 * tap + 1]
    mla     r2, r12, r10, r2
    mla     r3, r12, r11, r3
    mla     r4, lr, r10, r4
    mla     r5, lr, r11, r5
    ldrb.w  r12, [r1, #4 * tap + 2]
    ldrb.w  lr, [r1, #4 * tap + 3]
    mla     r6, r12, r10, r6
    mla     r7, r12, r11, r7
    mla     r8, lr, r10, r8
    mla     r9, lr, r11, r9
    .set tap, tap + 1
    .endr
    ldr     r12, [sp, #END]
    adds    r0, #64
    adds    r1, #32
    cmp     r0, r12
    bne     2b

    @ T1 = s0 + 2^21 s2 and T2 = s1 + 2^10 s2: T1 gives s0 and the lower 11 bits of s2; without these, T2 gives s1 and the
    @ upper 11.
    .macro separate t1, t2
    sbfx    r10, \t1, #0, #21
    sub     \t1, \t1, r10
    sub     \t2, \t2, \t1, lsr #11
    sbfx    r11, \t2, #0, #21
    sub     \t2, \t2, r11
    lsr     r12, \t1, #21
    add     r12, r12, \t2, asr #10
    .endm
    .macro store t1, t2
    separate \t1, \t2
    stm     r0!, {r10-r12}
    .endm
    .macro accumulate t1, t2
    separate \t1, \t2
    ldm     r0, {\t1, \t2, lr}
    add     r10, \t1
    add     r11, \t2
    add     r12, lr
    stm     r0!, {r10-r12}
    .endm
    ldrd    r0, r1, [sp, #SUMS]
    ldr     lr, [sp, #FRESH]
    cmp     lr, #0
    beq     3f
    store   r2, r3
    store   r4, r5
    store   r6, r7
    store   r8, r9
    b       4f
3:  accumulate r2, r3
    accumulate r4, r5
    accumulate r6, r7
    accumulate r8, r9
4:  ldrd    r2, r3, [sp, #STRIDE]
    add     r1, r2
    strd    r0, r1, [sp, #SUMS]
    subs    r3, #1
    str     r3, [sp, #GROUPS]
    bne     1b
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size fude_scalar_product, . - fude_scalar_product

@ Outputs of the sums of fude_scalar_product, saturated to eight bits.
@
@ r0  {end of the sums, sums, biases, multipliers, outputs, addend, drop, bytes from one window's outputs to the next's}
    .section .text.fude_scalar_requantise, "ax", %progbits
    .balign 4
    .global fude_scalar_requantise
    .type fude_scalar_requantise, %function
    .thumb_func
fude_scalar_requantise:
    push    {r4-r11, lr}
    ldm     r0, {r4-r11}
    push    {r4}
    mov     r0, r5
    mov     r1, r6
    mov     r2, r7
    mov     r3, r8
    mov     lr, r11
1:  ldm     r0!, {r4-r6}
    ldr     r7, [r1], #4
    ldr     r8, [r2], #4
    .irp sum, r4, r5, r6
    sub     \sum, r7, \sum
    smull   r12, \sum, \sum, r8
    add     \sum, r9
    asr     \sum, r10
    ssat    \sum, #8, \sum
    .endr
    strb    r5, [r3, lr]
    strb    r6, [r3, lr, lsl #1]
    strb    r4, [r3], #1
    ldr     r4, [sp]
    cmp     r0, r4
    bne     1b
    add     sp, #4
    pop     {r4-r11, pc}
    .size fude_scalar_requantise, . - fude_scalar_requantise
