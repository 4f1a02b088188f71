@ Two windows times groups of four channels, requantised: the inner loop of every convolution.
@
@ A step takes two taps: 16 multiplications in 13 instructions. What shapes it are the 14 registers: eight sums, two
@ words of input, a word of weights and its lower bytes, two addresses. A word of weights is 256*A + B of two channels
@ for both taps (layout `dsp`). Times the input it sums 256*sum(xA) + sum(xB), and its lower bytes sum(xB): of four
@ channels only half of the weights are widened. The sums wrap; (first - second) >> 8 is sum(xA) while that stays within
@ 24 bits, which 496 taps cannot leave, so longer windows are cut (7:).
@
@ r0  address of the arguments, in the order of the constants below

    .equ TILE, 0            @ steps of four words: window 0 and window 1, two taps each; behind them an odd last tap
    .equ WEIGHTS, 4
    .equ BIAS, 8
    .equ MULTIPLIERS, 12
    .equ GROUPS, 16         @ 1 or more
    .equ OUT, 20            @ next outputs of both windows
    .equ ADDEND, 28         @ of the requantisation
    .equ DROP, 32
    .equ MIN, 36            @ bounds, four times each
    .equ MAX, 40
    .equ FIRST_END, 44      @ end of the first cut of the tile, and of its last
    .equ LAST_END, 48
    .equ ENTRY, 52          @ where the first cut enters the unrolled steps
    .equ ODD, 56            @ whether there is an odd last tap
    .equ NARROW, 60         @ whether the bounds are narrower than a byte's
    .equ HIGH, 64           @ sum(xA) of the cuts before, on top of the bias: four words
    .equ CUT_END, 80
    .equ FRAME, 84
    .equ STEP_BYTES, 52      @ of code
    .equ CUT_BYTES, 30 * 8 * 8

    .syntax unified
    .cpu cortex-m4
    .section .text.fude_dsp_product, "ax", %progbits
    .balign 4
    .global fude_dsp_product
    .type fude_dsp_product, %function
    .thumb_func
