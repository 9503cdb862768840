/** Bytes that an object is read by; its last block is shorter. */
export const BLOCK_BYTES = 1024 * 1024;
