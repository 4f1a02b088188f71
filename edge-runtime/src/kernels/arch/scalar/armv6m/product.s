@ Three windows times groups of four channels: the inner loop of every convolution. Armv6-M (Cortex-M0, M0+).
@
@ Every product costs a copy of one factor, which `muls` destroys, the multiplication and an addition: three sums from two
@ accumulators take five such instructions instead of nine. Only r0 to r7 multiply and load; the high registers hold
@ accumulators, since `add` reaches them at no cost.

    .syntax unified
    .cpu cortex-m0

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
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    push    {r3-r5}
    adds    r3, #8
    movs    r6, #0
    movs    r7, #0
    adds    r2, r0
    mov     r8, r2                  @ the end of the first window
    lsls    r2, r1, #1
1:  ldrsb   r5, [r0, r2]
    ldrsb   r4, [r0, r1]
    rsbs    r5, r5, #0
    mov     r9, r5
    lsls    r5, r5, #10
    subs    r5, r4                  @ X2
    subs    r7, r5
    mov     r4, r9
    lsls    r4, r4, #21
    mov     r9, r5
    movs    r5, #0
    ldrsb   r5, [r0, r5]
    subs    r4, r5                  @ X1
    subs    r6, r4
    mov     r5, r9
    stmia   r3!, {r4, r5}
    adds    r0, #1
    cmp     r0, r8
    bne     1b
    @ Weights are stored 128 too large: accumulators start with -128 times the sum of their factors.
    lsls    r6, r6, #7
    lsls    r7, r7, #7
    pop     {r3-r5}
    stmia   r3!, {r6, r7}
    mov     r8, r4
    mov     r9, r5
    pop     {r4-r7, pc}
    .size fude_scalar_pack, . - fude_scalar_pack

@ The negated sums of three packed windows for groups of four channels.
@
@ r0  packed windows, r1  weights: four bytes a tap, 128 too large; r2  taps, 1 to 64
@ r3  {bytes of weights from one group to the next, groups, sums, whether these are the first taps}
@
@ The sums, [group][channel][window], are stored for the first taps and added to for others.

    .equ END, 0             @ of the packed windows
    .equ FIRST, 4           @ their first tap
    .equ ENTRY, 8           @ where the first pass begins
    .equ START, 12          @ what accumulators start with
    .equ STRIDE, 16
    .equ GROUPS, 20
    .equ SUMS, 24
    .equ WEIGHTS, 28        @ less those that the first pass leaves out
    .equ FRESH, 32
    .equ FRAME, 36
    .equ TAP_BYTES, 48      @ of code

    .section .text.fude_scalar_product, "ax", %progbits
    .balign 4
    .global fude_scalar_product
    .type fude_scalar_product, %function
    .thumb_func
