@ The requantisation rule for a core that multiplies to 32 bits only: docs/requantisation.md, section 2. Armv6-M.
@
@ r0  accumulator, then the result, saturated to eight bits
@ r1  multiplier, its upper half as a signed number; r2  its lower half, destroyed
@ r3  digits to drop; r5  zero; `addend` is a high register
@ Changes r4, r6.

    .syntax unified
    .cpu cortex-m0

    .macro requantise addend
    sxth    r4, r0
    asrs    r0, r0, #16             @ carry: bit 15
    adcs    r0, r5
    mov     r6, r4
    muls    r6, r2
    asrs    r6, r6, #16
    muls    r2, r0
    muls    r4, r1
    muls    r0, r1
    adds    r2, r4
    adds    r2, r6
    asrs    r2, r2, #16
    adds    r0, r2
    add     r0, \addend
    asrs    r0, r3
    sxtb    r4, r0
    cmp     r4, r0
    beq     9f
    asrs    r4, r0, #31
    movs    r0, #127
    eors    r0, r4
9:
    .endm

@ Splits a multiplier into signed halves: r1 to r1, the upper, and r2. r5 is zero.
    .macro split_multiplier
    sxth    r2, r1
    asrs    r1, r1, #16
    adcs    r1, r5
    .endm

@ High registers, which `push` and `pop` do not reach.
    .macro push_high
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4-r7}
    .endm
    .macro pop_high
    pop     {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    .endm
