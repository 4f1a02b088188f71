@ One row of outputs of a 3x3 depthwise convolution, channel after channel, two outputs at a time.
@
@ The rows of input are in 16 bits, one channel after the other, so a word is two neighbours. Two outputs need two words of
@ a row: four instructions multiply six times, and of each row's weights two words, (w0, w1) and (w1, w2), stay in
@ registers. With three addresses, two sums and two words of input that is all of them: the rest waits on the stack.
@
@ r0  address of the arguments, in the order of the constants below

    .equ P_ROWS, 0          @ three rows of input
    .equ P_OUT, 12          @ the next output
    .equ P_END, 16          @ where the first row's words of this channel end
    .equ P_PITCH, 20        @ from one output to the next, in bytes
    .equ P_DROP, 24         @ of the requantisation
    .equ P_MULTIPLIER, 28   @ of this channel: filled in below
    .equ P_ADDEND, 32
    .equ P_BOUNDS, 36       @ smallest and largest result, twice each
    .equ P_PLANES, 44       @ channels to go, 1 or more
    .equ P_PLANE_BYTES, 48  @ from one channel to the next in a row of input
    .equ P_FILTERS, 52      @ for each channel six words of weights, bias, multiplier
    .equ P_NARROW, 56       @ whether the bounds are narrower than a byte's
    .equ P_BIAS, 60         @ filled in below
    .equ P_FRAME, 64

    .macro row_by_one address, first, second
    ldrd    r12, lr, [\address], #4
    smlad   r10, r12, \first, r10
    smlabt  r10, lr, \second, r10
    smlatb  r11, r12, \first, r11
    smlad   r11, lr, \second, r11
    .endm

    .macro row_by_two address, first, second
    ldrd    r12, lr, [\address], #8
    smlad   r10, r12, \first, r10
    smlabt  r10, lr, \second, r10
    ldr     r12, [\address]
    smlad   r11, lr, \first, r11
    smlabt  r11, r12, \second, r11
    .endm

    .syntax unified
    .cpu cortex-m4

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
    ldm     r0!, {r1-r7}
    stm     r12!, {r1-r7}

1:  ldr     r12, [sp, #P_FILTERS]
    ldm     r12!, {r4-r11}
    str     r12, [sp, #P_FILTERS]
    str     r10, [sp, #P_BIAS]
    str     r11, [sp, #P_MULTIPLIER]
    ldm     sp, {r0-r3}

2:  ldr     r10, [sp, #P_BIAS]
    mov     r11, r10
    \row    r0, r4, r5
    \row    r1, r6, r7
    \row    r2, r8, r9
    ldrd    r12, lr, [sp, #P_MULTIPLIER]
    smmla   r10, r10, r12, lr
    smmla   r11, r11, r12, lr
    ldr     r12, [sp, #P_DROP]
    asr     r10, r10, r12
    asr     r11, r11, r12
    ssat    r10, #8, r10
    ssat    r11, #8, r11
    ldr     r12, [sp, #P_NARROW]
    cmp     r12, #0
    bne     4f
3: ldr     r12, [sp, #P_PITCH]
    strb    r10, [r3]
    strb    r11, [r3, r12]
    add     r3, r3, r12, lsl #1
    ldr     r12, [sp, #P_END]
    cmp     r0, r12
    bne     2b

    @ The next channel: one byte on in the output, a plane on in the rows.
    ldm     sp, {r0-r4}
    ldrd    r5, r6, [sp, #P_PLANES]
    add     r0, r6
    add     r1, r6
    add     r2, r6
    adds    r3, #1
    add     r4, r6
    stm     sp, {r0-r4}
    subs    r5, #1
    str     r5, [sp, #P_PLANES]
    bne     1b
    add     sp, #P_FRAME
    pop     {r4-r11, pc}

4:  @ Narrower bounds than a byte's: both in one word, clamped together.
    pkhbt   r10, r10, r11, lsl #16
    ldrd    r12, lr, [sp, #P_BOUNDS]
    ssub16  r11, r10, r12
    sel     r10, r10, r12
    ssub16  r11, lr, r10
    sel     r10, r10, lr
    asr     r11, r10, #16
    b       3b
    .size \name, . - \name
    .endm

    .syntax unified
    .cpu cortex-m4
    planes  fude_dsp_planes_by_one, row_by_one
    planes  fude_dsp_planes_by_two, row_by_two

@ Copies pixels of four channels, two at a time, into rows of 16 bits for each channel. Pixels and rows begin at any
@ address, which these cores allow: a row begins where its padding ends.
@
@ r0  pixels, r1  bytes from one to the next, r2  rows, r3  bytes from one channel's to the next
@ on the stack: pairs of pixels, 1 or more

    .section .text.fude_dsp_copy_planes, "ax", %progbits
    .balign 4
    .global fude_dsp_copy_planes
    .type fude_dsp_copy_planes, %function
    .thumb_func
fude_dsp_copy_planes:
    push    {r4-r9, lr}
    ldr     r12, [sp, #28]
    add     r9, r2, r3
    add     r9, r9, r3, lsl #1
1:  ldr     r4, [r0]
    ldr     r5, [r0, r1]
    add     r0, r0, r1, lsl #1
    sxtb16  r6, r4
    sxtb16  r7, r5
    pkhbt   r8, r6, r7, lsl #16
    pkhtb   r6, r7, r6, asr #16
    str     r6, [r2, r3, lsl #1]
    sxtb16  r4, r4, ror #8
    sxtb16  r5, r5, ror #8
    pkhbt   r6, r4, r5, lsl #16
    pkhtb   r7, r5, r4, asr #16
    str     r6, [r2, r3]
    str     r8, [r2], #4
    str     r7, [r9], #4
    subs    r12, #1
    bne     1b
    pop     {r4-r9, pc}
    .size fude_dsp_copy_planes, . - fude_dsp_copy_planes
