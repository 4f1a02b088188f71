@ Pairs of windows times groups of four channels, requantised: the inner loop of every convolution.
@
@ vmladava multiplies 16 pairs and adds all products to an even general register; it keeps its unit busy for two cycles,
@ and a vector load beside it costs none of its own. So what counts is fewer loads than multiplications, loads and
@ multiplications in turns, and no load just before its use. All eight even registers are accumulators, lr included: loops
@ count in an odd register, and are unrolled fourfold.
@
@ Weights are in the order of layout `mve`: of four rows first the heads (1 to 16 taps), then sixteen taps of each in turn.
@ One pointer reads them all, once through. A loop over any number of sixteens is entered in the middle: an address on the
@ stack says where.

    .syntax unified
    .cpu cortex-m55

@ Sixteen taps of two windows by four rows: 6 loads, 8 multiplications. The first half ends what the chunk before has left
@ and begins to load; the second leaves three multiplications to the next.
.equ CHUNK_2X4_BYTES, 4 * (6 + 8)
.equ CHUNK_2X4_ENTRY, 4 * (4 + 3)
.macro CHUNK_2X4
    vldrb.u8 q0, [r3], #16
    vmladava.s8 r10, q1, q3
    vldrb.u8 q2, [r1], #16
    vmladava.s8 r12, q1, q4
    vldrb.u8 q3, [r1], #16
    vmladava.s8 lr, q1, q5
    vldrb.u8 q4, [r1], #16
    @ Entry.
    vmladava.s8 r0, q0, q2
    vldrb.u8 q5, [r1], #16
    vmladava.s8 r2, q0, q3
    vldrb.u8 q1, [r5], #16
    vmladava.s8 r4, q0, q4
    vmladava.s8 r6, q0, q5
    vmladava.s8 r8, q1, q2
.endm

@ name(r0: &Arguments). The first eight words are what a group ends with: one ldm. `head` is `whole`, 16 taps, or `partial`,
@ fewer; `rest` is `loop` or `none`.
@   0 addend    4 shift      8 window 0  12 multipliers - bias  16 window 1
@  20 y1 - y0  24 bias_end  28 passes    32 loop's address      36 taps of the head
@  40 weights  44 bias      48 pairs     52 y step              56 window step
@  60 y0       64 chunks of the first pass
.macro MATRIX name, head, rest
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r3-r11, lr}
    vpush {d8-d11}
    sub sp, #64
    vldrw.u32 q0, [r0]
    vldrw.u32 q1, [r0, #16]
    vldrw.u32 q2, [r0, #32]
    vldrw.u32 q3, [r0, #48]
    vstrw.32 q0, [sp]
    vstrw.32 q1, [sp, #16]
    vstrw.32 q2, [sp, #32]
    vstrw.32 q3, [sp, #48]
.ifc \rest, loop
    @ One more: the Thumb bit.
    adr.w r4, 12f
    adds r4, #CHUNK_2X4_ENTRY + 1
    movs r5, #CHUNK_2X4_BYTES
    ldr r2, [r0, #64]
    mls r4, r2, r5, r4
    str r4, [sp, #32]
.endif
.ifc \head, partial
    ldr r1, [r0, #36]
    vctp.8 r1
.endif
    ldr r3, [sp, #8]
    ldr r5, [sp, #16]
    ldr r7, [sp, #60]
    ldr r9, [sp, #28]
    ldrd r1, r11, [sp, #40]

    @ The head: the first half of a loop's chunk as well.
10:
.ifc \head, partial
    @ Lanes beyond the head are neither read nor counted. The last accumulators hold addresses until they are needed.
    @ Nothing else writes the predicate.
    ldr lr, [sp, #36]
    add r2, r1, lr
    add r4, r2, lr
    add r6, r4, lr
    vpstttt
    vldrbt.u8 q0, [r3]
    vldrbt.u8 q2, [r1]
    vldrbt.u8 q3, [r2]
    vldrbt.u8 q4, [r4]
    add r1, r6, lr
    add r3, lr
    vmladav.s8 r0, q0, q2
    vpstt
    vldrbt.u8 q5, [r6]
    vldrbt.u8 q1, [r5]
    vmladav.s8 r2, q0, q3
    add r5, lr
    vmladav.s8 r4, q0, q4
.else
    vldrb.u8 q0, [r3], #16
    vldrb.u8 q2, [r1], #16
    vldrb.u8 q3, [r1], #16
    vmladav.s8 r0, q0, q2
    vldrb.u8 q4, [r1], #16
    vmladav.s8 r2, q0, q3
    vldrb.u8 q5, [r1], #16
    vmladav.s8 r4, q0, q4
    vldrb.u8 q1, [r5], #16
.endif
    vmladav.s8 r6, q0, q5
.ifc \rest, loop
    vldrb.u8 q0, [r3], #16
    vmladav.s8 r8, q1, q2
    vldrb.u8 q2, [r1], #16
    vmladav.s8 r10, q1, q3
    vldrb.u8 q3, [r1], #16
    vmladav.s8 r12, q1, q4
    vldrb.u8 q4, [r1], #16
    vmladav.s8 lr, q1, q5
    ldr pc, [sp, #32]

    .balign 4
11: CHUNK_2X4
    CHUNK_2X4
    CHUNK_2X4
    CHUNK_2X4
12: subs r9, #1
    bne 11b
    vmladava.s8 r10, q1, q3
    vmladava.s8 r12, q1, q4
    vmladava.s8 lr, q1, q5
.else
    vmladav.s8 r8, q1, q2
    vmladav.s8 r10, q1, q3
    vmladav.s8 r12, q1, q4
    vmladav.s8 lr, q1, q5
.endif

    @ Requantisation, one lane a channel; sums go to lanes by pairs of registers. vqdmlash takes the upper word of the
    @ doubled product and adds: the rule with a shift greater by one. The result saturates at the top of its lane.
    vmov q0[2], q0[0], r0, r4
    vmov q1[2], q1[0], r8, r12
    vmov q0[3], q0[1], r2, r6
    vmov q1[3], q1[1], r10, lr
    ldm sp, {r0, r2, r3, r4, r5, r6, r8, r9}
    add r4, r11
    add r6, r7
    vldrw.u32 q2, [r11], #16
    vadd.i32 q0, q0, q2
    vldrw.u32 q3, [r4]
    vqdmlash.s32 q0, q3, r0
    vadd.i32 q1, q1, q2
    vqdmlash.s32 q1, q3, r0
    vqshl.s32 q0, r2
    vqshl.s32 q1, r2
    vshr.s32 q0, q0, #24
    vshr.s32 q1, q1, #24
    vstrb.32 q0, [r7], #4
    cmp r11, r8
    vstrb.32 q1, [r6]
    bne 10b

    @ The next pair of windows.
    ldr r0, [sp, #48]
    subs r0, #1
    beq 13f
    str r0, [sp, #48]
    ldrd r0, r2, [sp, #52]
    add r7, r0
    add r3, r2
    add r5, r2
    str r3, [sp, #8]
    str r5, [sp, #16]
    ldrd r1, r11, [sp, #40]
    b 10b

13: add sp, #64
    vpop {d8-d11}
    pop {r3-r11, pc}
    .size \name, . - \name
.endm

    MATRIX fude_mve_matrix_whole, whole, none
    MATRIX fude_mve_matrix_partial, partial, none
    MATRIX fude_mve_matrix_whole_loop, whole, loop
    MATRIX fude_mve_matrix_partial_loop, partial, loop
