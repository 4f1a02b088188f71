@ Convolutions 3x3 of single planes: depthwise, and the first layer of a picture in one channel.
@
@ Three rows of the input are in a ring of planes, one a channel, `[column][slot]`: four bytes a column, the fourth unused.
@ A window is then 12 bytes in a row: one load and one vmladav, whose weights are zero in the unused lanes. Which slot
@ holds the top row changes from row to row; the weights, loaded anew for each, follow it.

    .syntax unified
    .cpu cortex-m55

@ fude_mve_copy_planes(r0: pixels, r1: bytes from pixel to pixel, r2: first column's slot, r3: bytes of a plane,
@               [sp]: columns, [sp+4]: planes). Writes one slot of each column and plane. A lane is a plane.
    .section .text.fude_mve_copy_planes, "ax", %progbits
    .balign 4
    .global fude_mve_copy_planes
    .type fude_mve_copy_planes, %function
    .thumb_func
fude_mve_copy_planes:
    push {r4-r11, r12, lr}
    vpush {d8-d15}
    ldrd r8, r9, [sp, #104]
    movs r4, #0
    vidup.u16 q0, r4, #1
    movs r4, #4
    vmul.i16 q0, q0, r3
    vadd.i16 q1, q0, r4
    vadd.i16 q2, q1, r4
    vadd.i16 q3, q2, r4
    lsls r7, r1, #2
    lsr r10, r8, #2
    and r8, r8, #3
    mov r11, r0
    mov r12, r2

    @ Up to eight planes. Four pixels at a time: four pointers, and one pointer with four sets of offsets.
1:  vctp.16 r9
    adds r4, r0, r1
    adds r5, r4, r1
    adds r6, r5, r1
    wls lr, r10, 3f
2:  vpstttt
    vldrbt.u16 q4, [r0]
    vldrbt.u16 q5, [r4]
    vldrbt.u16 q6, [r5]
    vldrbt.u16 q7, [r6]
    vpstttt
    vstrbt.16 q4, [r2, q0]
    vstrbt.16 q5, [r2, q1]
    vstrbt.16 q6, [r2, q2]
    vstrbt.16 q7, [r2, q3]
    adds r0, r0, r7
    adds r4, r4, r7
    adds r5, r5, r7
    adds r6, r6, r7
    adds r2, #16
    le lr, 2b
3:  wls lr, r8, 5f
4:  vpstt
    vldrbt.u16 q4, [r0]
    vstrbt.16 q4, [r2, q0]
    adds r0, r0, r1
    adds r2, #4
    le lr, 4b
5:  add r11, #8
    add r12, r12, r3, lsl #3
    mov r0, r11
    mov r2, r12
    subs r9, #8
    bgt 1b
    vpop {d8-d15}
    pop {r4-r11, r12, pc}
    .size fude_mve_copy_planes, . - fude_mve_copy_planes

@ fude_mve_copy_line(r0: pixels, r1: first column's slot, r2: columns). The same for one plane of adjacent pixels: a lane
@ is a column.
    .section .text.fude_mve_copy_line, "ax", %progbits
    .balign 4
    .global fude_mve_copy_line
    .type fude_mve_copy_line, %function
    .thumb_func
fude_mve_copy_line:
    push {r4, lr}
    movs r4, #0
    vidup.u32 q0, r4, #4
    dlstp.32 lr, r2
1:  vldrb.u32 q1, [r0], #4
    vstrb.32 q1, [r1, q0]
    adds r1, #16
    letp lr, 1b
    pop {r4, pc}
    .size fude_mve_copy_line, . - fude_mve_copy_line

@ name(r0: &mut Arguments): one row of outputs, four channels a group, a lane each. `planes` is 4 (depthwise) or 1; `step`
@ the bytes from window to window.
@   0 planes      4 bytes of a plane  8 weights, nine a channel  12 their offsets, a lane each
@  16 bias       20 multipliers      24 outputs                 28 bytes from output to output
@  32 columns    36 addend           40 shift                   44 groups
@
@ Registers are what limits it: four vectors of weights, bias, multipliers and two for data leave none for bounds. So
@ results saturate as numbers of eight bits, at the top of their lane; narrower bounds come after all rows.
.macro PLANES name, planes, step
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r3-r11, lr}
    vpush {d8-d15}
    mov r10, r0
    movw r2, #0x0777
    vmsr p0, r2

    @ A group. Its pointers move on in the arguments.
1:  ldrd r1, r2, [r10, #8]
    vldrb.u8 q7, [r2]
    add r2, r1, #9
    add r3, r1, #18
    add r4, r1, #27
    vpstttt
    vldrbt.u8 q0, [r1, q7]
    vldrbt.u8 q1, [r2, q7]
    vldrbt.u8 q2, [r3, q7]
    vldrbt.u8 q3, [r4, q7]
    adds r1, #36
    str r1, [r10, #8]
    ldrd r1, r2, [r10, #16]
    vldrw.u32 q5, [r1], #16
    vldrw.u32 q6, [r2], #16
    strd r1, r2, [r10, #16]
    ldrd r1, r2, [r10]
.if \planes == 4
    add r3, r1, r2
    add r9, r3, r2
    add r11, r9, r2
    add r4, r11, r2
    str r4, [r10]
.endif
    ldrd r7, r5, [r10, #24]
    adds r4, r7, #4
    str r4, [r10, #24]
    ldrd lr, r4, [r10, #32]
    ldr r8, [r10, #40]
    @ Moved on before the store, where the sums are waited for.
    subs r7, r7, r5
    @ One load is ahead by a column: loads and multiplications take turns, and one load more goes with the requantisation.
.if \planes == 4
    vldrb.u8 q4, [r9], #\step
    dls lr, lr
2:  vldrb.u8 q7, [r1], #\step
    vmladav.s8 r2, q4, q2
    vldrb.u8 q4, [r11], #\step
    vmladav.s8 r0, q7, q0
    vldrb.u8 q7, [r3], #\step
    vmladav.s8 r6, q4, q3
    vmladav.s8 r12, q7, q1
    vmov q7[2], q7[0], r0, r2
    add r7, r5
    vmov q7[3], q7[1], r12, r6
    vadd.i32 q7, q7, q5
    vldrb.u8 q4, [r9], #\step
.else
    vldrb.u8 q4, [r1], #\step
    dls lr, lr
2:  vmladav.s8 r0, q4, q0
    vmladav.s8 r2, q4, q2
    vmladav.s8 r12, q4, q1
    vmladav.s8 r6, q4, q3
    vmov q7[2], q7[0], r0, r2
    add r7, r5
    vmov q7[3], q7[1], r12, r6
    vadd.i32 q7, q7, q5
    vldrb.u8 q4, [r1], #\step
.endif
    vqdmlash.s32 q7, q6, r4
    vqshl.s32 q7, r8
    vshr.s32 q7, q7, #24
    vstrb.32 q7, [r7]
    le lr, 2b

    ldr r0, [r10, #44]
    subs r0, #1
    str r0, [r10, #44]
    bne 1b
    vpop {d8-d15}
    pop {r3-r11, pc}
    .size \name, . - \name
.endm

    PLANES fude_mve_planes_4_step_1, 4, 4
    PLANES fude_mve_planes_4_step_2, 4, 8
    PLANES fude_mve_planes_1_step_1, 1, 4
    PLANES fude_mve_planes_1_step_2, 1, 8
