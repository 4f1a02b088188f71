@ Loops over elements, a vector at a time. Images are compiled for size, which leaves such loops to single elements.

    .syntax unified
    .cpu cortex-m55

@ fude_mve_copy_rows(r0: source, r1: bytes from row to row, r2: target, r3: bytes from row to row there,
@                    [sp]: bytes of a row, [sp+4]: rows).
    .section .text.fude_mve_copy_rows, "ax", %progbits
    .balign 4
    .global fude_mve_copy_rows
    .type fude_mve_copy_rows, %function
    .thumb_func
fude_mve_copy_rows:
    push {r4-r7, r12, lr}
    ldrd r4, r5, [sp, #24]
1:  mov r6, r0
    mov r7, r2
    dlstp.8 lr, r4
2:  vldrb.u8 q0, [r6], #16
    vstrb.8 q0, [r7], #16
    letp lr, 2b
    add r0, r1
    add r2, r3
    subs r5, #1
    bne 1b
    pop {r4-r7, r12, pc}
    .size fude_mve_copy_rows, . - fude_mve_copy_rows

@ fude_mve_fill_bytes(r0: target, r1: value, r2: bytes).
    .section .text.fude_mve_fill_bytes, "ax", %progbits
    .balign 4
    .global fude_mve_fill_bytes
    .type fude_mve_fill_bytes, %function
    .thumb_func
fude_mve_fill_bytes:
    push {r7, lr}
    vdup.8 q0, r1
    wlstp.8 lr, r2, 2f
1:  vstrb.8 q0, [r0], #16
    letp lr, 1b
2:  pop {r7, pc}
    .size fude_mve_fill_bytes, . - fude_mve_fill_bytes

@ fude_mve_narrow(r0: elements, r1: smallest, r2: largest, r3: number). Brings elements within bounds.
    .section .text.fude_mve_narrow, "ax", %progbits
    .balign 4
    .global fude_mve_narrow
    .type fude_mve_narrow, %function
    .thumb_func
fude_mve_narrow:
    push {r7, lr}
    vdup.8 q1, r1
    vdup.8 q2, r2
    wlstp.8 lr, r3, 2f
1:  vldrb.u8 q0, [r0]
    vmax.s8 q0, q0, q1
    vmin.s8 q0, q0, q2
    vstrb.8 q0, [r0], #16
    letp lr, 1b
2:  pop {r7, pc}
    .size fude_mve_narrow, . - fude_mve_narrow

@ fude_mve_dot(r0: a, r1: b, r2: number): the sum of products.
    .section .text.fude_mve_dot, "ax", %progbits
    .balign 4
    .global fude_mve_dot
    .type fude_mve_dot, %function
    .thumb_func
fude_mve_dot:
    push {r7, lr}
    mov r3, r0
    movs r0, #0
    wlstp.8 lr, r2, 2f
1:  vldrb.u8 q0, [r3], #16
    vldrb.u8 q1, [r1], #16
    vmladava.s8 r0, q0, q1
    letp lr, 1b
2:  pop {r7, pc}
    .size fude_mve_dot, . - fude_mve_dot

@ fude_mve_add_products(r0: sums, r1: a, r2: b, r3: number). Each sum grows by its product.
    .section .text.fude_mve_add_products, "ax", %progbits
    .balign 4
    .global fude_mve_add_products
    .type fude_mve_add_products, %function
    .thumb_func
fude_mve_add_products:
    push {r7, lr}
    wlstp.32 lr, r3, 2f
1:  vldrb.s32 q0, [r1], #4
    vldrb.s32 q1, [r2], #4
    vmul.i32 q0, q0, q1
    vldrw.u32 q2, [r0]
    vadd.i32 q0, q0, q2
    vstrw.32 q0, [r0], #16
    letp lr, 1b
2:  pop {r7, pc}
    .size fude_mve_add_products, . - fude_mve_add_products

@ fude_mve_requantize(r0: sums, r1: multipliers, r2: outputs, r3: number, [sp]: addend, [sp+4]: shift). The rule is that of
@ `product.s`.
    .section .text.fude_mve_requantize, "ax", %progbits
    .balign 4
    .global fude_mve_requantize
    .type fude_mve_requantize, %function
    .thumb_func
fude_mve_requantize:
    push {r4, lr}
    ldrd r12, r4, [sp, #8]
    wlstp.32 lr, r3, 2f
1:  vldrw.u32 q0, [r0], #16
    vldrw.u32 q1, [r1], #16
    vqdmlash.s32 q0, q1, r12
    vqshl.s32 q0, r4
    vshr.s32 q0, q0, #24
    vstrb.32 q0, [r2], #4
    letp lr, 1b
2:  pop {r4, pc}
    .size fude_mve_requantize, . - fude_mve_requantize
