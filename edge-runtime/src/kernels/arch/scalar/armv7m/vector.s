@ One window times four channels: the sums of a dense layer. Armv7-M without DSP (Cortex-M3).
@
@ A word holds the weights a, b, c, d of a tap, each 128 too large. Accumulated are A = a + 2^16 c, B = b + 2^16 d and
@ C = c + 2^8 d: three multiplications instead of four, and three instructions to unpack instead of four byte loads.
@
@ r0  the window, a word for each element; r1  weights, aligned to words; r2  taps, 1 to 256
@ r3  -128 times the sum of the elements, which takes the 128 of the weights away again
@ on the stack: where the sums are, to which these are added

    .syntax unified
    .cpu cortex-m3
    .section .text.fude_scalar_vector, "ax", %progbits
    .balign 4
    .global fude_scalar_vector
    .type fude_scalar_vector, %function
    .thumb_func
fude_scalar_vector:
    push    {r4-r11, lr}
    add     r4, r3, r3, lsl #16     @ A
    mov     r5, r4                  @ B
    add     r6, r3, r3, lsl #8      @ C
    mov     r7, #0x00ff00ff
    add     r3, r0, r2, lsl #2
    subs    r3, #32                 @ the last start of eight taps
    cmp     r0, r3
    bhi     2f
    .macro tap word, x
    and     lr, \word, #0x00ff00ff
    mla     r4, lr, \x, r4
    and     lr, r7, \word, lsr #8
    mla     r5, lr, \x, r5
    lsr     \word, \word, #16
    mla     r6, \word, \x, r6
    .endm
1:  .set place, 0
    .rept 2
    ldm     r1!, {r8-r11}
    ldrd    r2, r12, [r0, #place]
    tap     r8, r2
    tap     r9, r12
    ldrd    r2, r12, [r0, #place + 8]
    tap     r10, r2
    tap     r11, r12
    .set place, place + 16
    .endr
    adds    r0, #32
    cmp     r0, r3
    bls     1b
2:  add     r2, r3, #32             @ the end of the window
    cmp     r0, r2
    beq     4f
3:  ldr     r8, [r1], #4
    ldr     r12, [r0], #4
    tap     r8, r12
    cmp     r0, r2
    bne     3b

4:  @ A - 2^16 C = a - 2^24 d gives a and the lowest 8 bits of d, then B gives b and 8 more, then C c and the rest.
    ldr     r0, [sp, #36]
    ldm     r0, {r8-r11}
    sub     r4, r4, r6, lsl #16
    sbfx    r1, r4, #0, #24
    add     r8, r8, r1
    sub     r4, r1, r4
    sub     r5, r5, r4, lsr #8
    sbfx    r1, r5, #0, #24
    add     r9, r9, r1
    sub     r5, r5, r1
    lsr     r5, r5, #16
    add     r5, r5, r4, lsr #24     @ 16 bits of d
    sub     r6, r6, r5, lsl #8
    sbfx    r1, r6, #0, #24
    add     r10, r10, r1
    sub     r6, r6, r1
    add     r11, r11, r5
    add     r11, r11, r6, asr #8
    stm     r0, {r8-r11}
    pop     {r4-r11, pc}
    .size fude_scalar_vector, . - fude_scalar_vector
