/** Nearest-name hints for a name that nobody knows. */

/** Edits (insert, delete, replace) that lead from `a` to `b`; Levenshtein's distance, two rows at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/**
 * Two swapped letters cost two edits, so short words may be two off, longer ones a third; but never as many
 * as the word has letters, since every word of two letters is two edits from every other.
 */
const farthest = (name: string): number => Math.min(name.length - 1, Math.max(2, Math.floor(name.length / 3)));

/** The known name nearest to `name`, or `undefined` when none is near enough to be meant. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  // A hostile name must not buy quadratic work; no setting's name is anywhere near this long.
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = farthest(name) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
