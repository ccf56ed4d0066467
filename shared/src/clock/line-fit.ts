/** A straight line through points that are not equally well known: weighted least squares. */

export interface WeightedPoint {
  readonly x: number;
  readonly y: number;
  /** The inverse of the square of what the point may be off by; only its ratio to other points' counts. */
  readonly weight: number;
}

export interface LineFit {
  readonly slope: number;
  /** One standard deviation of the slope, from how far the points are off the line. */
  readonly slopeDeviation: number;
  /**
   * How much the slope changes at most when each point is moved, up or down, by one unit of y: the bound for errors
   * that conspire, such as those of rounding.
   */
  readonly slopePerUnitError: number;
  /**
   * How alike neighbours are in how far they are off the line, for points in order of x: 0 when they are independent,
   * towards 1 when they move together and so tell less than their number.
   */
  readonly correlation: number;
}

/** Needs three points and two different values of x; without them the figures are NaN or infinite. */
export function fitLine(points: readonly WeightedPoint[]): LineFit {
  let total = 0;
  let totalX = 0;
  let totalY = 0;
  for (const { x, y, weight } of points) {
    total += weight;
    totalX += weight * x;
    totalY += weight * y;
  }
  const meanX = totalX / total;
  const meanY = totalY / total;
  let spread = 0;
  let together = 0;
  let reach = 0;
  for (const { x, y, weight } of points) {
    spread += weight * (x - meanX) ** 2;
    together += weight * (x - meanX) * (y - meanY);
    reach += weight * Math.abs(x - meanX);
  }
  const slope = together / spread;
  let residual = 0;
  let squares = 0;
  let products = 0;
  let before = 0;
  for (const { x, y, weight } of points) {
    const off = y - meanY - slope * (x - meanX);
    residual += weight * off ** 2;
    squares += off ** 2;
    products += off * before;
    before = off;
  }
  return {
    slope,
    slopeDeviation: Math.sqrt(residual / (points.length - 2) / spread),
    slopePerUnitError: reach / spread,
    correlation: squares === 0 ? 0 : products / squares,
  };
}