fude_scalar_product:
    push    {r4-r7, lr}
    push_high
    sub     sp, #FRAME
    @ The taps that are no whole pass of eight go first: the pass is entered where they are left. Packed windows are
    @ loaded with a moving address; weights are not, so their address is as much earlier.
    ldmia   r3!, {r4-r7}
    str     r7, [sp, #FRESH]
    str     r4, [sp, #STRIDE]
    str     r5, [sp, #GROUPS]
    str     r6, [sp, #SUMS]
    str     r0, [sp, #START]
    lsls    r3, r2, #3
    adds    r3, #8
    adds    r3, r0
    str     r3, [sp, #END]
    rsbs    r2, r2, #0
    movs    r4, #7
    ands    r2, r4                  @ taps to leave out
    lsls    r3, r2, #2
    subs    r1, r3
    str     r1, [sp, #WEIGHTS]
    adds    r0, #8
    str     r0, [sp, #FIRST]
    movs    r4, #TAP_BYTES
    muls    r2, r4
    adr     r4, 2f
    adds    r2, r4
    adds    r2, #1
    str     r2, [sp, #ENTRY]

1:  ldr     r0, [sp, #START]
    ldmia   r0!, {r6, r7}
    mov     r8, r6
    mov     r9, r7
    mov     r10, r6
    mov     r11, r7
    mov     r12, r6
    mov     lr, r7
    ldr     r0, [sp, #FIRST]
    ldr     r2, [sp, #ENTRY]
    bx      r2

    @ Twenty-four instructions for twelve products. The last channel may destroy X1 and X2 and needs no copy.
    .balign 4
2:  .set tap, 0
    .rept 8
    ldmia   r0!, {r2, r3}
    ldrb    r4, [r1, #4 * tap]
    movs    r5, r4
    muls    r5, r2
    adds    r6, r5
    muls    r4, r3
    adds    r7, r4
    ldrb    r4, [r1, #4 * tap + 1]
    movs    r5, r4
    muls    r5, r2
    add     r8, r5
    muls    r4, r3
    add     r9, r4
    ldrb    r4, [r1, #4 * tap + 2]
    movs    r5, r4
    muls    r5, r2
    add     r10, r5
    muls    r4, r3
    add     r11, r4
    ldrb    r4, [r1, #4 * tap + 3]
    muls    r2, r4
    add     r12, r2
    muls    r3, r4
    add     lr, r3
    .set tap, tap + 1
    .endr
    adds    r1, #32
    ldr     r4, [sp, #END]
    cmp     r0, r4
    beq     3f
    b       2b

    @ T1 = s0 + 2^21 s2 and T2 = s1 + 2^10 s2: T1 gives s0 and the lower 11 bits of s2; without these, T2 gives s1 and the
    @ upper 11.
    .macro separate
    lsls    r4, r6, #11
    asrs    r4, r4, #11             @ s0
    subs    r6, r4
    lsrs    r5, r6, #11
    subs    r7, r5
    lsrs    r6, r6, #21
    lsls    r5, r7, #11
    asrs    r5, r5, #11             @ s1
    subs    r7, r5
    asrs    r7, r7, #10
    adds    r6, r7                  @ s2
    .endm
    .macro store
    separate
    stmia   r0!, {r4-r6}
    .endm
    .macro accumulate
    separate
    ldmia   r0!, {r1-r3}
    subs    r0, #12
    adds    r4, r1
    adds    r5, r2
    adds    r6, r3
    stmia   r0!, {r4-r6}
    .endm
    .macro four_channels action
    \action
    mov     r6, r8
    mov     r7, r9
    \action
    mov     r6, r10
    mov     r7, r11
    \action
    mov     r6, r12
    mov     r7, lr
    \action
    .endm
3:  ldr     r0, [sp, #SUMS]
    ldr     r1, [sp, #FRESH]
    cmp     r1, #0
    beq     4f
    four_channels store
    b       5f
4:  four_channels accumulate
5:  str     r0, [sp, #SUMS]
    ldr     r1, [sp, #WEIGHTS]
    ldr     r2, [sp, #STRIDE]
    adds    r1, r2
    str     r1, [sp, #WEIGHTS]
    ldr     r2, [sp, #GROUPS]
    subs    r2, #1
    str     r2, [sp, #GROUPS]
    beq     6f
    b       1b
6:  add     sp, #FRAME
    pop_high
    pop     {r4-r7, pc}
    .size fude_scalar_product, . - fude_scalar_product

@ Outputs of the sums of fude_scalar_product, saturated to eight bits.
@
@ r0  {end of the sums, sums, biases, multipliers, outputs, addend, drop, bytes from one window's outputs to the next's}

    .equ R_BIAS, 0
    .equ R_MULTIPLIERS, 4
    .equ R_END, 8
    .equ R_FRAME, 12

    .section .text.fude_scalar_requantise, "ax", %progbits
    .balign 4
    .global fude_scalar_requantise
    .type fude_scalar_requantise, %function
    .thumb_func
fude_scalar_requantise:
    push    {r4-r7, lr}
    push_high
    sub     sp, #R_FRAME
    ldmia   r0!, {r1-r5}
    str     r1, [sp, #R_END]
    mov     r7, r2                  @ sums
    str     r3, [sp, #R_BIAS]
    str     r4, [sp, #R_MULTIPLIERS]
    mov     r12, r5                 @ outputs
    ldmia   r0!, {r1-r3}
    mov     r8, r1                  @ addend
    mov     lr, r2                  @ drop
    mov     r11, r3                 @ distance of outputs
    movs    r5, #0

1:  ldr     r3, [sp, #R_BIAS]
    ldmia   r3!, {r0}
    mov     r10, r0
    str     r3, [sp, #R_BIAS]
    ldr     r3, [sp, #R_MULTIPLIERS]
    ldmia   r3!, {r1}
    str     r3, [sp, #R_MULTIPLIERS]
    mov     r3, lr
    split_multiplier
    mov     r9, r2
    .rept   3
    ldmia   r7!, {r4}
    mov     r0, r10
    subs    r0, r4
    mov     r2, r9
    requantise r8
    mov     r6, r12
    strb    r0, [r6]
    add     r12, r11
    .endr
    @ Back by three windows, on by one channel.
    mov     r4, r11
    lsls    r6, r4, #1
    adds    r6, r4
    mov     r4, r12
    subs    r4, r6
    adds    r4, #1
    mov     r12, r4
    ldr     r4, [sp, #R_END]
    cmp     r7, r4
    bne     1b
    add     sp, #R_FRAME
    pop_high
    pop     {r4-r7, pc}
    .size fude_scalar_requantise, . - fude_scalar_requantise