fude_dsp_product:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    @ The arguments to the stack, where they are within reach when no register is free.
    mov     r12, sp
    ldm     r0!, {r1-r8}
    stm     r12!, {r1-r8}
    ldm     r0!, {r1-r8}
    stm     r12!, {r1-r8}
    @ The taps that are no whole unrolled pass go first: enter that many steps before the loop's end.
    ldr     r1, [sp, #TILE]
    ldr     r2, [sp, #ENTRY]
    mov     r3, #STEP_BYTES
    adr     r12, 2f
    mls     r2, r2, r3, r12
    orr     r2, #1
    str     r2, [sp, #ENTRY]

1:  @ The next four channels. The lower sums start with their biases, and so do the whole ones, for the difference's sake.
    ldr     r12, [sp, #BIAS]
    ldr     r0, [sp, #FIRST_END]
    str     r0, [sp, #CUT_END]
    ldm     r12!, {r2, r5, r8, r9}
    str     r12, [sp, #BIAS]
    strd    r2, r2, [sp, #HIGH]
    strd    r8, r8, [sp, #HIGH + 8]
    ldrd    r0, r1, [sp, #TILE]
    mov     r4, r5
    mov     r6, r5
    mov     r7, r5
    mov     r8, r9
    mov     r10, r9
    mov     r11, r9
    ldr     pc, [sp, #ENTRY]

    .balign 4
3:  .rept 8
    ldrd    r2, r3, [r0], #8
    ldr     r12, [r1], #4
    sxtb16  lr, r12
    smlad   r4, r2, r12, r4
    smlad   r5, r2, lr, r5
    smlad   r6, r3, r12, r6
    smlad   r7, r3, lr, r7
    ldr     r12, [r1], #4
    sxtb16  lr, r12
    smlad   r8, r2, r12, r8
    smlad   r9, r2, lr, r9
    smlad   r10, r3, r12, r10
    smlad   r11, r3, lr, r11
    .endr
2:  ldr     lr, [sp, #CUT_END]
    cmp     r0, lr
    bne     3b
    ldr     r2, [sp, #LAST_END]
    cmp     r0, r2
    bne     7f

    @ The odd last tap: both words of weights in one.
    ldr     r3, [sp, #ODD]
    cbz     r3, 4f
    ldrd    r2, r3, [r0]
    ldr     r12, [r1], #4
    sxtb16  lr, r12
    smlabb  r4, r2, r12, r4
    smlabb  r5, r2, lr, r5
    smlabb  r6, r3, r12, r6
    smlabb  r7, r3, lr, r7
    smlabt  r8, r2, r12, r8
    smlabt  r9, r2, lr, r9
    smlabt  r10, r3, r12, r10
    smlabt  r11, r3, lr, r11
4:  str     r1, [sp, #WEIGHTS]

    @ Whole minus lower sums, and what the cuts before had: the accumulators.
    ldrd    r0, r1, [sp, #HIGH]
    ldrd    r2, r3, [sp, #HIGH + 8]
    sub     r4, r4, r5
    sub     r6, r6, r7
    sub     r8, r8, r9
    sub     r10, r10, r11
    add     r4, r0, r4, asr #8
    add     r6, r1, r6, asr #8
    add     r8, r2, r8, asr #8
    add     r10, r3, r10, asr #8

    @ Requantise; the multipliers of the four channels serve both windows.
    ldr     r12, [sp, #MULTIPLIERS]
    ldm     r12!, {r0-r3}
    str     r12, [sp, #MULTIPLIERS]
    ldrd    r12, lr, [sp, #ADDEND]
    smmla   r4, r4, r0, r12
    smmla   r5, r5, r1, r12
    smmla   r6, r6, r0, r12
    smmla   r7, r7, r1, r12
    smmla   r8, r8, r2, r12
    smmla   r9, r9, r3, r12
    smmla   r10, r10, r2, r12
    smmla   r11, r11, r3, r12
    asr     r4, r4, lr
    asr     r5, r5, lr
    asr     r6, r6, lr
    asr     r7, r7, lr
    asr     r8, r8, lr
    asr     r9, r9, lr
    asr     r10, r10, lr
    asr     r11, r11, lr
    ssat    r4, #8, r4
    ssat    r5, #8, r5
    ssat    r6, #8, r6
    ssat    r7, #8, r7
    ssat    r8, #8, r8
    ssat    r9, #8, r9
    ssat    r10, #8, r10
    ssat    r11, #8, r11
    @ Four bytes a word.
    bfi     r4, r5, #8, #8
    bfi     r6, r7, #8, #8
    bfi     r8, r9, #8, #8
    bfi     r10, r11, #8, #8
    pkhbt   r4, r4, r8, lsl #16
    pkhbt   r6, r6, r10, lsl #16
    ldr     r0, [sp, #NARROW]
    cmp     r0, #0
    bne     5f
6: ldrd    r0, r1, [sp, #OUT]
    str     r4, [r0], #4
    str     r6, [r1], #4
    strd    r0, r1, [sp, #OUT]
    ldr     r0, [sp, #GROUPS]
    subs    r0, #1
    str     r0, [sp, #GROUPS]
    bne     1b
    add     sp, #FRAME
    pop     {r4-r11, pc}

5:  @ Narrower bounds than a byte's clamp four at once.
    ldrd    r0, r1, [sp, #MIN]
    ssub8   r2, r4, r0
    sel     r4, r4, r0
    ssub8   r2, r1, r4
    sel     r4, r4, r1
    ssub8   r2, r6, r0
    sel     r6, r6, r0
    ssub8   r2, r1, r6
    sel     r6, r6, r1
    b       6b

7:  @ Another cut of up to 30 passes: bring the whole sums back to the lower ones, and keep their difference.
    ldrd    r2, r3, [sp, #HIGH]
    sub     r4, r4, r5
    sub     r6, r6, r7
    add     r2, r2, r4, asr #8
    add     r3, r3, r6, asr #8
    strd    r2, r3, [sp, #HIGH]
    ldrd    r2, r3, [sp, #HIGH + 8]
    sub     r8, r8, r9
    sub     r10, r10, r11
    add     r2, r2, r8, asr #8
    add     r3, r3, r10, asr #8
    strd    r2, r3, [sp, #HIGH + 8]
    mov     r4, r5
    mov     r6, r7
    mov     r8, r9
    mov     r10, r11
    ldr     r2, [sp, #LAST_END]
    add     r3, r0, #CUT_BYTES
    cmp     r3, r2
    it      hi
    movhi   r3, r2
    str     r3, [sp, #CUT_END]
    b       3b
    .size fude_dsp_product, . - fude_dsp_product
