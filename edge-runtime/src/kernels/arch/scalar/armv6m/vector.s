@ One window times four channels: the sums of a dense layer. Armv6-M (Cortex-M0, M0+).
@
@ A word holds the weights a, b, c, d of a tap, each 128 too large. Accumulated are A = a + 2^16 c, B = b + 2^16 d and
@ C = c + 2^8 d: three multiplications instead of four, and fewer loads.
@
@ r0  the window, a word for each element; r1  weights, aligned to words; r2  taps, 1 to 256
@ r3  -128 times the sum of the elements, which takes the 128 of the weights away again
@ on the stack: where the sums are, to which these are added

    .syntax unified
    .cpu cortex-m0
    .section .text.fude_scalar_vector, "ax", %progbits
    .balign 4
    .global fude_scalar_vector
    .type fude_scalar_vector, %function
    .thumb_func
fude_scalar_vector:
    push    {r4-r7, lr}
    push_high
    lsls    r4, r3, #16
    adds    r4, r3
    mov     r8, r4                  @ A
    mov     r9, r4                  @ B
    lsls    r4, r3, #8
    adds    r4, r3
    mov     r10, r4                 @ C
    lsls    r2, r2, #2
    adds    r2, r0
    mov     r12, r2                 @ the end of the window
    subs    r2, #32
    mov     r11, r2                 @ the last start of eight taps
    movs    r7, #255
    lsls    r6, r7, #16
    orrs    r7, r6
    cmp     r0, r11
    bhi     2f
    .macro tap word, x
    movs    r6, \word
    ands    r6, r7
    muls    r6, \x
    add     r8, r6
    lsrs    r6, \word, #8
    ands    r6, r7
    muls    r6, \x
    add     r9, r6
    lsrs    \word, \word, #16
    muls    \word, \x
    add     r10, \word
    .endm
1:  .rept 4
    ldmia   r1!, {r2, r3}
    ldmia   r0!, {r4, r5}
    tap     r2, r4
    tap     r3, r5
    .endr
    cmp     r0, r11
    bls     1b
2:  cmp     r0, r12
    beq     4f
3:  ldmia   r1!, {r2}
    ldmia   r0!, {r4}
    tap     r2, r4
    cmp     r0, r12
    bne     3b

4:  @ A - 2^16 C = a - 2^24 d gives a and the lowest 8 bits of d, then B gives b and 8 more, then C c and the rest.
    mov     r5, r8
    mov     r6, r9
    mov     r7, r10
    lsls    r4, r7, #16
    subs    r5, r4
    lsls    r0, r5, #8
    asrs    r0, r0, #8              @ a
    subs    r5, r0, r5
    lsrs    r4, r5, #8
    subs    r6, r4
    lsls    r1, r6, #8
    asrs    r1, r1, #8              @ b
    subs    r6, r1
    lsrs    r6, r6, #16
    lsrs    r5, r5, #24
    adds    r5, r6                  @ 16 bits of d
    lsls    r4, r5, #8
    subs    r7, r4
    lsls    r2, r7, #8
    asrs    r2, r2, #8              @ c
    subs    r7, r2
    asrs    r7, r7, #8
    adds    r3, r5, r7              @ d
    ldr     r4, [sp, #36]
    ldmia   r4!, {r5-r7}
    adds    r0, r5
    adds    r1, r6
    adds    r2, r7
    ldr     r5, [r4]
    adds    r3, r5
    subs    r4, #12
    stmia   r4!, {r0-r3}
    pop_high
    pop     {r4-r7, pc}
    .size fude_scalar_vector, . - fude_scalar_vector
