@ One window times groups of four channels: the sums of a dense layer.
@
@ A step takes two taps: 8 multiplications in 7.5 instructions. Weights and sums are those of `product.s`; with one window
@ every word of weights serves only two multiplications of each kind, so loads and widening weigh twice as much.
@
@ r0  window in 16 bits, two taps a word; behind it an odd last tap
@ r1  weights
@ r2  taps, r3 groups (1 or more)
@ on the stack: where the sums go, one word a channel

    .syntax unified
    .cpu cortex-m4
    .section .text.fude_dsp_vector, "ax", %progbits
    .balign 4
    .global fude_dsp_vector
    .type fude_dsp_vector, %function
    .thumb_func
fude_dsp_vector:
    push    {r4-r11, lr}
    ldr     r12, [sp, #36]
    push    {r0, r2, r3, r12}

    @ r4-r7: whole and lower sums of both pairs. r8, r9: what the cuts before had of the upper channels.
1:  movs    r4, #0
    movs    r5, #0
    movs    r6, #0
    movs    r7, #0
    movs    r8, #0
    movs    r9, #0
    ldrd    r0, r2, [sp]
    @ Passes of eight taps, 60 in a cut; then what is left, two taps at a time.
2:  lsrs    r3, r2, #3
    beq     5f
    cmp     r3, #60
    it      hi
    movhi   r3, #60
    sub     r2, r2, r3, lsl #3
3:  .rept 2
    ldrd    r10, r11, [r0], #8
    ldrd    r12, lr, [r1], #8
    smlad   r4, r10, r12, r4
    smlad   r6, r10, lr, r6
    sxtb16  r12, r12
    sxtb16  lr, lr
    smlad   r5, r10, r12, r5
    smlad   r7, r10, lr, r7
    ldrd    r12, lr, [r1], #8
    smlad   r4, r11, r12, r4
    smlad   r6, r11, lr, r6
    sxtb16  r12, r12
    sxtb16  lr, lr
    smlad   r5, r11, r12, r5
    smlad   r7, r11, lr, r7
    .endr
    subs    r3, #1
    bne     3b
    @ The end of a cut: the difference of the sums is within 32 bits, take it out.
    sub     r4, r4, r5
    sub     r6, r6, r7
    add     r8, r8, r4, asr #8
    add     r9, r9, r6, asr #8
    mov     r4, r5
    mov     r6, r7
    b       2b

5:  subs    r2, #2
    blo     6f
    ldr     r10, [r0], #4
    ldrd    r12, lr, [r1], #8
    smlad   r4, r10, r12, r4
    smlad   r6, r10, lr, r6
    sxtb16  r12, r12
    sxtb16  lr, lr
    smlad   r5, r10, r12, r5
    smlad   r7, r10, lr, r7
    b       5b
6:  adds    r2, #2
    beq     7f
    ldr     r10, [r0]
    ldr     r12, [r1], #4
    sxtb16  lr, r12
    smlabb  r4, r10, r12, r4
    smlabb  r5, r10, lr, r5
    smlabt  r6, r10, r12, r6
    smlabt  r7, r10, lr, r7

7:  sub     r4, r4, r5
    sub     r6, r6, r7
    add     r4, r8, r4, asr #8
    add     r6, r9, r6, asr #8
    ldrd    r3, r12, [sp, #8]
    stmia   r12!, {r4-r7}
    subs    r3, #1
    strd    r3, r12, [sp, #8]
    bne     1b
    add     sp, #16
    pop     {r4-r11, pc}
    .size fude_dsp_vector, . - fude_dsp_vector
