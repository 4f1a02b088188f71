@ One window times pairs of groups of four channels: the sums of a dense layer.
@
@ As `product.s`, with one window instead of two: eight rows of weights keep the eight accumulators busy.

    .syntax unified
    .cpu cortex-m55

@ The address of `label` for `ldr pc`, Thumb bit included.
.macro CODE_ADDRESS register, label
    adr.w \register, \label
    orr \register, \register, #1
.endm

@ Sixteen taps of one window by eight rows, four from each of two groups: 9 loads, 8 multiplications. The last of these is
@ left to the next chunk.
.equ CHUNK_1X8_BYTES, 4 * (9 + 8)
.macro CHUNK_1X8
    vldrb.u8 q1, [r1], #16
    vmladava.s8 lr, q0, q2
    vldrb.u8 q0, [r3], #16
    vldrb.u8 q2, [r1], #16
    vmladava.s8 r0, q0, q1
    vldrb.u8 q3, [r1], #16
    vmladava.s8 r2, q0, q2
    vldrb.u8 q1, [r1], #16
    vmladava.s8 r4, q0, q3
    vldrb.u8 q2, [r5], #16
    vmladava.s8 r6, q0, q1
    vldrb.u8 q3, [r5], #16
    vmladava.s8 r8, q0, q2
    vldrb.u8 q1, [r5], #16
    vmladava.s8 r10, q0, q3
    vldrb.u8 q2, [r5], #16
    vmladava.s8 r12, q0, q1
.endm

@ The head of one row: r7 taps.
.macro HEAD_ROW accumulator, pointer
    vpst
    vldrbt.u8 q1, [\pointer]
    add \pointer, r7
    vmladava.s8 \accumulator, q0, q1
.endm

@ fude_mve_vector(r0: &Arguments). Blocks of eight sums, which begin with their biases.
@   0 window    4 passes   8 weights    12 second group - first    16 group's bytes    20 bias
@  24 end of bias         28 sums      32 taps of the head        36 chunks of the first pass
    .section .text.fude_mve_vector, "ax", %progbits
    .balign 4
    .global fude_mve_vector
    .type fude_mve_vector, %function
    .thumb_func
fude_mve_vector:
    push {r3-r11, lr}
    sub sp, #32
    ldrd r3, r7, [r0]
    strd r3, r7, [sp]
    ldrd r1, r2, [r0, #24]
    strd r1, r2, [sp, #8]
    ldrd r1, r2, [r0, #32]
    str r1, [sp, #24]
    vctp.8 r1
    CODE_ADDRESS r4, 10f
    cmp r1, #16
    bne 1f
    CODE_ADDRESS r4, 11f
1:  CODE_ADDRESS r6, 13f
    movs r5, #CHUNK_1X8_BYTES
    mls r6, r2, r5, r6
    strd r4, r6, [sp, #16]
    ldrd r1, r5, [r0, #8]
    ldrd r11, r9, [r0, #16]
    add r5, r1

2:  ldm r9!, {r0, r2, r4, r6, r8, r10, r12, lr}
    ldr pc, [sp, #16]

    .balign 4
10: ldr r7, [sp, #24]
    vpst
    vldrbt.u8 q0, [r3]
    add r3, r7
    HEAD_ROW r0, r1
    HEAD_ROW r2, r1
    HEAD_ROW r4, r1
    HEAD_ROW r6, r1
    HEAD_ROW r8, r5
    HEAD_ROW r10, r5
    HEAD_ROW r12, r5
    HEAD_ROW lr, r5
    vmov.i32 q0, #0
    ldr r7, [sp, #4]
    ldr pc, [sp, #20]

    .balign 4
11: vmov.i32 q0, #0
    CHUNK_1X8
    ldr pc, [sp, #20]

    .balign 4
12: CHUNK_1X8
    CHUNK_1X8
    CHUNK_1X8
    CHUNK_1X8
13: subs r7, #1
    bne 12b
    vmladava.s8 lr, q0, q2

    ldr r7, [sp, #12]
    stm r7!, {r0, r2, r4, r6, r8, r10, r12, lr}
    str r7, [sp, #12]
    ldr r0, [sp, #8]
    ldrd r3, r7, [sp]
    mov r1, r5
    add r5, r11
    cmp r9, r0
    bne 2b
    add sp, #32
    pop {r3-r11, pc}
    .size fude_mve_vector, . - fude_mve_vector
