// Symmetric matrices in double precision: what learning in the page needs of linear algebra.
//
// A matrix is a Float64Array in row-major order. Its side is a multiple of BLOCK; see `padded`.

export const BLOCK = 4;

/** The smallest side of a matrix that holds `count` rows. */
export function padded(count) {
  return Math.ceil(count / BLOCK) * BLOCK;
}

/**
 * The scalar products of rows of `a` with rows of `b`, both `columns` long: BLOCK rows of each from
 * `rowA` and `rowB`, over the columns from `first` to before `end`.
 *
 * Sixteen sums at once: each value that is loaded is used four times.
 *
 * @param {Float64Array} sums of 16 numbers, row by row of `a`, to write.
 */
export function blockProducts(a, rowA, b, rowB, columns, first, end, sums) {
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0;
  let s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0;
  let s30 = 0, s31 = 0, s32 = 0, s33 = 0;
  const a0 = rowA * columns, a1 = a0 + columns, a2 = a1 + columns, a3 = a2 + columns;
  const b0 = rowB * columns, b1 = b0 + columns, b2 = b1 + columns, b3 = b2 + columns;
  for (let i = first; i < end; i++) {
    const v0 = b[b0 + i], v1 = b[b1 + i], v2 = b[b2 + i], v3 = b[b3 + i];
    let u = a[a0 + i];
    s00 += u * v0; s01 += u * v1; s02 += u * v2; s03 += u * v3;
    u = a[a1 + i];
    s10 += u * v0; s11 += u * v1; s12 += u * v2; s13 += u * v3;
    u = a[a2 + i];
    s20 += u * v0; s21 += u * v1; s22 += u * v2; s23 += u * v3;
    u = a[a3 + i];
    s30 += u * v0; s31 += u * v1; s32 += u * v2; s33 += u * v3;
  }
  sums[0] = s00; sums[1] = s01; sums[2] = s02; sums[3] = s03;
  sums[4] = s10; sums[5] = s11; sums[6] = s12; sums[7] = s13;
  sums[8] = s20; sums[9] = s21; sums[10] = s22; sums[11] = s23;
  sums[12] = s30; sums[13] = s31; sums[14] = s32; sums[15] = s33;
}

/**
 * Replaces the lower half of a positive definite matrix with its Cholesky factor L, where
 * matrix = L L^T; what stands above the diagonal is neither read nor changed.
 */
export function factorize(matrix, side) {
  const sums = new Float64Array(BLOCK * BLOCK);
  for (let row = 0; row < side; row += BLOCK) {
    for (let column = 0; column <= row; column += BLOCK) {
      blockProducts(matrix, row, matrix, column, side, 0, column, sums);
      for (let r = 0; r < BLOCK; r++) {
        const last = column === row ? r : BLOCK - 1;
        for (let c = 0; c <= last; c++) {
          const at = (row + r) * side + column + c;
          let value = matrix[at] - sums[BLOCK * r + c];
          for (let p = 0; p < c; p++) {
            value -= matrix[(row + r) * side + column + p] * matrix[(column + c) * side + column + p];
          }
          const diagonal = matrix[(column + c) * side + column + c];
          matrix[at] = row + r === column + c ? Math.sqrt(value) : value / diagonal;
        }
      }
    }
  }
}

/**
 * The inverse of a Cholesky factor, transposed: U, upper triangular, where U U^T is the inverse of
 * the matrix that was factorized.
 *
 * @param {Float64Array} factor as `factorize` leaves it.
 */
export function invertFactor(factor, side) {
  const inverse = new Float64Array(side * side);
  const sums = new Float64Array(BLOCK * BLOCK);
  for (let row = 0; row < side; row += BLOCK) {
    for (let column = row; column < side; column += BLOCK) {
      blockProducts(inverse, row, factor, column, side, row, column, sums);
      for (let r = 0; r < BLOCK; r++) {
        for (let c = 0; c < BLOCK; c++) {
          const place = (row + r) * side + column;
          let value = (row + r === column + c ? 1 : 0) - sums[BLOCK * r + c];
          for (let p = 0; p < c; p++) {
            value -= inverse[place + p] * factor[(column + c) * side + column + p];
          }
          inverse[place + c] = value / factor[(column + c) * side + column + c];
        }
      }
    }
  }
  return inverse;
}
